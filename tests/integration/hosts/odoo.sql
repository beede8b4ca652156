-- Odoo 17 and 18: the tables that are mapped, with the columns and types of what is read, its own indexes on them, and rows.
CREATE TABLE res_currency (id serial PRIMARY KEY, name varchar NOT NULL, symbol varchar NOT NULL, rounding numeric,
    decimal_places integer, active boolean);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, company_id integer, commercial_partner_id integer, tz varchar,
    active boolean DEFAULT true, create_date timestamp, write_date timestamp);
CREATE TABLE res_company (id serial PRIMARY KEY, name varchar NOT NULL, partner_id integer NOT NULL, currency_id integer NOT NULL,
    parent_path varchar, fiscalyear_last_day integer, fiscalyear_last_month varchar, create_date timestamp, write_date timestamp);
CREATE TABLE res_currency_rate (id serial PRIMARY KEY, name date NOT NULL, rate numeric, currency_id integer NOT NULL,
    company_id integer, UNIQUE (name, currency_id, company_id));
CREATE TABLE account_account (id serial PRIMARY KEY, name jsonb, account_type varchar NOT NULL);
CREATE TABLE account_move (id serial PRIMARY KEY, name varchar, ref varchar, date date NOT NULL, state varchar NOT NULL,
    move_type varchar NOT NULL, company_id integer, journal_id integer NOT NULL DEFAULT 1, partner_id integer,
    commercial_partner_id integer, currency_id integer NOT NULL, invoice_date date, invoice_date_due date, payment_state varchar,
    amount_untaxed numeric, amount_tax numeric, amount_total numeric, amount_residual numeric, amount_untaxed_signed numeric,
    amount_total_signed numeric, statement_line_id integer, create_date timestamp, write_date timestamp);
CREATE TABLE account_move_line (id serial PRIMARY KEY, move_id integer NOT NULL, company_id integer, account_id integer,
    partner_id integer, currency_id integer NOT NULL, payment_id integer, statement_line_id integer, move_name varchar,
    parent_state varchar, display_type varchar NOT NULL, date date, balance numeric, amount_currency numeric,
    amount_residual numeric, amount_residual_currency numeric, reconciled boolean, create_date timestamp, write_date timestamp);
CREATE INDEX account_move_line_move_id_index ON account_move_line (move_id);
CREATE TABLE account_partial_reconcile (id serial PRIMARY KEY, debit_move_id integer NOT NULL, credit_move_id integer NOT NULL,
    company_id integer, exchange_move_id integer, max_date date, amount numeric, debit_amount_currency numeric,
    credit_amount_currency numeric);
CREATE INDEX account_partial_reconcile_debit_move_id_index ON account_partial_reconcile (debit_move_id);
CREATE INDEX account_partial_reconcile_credit_move_id_index ON account_partial_reconcile (credit_move_id);
CREATE TABLE sale_order (id serial PRIMARY KEY, name varchar NOT NULL, state varchar, company_id integer NOT NULL,
    partner_id integer NOT NULL, currency_id integer, currency_rate numeric, date_order timestamp NOT NULL, validity_date date,
    amount_untaxed numeric, amount_tax numeric, amount_total numeric, create_date timestamp, write_date timestamp);

INSERT INTO res_currency (id, name, symbol) VALUES (1, 'EUR', '€'), (2, 'USD', '$');
INSERT INTO res_partner (id, name, commercial_partner_id, tz) VALUES (1, 'Maison', 1, 'Europe/Paris'), (2, 'Ada', 2, NULL),
    (3, 'Ada, accounting', 2, NULL), (4, 'Paper Mill', 4, NULL);
INSERT INTO res_company (id, name, partner_id, currency_id, parent_path, fiscalyear_last_month) VALUES
    (1, 'Maison', 1, 1, '1/', '6'), (2, 'Maison USA', 1, 2, '2/', '12');
-- One euro bought 1.25 dollars; the second company's rate is the inverse of the same.
INSERT INTO res_currency_rate (name, rate, currency_id, company_id) VALUES ('2026-03-11', 1.25, 2, NULL),
    ('2026-03-10', 1, 1, NULL);
INSERT INTO account_account (id, account_type) VALUES (10, 'asset_receivable'), (11, 'liability_payable'), (12, 'asset_cash'),
    (13, 'income');
INSERT INTO account_move (id, name, date, state, move_type, company_id, partner_id, commercial_partner_id, currency_id,
    invoice_date, invoice_date_due, amount_untaxed, amount_tax, amount_total, amount_residual, amount_untaxed_signed,
    amount_total_signed)
SELECT id, 'M/' || id, day, state, kind, 1, partner, CASE partner WHEN 3 THEN 2 ELSE partner END, money, day, due, untaxed, tax,
       untaxed + tax, residual, booked, booked + tax * booked / untaxed
FROM (VALUES
    (101, DATE '2026-03-11', 'posted', 'out_invoice', 3, 1, DATE '2026-04-10', 1000.00, 190.00, 1190.00, 1000.00),
    -- In dollars; the ledger has booked 81.30 euros.
    (102, '2026-03-11', 'posted', 'out_invoice', 3, 2, '2026-04-10', 100.00, 0, 100.00, 81.30),
    (103, '2026-02-01', 'posted', 'out_invoice', 2, 1, '2026-03-01', 500.00, 0, 200.00, 500.00),
    (104, '2026-03-11', 'draft', 'out_invoice', 2, 1, '2026-04-10', 9000.00, 0, 9000.00, 9000.00),
    (105, '2026-03-11', 'cancel', 'out_invoice', 2, 1, '2026-04-10', 8000.00, 0, 8000.00, 8000.00),
    (106, '2026-03-11', 'posted', 'out_refund', 2, 1, '2026-03-11', 100.00, 19.00, 119.00, -100.00),
    (107, '2026-03-10', 'posted', 'out_receipt', 2, 1, '2026-03-10', 200.00, 40.00, 0.00, 200.00),
    (201, '2026-03-11', 'posted', 'in_invoice', 4, 1, '2026-04-01', 300.00, 57.00, 357.00, -300.00),
    (202, '2026-03-10', 'posted', 'in_invoice', 4, 1, '2026-03-31', 100.00, 19.00, 0.00, -100.00),
    (203, '2026-03-11', 'posted', 'in_refund', 4, 1, NULL, 50.00, 0, 50.00, 50.00)
) AS given (id, day, state, kind, partner, money, due, untaxed, tax, residual, booked);
INSERT INTO account_move (id, name, date, state, move_type, company_id, currency_id) VALUES
    (301, 'PBNK/1', '2026-03-11', 'posted', 'entry', 1, 1), (302, 'BNK/1', '2026-03-10', 'posted', 'entry', 1, 1),
    (303, 'PBNK/2', '2026-03-11', 'posted', 'entry', 1, 1), (304, 'MISC/1', '2026-03-11', 'posted', 'entry', 1, 1),
    (305, 'PBNK/3', '2026-03-11', 'posted', 'entry', 1, 1), (306, 'PBNK/4', '2026-03-11', 'draft', 'entry', 1, 1);
INSERT INTO account_move_line (id, move_id, company_id, account_id, partner_id, currency_id, payment_id, statement_line_id,
    move_name, parent_state, display_type, date, balance, amount_currency, amount_residual_currency, reconciled)
SELECT id, move, 1, account, partner, 1, payment, line, 'L/' || id, state, shown, day, balance, balance, residual, residual = 0
FROM (VALUES
    (1031, 103, 10, 2, NULL::integer, NULL::integer, 'posted', 'payment_term', DATE '2026-02-01', 500.00, 200.00),
    (1071, 107, 10, 2, NULL, NULL, 'posted', 'payment_term', '2026-03-10', 240.00, 0),
    (2021, 202, 11, 4, NULL, NULL, 'posted', 'payment_term', '2026-03-10', -119.00, 0),
    -- A payment of 360.00, of which 300.00 went to the invoice of February; its other side is at the bank.
    (3011, 301, 10, 3, 1, NULL, 'posted', 'product', '2026-03-11', -360.00, -60.00),
    (3012, 301, 12, 3, 1, NULL, 'posted', 'product', '2026-03-11', 360.00, 360.00),
    -- A line of the bank statement that was matched with the receipt directly.
    (3021, 302, 10, 2, NULL, 7, 'posted', 'product', '2026-03-10', -240.00, 0),
    (3031, 303, 10, 2, 2, NULL, 'posted', 'product', '2026-03-11', 20.00, 20.00),
    (3041, 304, 10, 2, NULL, NULL, 'posted', 'product', '2026-03-11', -5.00, -5.00),
    (3051, 305, 11, 4, 3, NULL, 'posted', 'product', '2026-03-11', 119.00, 0),
    (3061, 306, 10, 2, 4, NULL, 'draft', 'product', '2026-03-11', -777.00, -777.00)
) AS given (id, move, account, partner, payment, line, state, shown, day, balance, residual);
INSERT INTO account_partial_reconcile (debit_move_id, credit_move_id, company_id, max_date, amount, debit_amount_currency,
                                       credit_amount_currency) VALUES
    (1031, 3011, 1, '2026-03-11', 300, 300, 300), (1071, 3021, 1, '2026-03-10', 240, 240, 240),
    (3051, 2021, 1, '2026-03-11', 119, 119, 119);
INSERT INTO sale_order (id, name, state, company_id, partner_id, currency_id, currency_rate, date_order, validity_date,
                        amount_total, create_date) VALUES
    -- Confirmed at half past midnight in Paris.
    (1, 'S1', 'sale', 1, 3, 1, 1, '2026-03-10 23:30', NULL, 1000, '2026-03-01 10:00'),
    (2, 'S2', 'cancel', 1, 2, 1, 1, '2026-03-01 10:00', NULL, 500, '2026-03-01 10:00'),
    (3, 'S3', 'sent', 1, 2, 2, 1.25, '2026-03-05 10:00', '2026-04-01', 250, '2026-03-05 10:00'),
    (4, 'S4', 'draft', 1, 2, 1, 1, '2026-03-05 10:00', NULL, 500, '2026-03-05 10:00');
