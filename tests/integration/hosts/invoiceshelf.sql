-- InvoiceShelf 2.3.3: the tables that are mapped, with the columns and types that its public migrations give them, and rows.
CREATE TABLE currencies (id serial PRIMARY KEY, name varchar(255) NOT NULL, code varchar(255) NOT NULL, symbol varchar(255),
    precision integer NOT NULL, thousand_separator varchar(255) NOT NULL, decimal_separator varchar(255) NOT NULL,
    swap_currency_symbol boolean NOT NULL DEFAULT false, created_at timestamp(0), updated_at timestamp(0));
CREATE TABLE companies (id serial PRIMARY KEY, name varchar(255) NOT NULL, logo varchar(255), unique_hash varchar(255),
    created_at timestamp(0), updated_at timestamp(0), owner_id integer, slug varchar(255), vat_id varchar(255),
    tax_id varchar(255));
CREATE TABLE company_settings (id serial PRIMARY KEY, option varchar(255) NOT NULL, value text,
    company_id integer REFERENCES companies, created_at timestamp(0), updated_at timestamp(0));
CREATE TABLE customers (id bigserial PRIMARY KEY, prefix varchar(255), name varchar(255) NOT NULL, email varchar(255),
    currency_id integer REFERENCES currencies, company_id integer REFERENCES companies, created_at timestamp(0),
    updated_at timestamp(0));
CREATE TABLE recurring_invoices (id bigserial PRIMARY KEY, starts_at timestamp(0) NOT NULL,
    send_automatically boolean NOT NULL DEFAULT false, customer_id bigint REFERENCES customers,
    company_id integer REFERENCES companies, status varchar(255) NOT NULL DEFAULT 'ACTIVE'
        CHECK (status IN ('COMPLETED', 'ON_HOLD', 'ACTIVE')),
    next_invoice_at timestamp(0), frequency varchar(255) NOT NULL, limit_by varchar(255) NOT NULL DEFAULT 'NONE'
        CHECK (limit_by IN ('NONE', 'COUNT', 'DATE')),
    limit_count integer, limit_date date, currency_id integer REFERENCES currencies, exchange_rate numeric(19, 6),
    sub_total bigint NOT NULL, total bigint NOT NULL, tax bigint NOT NULL, due_amount bigint NOT NULL,
    created_at timestamp(0), updated_at timestamp(0));
CREATE TABLE invoices (id serial PRIMARY KEY, invoice_date timestamp(0) NOT NULL, due_date date,
    invoice_number varchar(255) NOT NULL, reference_number varchar(255), status varchar(255) NOT NULL,
    paid_status varchar(255) NOT NULL, sub_total bigint NOT NULL, total bigint NOT NULL, tax bigint NOT NULL,
    due_amount bigint NOT NULL, viewed boolean NOT NULL DEFAULT false, company_id integer REFERENCES companies,
    created_at timestamp(0), updated_at timestamp(0), customer_id bigint REFERENCES customers,
    recurring_invoice_id bigint REFERENCES recurring_invoices, exchange_rate numeric(19, 6), base_total bigint,
    base_tax bigint, base_due_amount bigint, currency_id integer REFERENCES currencies, overdue boolean NOT NULL DEFAULT false);
CREATE TABLE payments (id bigserial PRIMARY KEY, payment_number varchar(255) NOT NULL, payment_date date NOT NULL, notes text,
    amount bigint NOT NULL, invoice_id integer REFERENCES invoices ON DELETE CASCADE, company_id integer REFERENCES companies,
    created_at timestamp(0), updated_at timestamp(0), customer_id bigint REFERENCES customers, exchange_rate numeric(19, 6),
    base_amount bigint, currency_id integer REFERENCES currencies);
CREATE TABLE expense_categories (id serial PRIMARY KEY, name varchar(255) NOT NULL, company_id integer REFERENCES companies);
CREATE TABLE expenses (id serial PRIMARY KEY, expense_date date NOT NULL, expense_number varchar(255), amount bigint NOT NULL,
    expense_category_id integer NOT NULL REFERENCES expense_categories, company_id integer REFERENCES companies,
    created_at timestamp(0), updated_at timestamp(0), customer_id bigint, exchange_rate numeric(19, 6), base_amount bigint,
    currency_id integer);
CREATE TABLE estimates (id serial PRIMARY KEY, estimate_date date NOT NULL, expiry_date date,
    estimate_number varchar(255) NOT NULL, status varchar(255) NOT NULL, sub_total bigint NOT NULL, total bigint NOT NULL,
    tax bigint NOT NULL, company_id integer REFERENCES companies, created_at timestamp(0), updated_at timestamp(0),
    customer_id bigint REFERENCES customers, exchange_rate numeric(19, 6), currency_id integer REFERENCES currencies);
CREATE TABLE exchange_rate_logs (id bigserial PRIMARY KEY, company_id integer REFERENCES companies,
    base_currency_id integer REFERENCES currencies, currency_id integer REFERENCES currencies, exchange_rate numeric(19, 6),
    created_at timestamp(0), updated_at timestamp(0));

INSERT INTO currencies (id, name, code, precision, thousand_separator, decimal_separator) VALUES
    (1, 'Euro', 'EUR', 2, '.', ','), (2, 'US Dollar', 'USD', 2, ',', '.'), (3, 'Japanese Yen', 'JPY', 0, ',', '.');
INSERT INTO companies (id, name) VALUES (1, 'Shelf'), (2, 'Tana');
INSERT INTO company_settings (company_id, option, value) VALUES
    (1, 'currency', '1'), (1, 'time_zone', 'Europe/Berlin'), (1, 'fiscal_year', '4-3'),
    (2, 'currency', '3'), (2, 'time_zone', 'Asia/Tokyo'), (2, 'fiscal_year', 'calendar_year');
INSERT INTO customers (id, name, company_id, currency_id) VALUES (1, 'Ada', 1, 1), (2, 'Bo', 1, 2), (3, 'Cho', 2, 3);
-- The first one's money is expected on April 1st; of every five minutes on weekdays the forecast knows nothing.
INSERT INTO recurring_invoices (id, starts_at, customer_id, company_id, next_invoice_at, frequency, currency_id, sub_total,
                                total, tax, due_amount) VALUES
    (1, '2026-01-01', 1, 1, '2026-04-01', '0 0 1 * *', 1, 30000, 30000, 0, 30000),
    (2, '2026-01-01', 1, 1, '2026-03-12', '*/5 * * * 1-5', 1, 100, 100, 0, 100);
INSERT INTO invoices (id, invoice_date, due_date, invoice_number, status, paid_status, sub_total, total, tax, due_amount,
                      company_id, customer_id, exchange_rate, currency_id) VALUES
    (1, '2026-03-11 09:00', '2026-04-10', 'INV-1', 'SENT', 'UNPAID', 100000, 119000, 19000, 119000, 1, 1, 1, 1),
    (2, '2026-03-10 23:59', '2026-03-20', 'INV-2', 'COMPLETED', 'PAID', 10000, 11900, 1900, 0, 1, 1, 1, 1),
    (3, '2026-02-01 00:00', '2026-03-01', 'INV-3', 'VIEWED', 'PARTIALLY_PAID', 60000, 60000, 0, 20000, 1, 1, 1, 1),
    (4, '2026-03-11 09:00', NULL, 'INV-4', 'DRAFT', 'UNPAID', 500000, 500000, 0, 500000, 1, 1, 1, 1),
    (5, '2026-03-11 09:00', '2026-04-10', 'INV-5', 'SENT', 'UNPAID', 10000, 10000, 0, 10000, 1, 2, 0.92, 2),
    (6, '2026-03-11 09:00', NULL, 'INV-6', 'SENT', 'UNPAID', -10000, -11900, -1900, -11900, 1, 1, 1, 1),
    (7, '2026-03-11 09:00', '2026-03-31', 'Y-1', 'SENT', 'UNPAID', 8800000, 8800000, 0, 8800000, 2, 3, 1, 3);
INSERT INTO payments (id, payment_number, payment_date, amount, invoice_id, company_id, customer_id, exchange_rate, currency_id)
VALUES (1, 'PAY-1', '2026-03-10', 11900, 2, 1, 1, 1, 1), (2, 'PAY-2', '2026-03-05', 40000, 3, 1, 1, 1, 1),
       (3, 'PAY-3', '2026-03-11', 5000, NULL, 1, 1, 1, 1);
INSERT INTO expense_categories (id, name, company_id) VALUES (1, 'Office', 1);
INSERT INTO expenses (id, expense_date, amount, expense_category_id, company_id, exchange_rate, currency_id) VALUES
    (1, '2026-03-11', 2500, 1, 1, 1, 1), (2, '2026-03-10', 999, 1, 1, 1, 1);
INSERT INTO estimates (id, estimate_date, expiry_date, estimate_number, status, sub_total, total, tax, company_id, customer_id,
                       exchange_rate, currency_id, updated_at) VALUES
    (1, '2026-03-01', '2026-04-01', 'EST-1', 'ACCEPTED', 1, 100000, 0, 1, 1, 1, 1, '2026-03-10 10:00'),
    (2, '2026-02-01', '2026-04-01', 'EST-2', 'REJECTED', 1, 100000, 0, 1, 1, 1, 1, '2026-03-01 10:00'),
    (3, '2026-02-01', '2026-03-01', 'EST-3', 'SENT', 1, 100000, 0, 1, 1, 1, 1, '2026-02-01 10:00'),
    (4, '2026-03-01', '2026-04-01', 'EST-4', 'DRAFT', 1, 100000, 0, 1, 1, 1, 1, '2026-03-01 10:00'),
    (5, '2026-03-01', '2026-04-01', 'EST-5', 'VIEWED', 1, 77000, 0, 1, 1, 1, 1, '2026-03-01 10:00');
INSERT INTO exchange_rate_logs (company_id, base_currency_id, currency_id, exchange_rate, created_at) VALUES
    (1, 1, 2, 0.95, '2026-03-11 08:00'), (1, 1, 2, 0.93, '2026-03-11 09:00');
