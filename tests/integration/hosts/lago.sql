-- Lago 1.51 (structure.sql of August 2026): the tables that are mapped, with the columns and types of what is read, and rows.
CREATE TYPE payment_payable_payment_status AS ENUM ('pending', 'processing', 'succeeded', 'failed');
CREATE TABLE organizations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar NOT NULL,
    created_at timestamp(6) NOT NULL DEFAULT now(), updated_at timestamp(6) NOT NULL DEFAULT now(),
    timezone varchar NOT NULL DEFAULT 'UTC', default_currency varchar NOT NULL DEFAULT 'USD');
CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), external_id varchar NOT NULL, name varchar,
    organization_id uuid NOT NULL, created_at timestamp(6) NOT NULL DEFAULT now(), updated_at timestamp(6) NOT NULL DEFAULT now(),
    legal_name varchar, currency varchar, deleted_at timestamp(6));
CREATE TABLE invoices (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), created_at timestamp(6) NOT NULL DEFAULT now(),
    updated_at timestamp(6) NOT NULL DEFAULT now(), issuing_date date, taxes_amount_cents bigint NOT NULL DEFAULT 0,
    total_amount_cents bigint NOT NULL DEFAULT 0, invoice_type integer NOT NULL DEFAULT 0,
    payment_status integer NOT NULL DEFAULT 0, number varchar NOT NULL DEFAULT '', customer_id uuid,
    status integer NOT NULL DEFAULT 1, organization_id uuid NOT NULL, currency varchar,
    credit_notes_amount_cents bigint NOT NULL DEFAULT 0, prepaid_credit_amount_cents bigint NOT NULL DEFAULT 0,
    payment_due_date date, total_paid_amount_cents bigint NOT NULL DEFAULT 0, self_billed boolean NOT NULL DEFAULT false,
    prepaid_granted_credit_amount_cents bigint, prepaid_purchased_credit_amount_cents bigint);
CREATE TABLE payments (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), invoice_id uuid, amount_cents bigint NOT NULL,
    amount_currency varchar NOT NULL, provider_payment_id varchar, status varchar NOT NULL, created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL DEFAULT now(), payable_type varchar NOT NULL DEFAULT 'Invoice', payable_id uuid,
    payable_payment_status payment_payable_payment_status, reference varchar, organization_id uuid NOT NULL,
    customer_id uuid NOT NULL);
CREATE INDEX index_payments_on_payable_type_and_payable_id ON payments (payable_type, payable_id);
CREATE TABLE payment_requests (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id uuid NOT NULL,
    amount_cents bigint NOT NULL DEFAULT 0, amount_currency varchar NOT NULL, organization_id uuid NOT NULL,
    payment_status integer NOT NULL DEFAULT 0);
CREATE TABLE invoices_payment_requests (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), invoice_id uuid NOT NULL,
    payment_request_id uuid NOT NULL, organization_id uuid NOT NULL);
CREATE TABLE credit_notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id uuid NOT NULL, invoice_id uuid NOT NULL,
    number varchar NOT NULL, credit_amount_cents bigint NOT NULL DEFAULT 0, credit_status integer,
    balance_amount_cents bigint NOT NULL DEFAULT 0, created_at timestamp(6) NOT NULL DEFAULT now(),
    updated_at timestamp(6) NOT NULL DEFAULT now(), total_amount_cents bigint NOT NULL DEFAULT 0,
    total_amount_currency varchar NOT NULL, refund_amount_cents bigint NOT NULL DEFAULT 0, refund_status integer,
    voided_at timestamp(6), taxes_amount_cents bigint NOT NULL DEFAULT 0, refunded_at timestamp(6),
    issuing_date date NOT NULL, status integer NOT NULL DEFAULT 1, organization_id uuid NOT NULL,
    offset_amount_cents bigint NOT NULL DEFAULT 0);
CREATE INDEX index_credit_notes_on_invoice_id ON credit_notes (invoice_id);
CREATE TABLE credits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), invoice_id uuid, applied_coupon_id uuid,
    amount_cents bigint NOT NULL, amount_currency varchar NOT NULL, credit_note_id uuid, organization_id uuid NOT NULL);
CREATE INDEX index_credits_on_credit_note_id ON credits (credit_note_id);
CREATE TABLE refunds (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), payment_id uuid NOT NULL, credit_note_id uuid,
    amount_cents bigint NOT NULL DEFAULT 0, amount_currency varchar NOT NULL, status varchar NOT NULL,
    organization_id uuid NOT NULL);
CREATE TABLE wallet_transactions (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), wallet_id uuid NOT NULL,
    transaction_type integer NOT NULL, status integer NOT NULL, amount numeric(30, 5) NOT NULL DEFAULT 0, invoice_id uuid,
    organization_id uuid NOT NULL, remaining_amount_cents bigint);
CREATE INDEX index_wallet_transactions_on_invoice_id ON wallet_transactions (invoice_id);
CREATE TABLE wallet_transaction_consumptions (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid NOT NULL,
    inbound_wallet_transaction_id uuid NOT NULL, outbound_wallet_transaction_id uuid NOT NULL,
    consumed_amount_cents bigint NOT NULL);
CREATE TABLE quotes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid NOT NULL, customer_id uuid NOT NULL,
    number varchar NOT NULL);

-- Ids are made of digits that tell them apart: organization 00…01, customer 00…0c1, invoices 00…011 and so on.
CREATE FUNCTION pg_temp.u(n text) RETURNS uuid LANGUAGE sql AS $$ SELECT lpad(n, 32, '0')::uuid $$;
INSERT INTO organizations (id, name, timezone, default_currency) VALUES (pg_temp.u('1'), 'Lagoon', 'America/New_York', 'USD');
INSERT INTO customers (id, external_id, name, organization_id) VALUES
    (pg_temp.u('c1'), 'ext-1', 'Ada', pg_temp.u('1')), (pg_temp.u('c2'), 'ext-2', NULL, pg_temp.u('1'));
INSERT INTO invoices (id, number, organization_id, customer_id, invoice_type, status, payment_status, issuing_date,
    payment_due_date, currency, total_amount_cents, taxes_amount_cents, credit_notes_amount_cents, prepaid_credit_amount_cents,
    prepaid_granted_credit_amount_cents, total_paid_amount_cents, self_billed)
SELECT pg_temp.u(id), 'LAG-' || id, pg_temp.u('1'), pg_temp.u('c1'), kind, status, pay, issued, due, money, total, tax, notes,
       prepaid, granted, paid, self
FROM (VALUES
    ('11', 0, 1, 0, DATE '2026-03-11', DATE '2026-04-10', 'USD', 110000, 10000, 0, 0, 0, 0, false),
    -- Sold for 1200.00: 200.00 settled by credit notes, 300.00 by prepaid credits of which 50.00 were a gift, 700.00 paid.
    ('12', 0, 1, 1, '2026-03-10', '2026-03-20', 'USD', 70000, 20000, 20000, 30000, 5000, 70000, false),
    -- Of 500.00 a payment request brought 200.00 and a credit note took off 100.00.
    ('13', 3 - 3, 1, 0, '2026-02-01', '2026-03-01', 'USD', 50000, 0, 0, 0, 0, 20000, false),
    ('14', 0, 0, 0, '2026-03-11', '2026-04-10', 'USD', 99900, 0, 0, 0, 0, 0, false),
    ('15', 0, 2, 0, '2026-03-11', '2026-04-10', 'USD', 88800, 0, 0, 0, 0, 0, false),
    ('16', 0, 4, 0, '2026-03-11', '2026-04-10', 'USD', 77700, 0, 0, 0, 0, 0, false),
    ('17', 0, 3, 0, NULL, NULL, 'USD', 66600, 0, 0, 0, 0, 0, false),
    -- A top-up of 1000.00, of which credits worth 600.00 are left.
    ('18', 3, 1, 1, '2026-03-11', '2026-03-11', 'USD', 100000, 0, 0, 0, 0, 100000, false),
    ('19', 0, 1, 0, '2026-03-11', '2026-04-01', 'USD', 30000, 0, 0, 0, 0, 0, true),
    ('1a', 0, 1, 0, '2026-03-11', '2026-04-10', 'JPY', 88000, 0, 0, 0, 0, 0, false)
) AS given (id, kind, status, pay, issued, due, money, total, tax, notes, prepaid, granted, paid, self);
INSERT INTO payment_requests (id, customer_id, amount_cents, amount_currency, organization_id, payment_status) VALUES
    (pg_temp.u('ab'), pg_temp.u('c1'), 20000, 'USD', pg_temp.u('1'), 1);
INSERT INTO invoices_payment_requests (invoice_id, payment_request_id, organization_id) VALUES
    (pg_temp.u('13'), pg_temp.u('ab'), pg_temp.u('1'));
INSERT INTO payments (id, amount_cents, amount_currency, status, created_at, payable_type, payable_id, payable_payment_status,
                      organization_id, customer_id)
SELECT pg_temp.u(id), amount, 'USD', 'x', at, payable, pg_temp.u(of), became::payment_payable_payment_status, pg_temp.u('1'),
       pg_temp.u('c1')
FROM (VALUES
    ('21', 70000, TIMESTAMP '2026-03-10 15:00', 'Invoice', '12', 'succeeded'),
    ('22', 20000, '2026-03-11 10:00', 'PaymentRequest', 'ab', 'succeeded'),
    ('23', 1000, '2026-03-11 10:00', 'Invoice', '11', 'failed'),
    -- In New York that is still the evening of the 10th.
    ('24', 100000, '2026-03-11 02:00', 'Invoice', '18', 'succeeded')
) AS given (id, amount, at, payable, of, became);
INSERT INTO credit_notes (id, number, organization_id, customer_id, invoice_id, issuing_date, total_amount_currency,
    total_amount_cents, taxes_amount_cents, credit_amount_cents, balance_amount_cents, refund_amount_cents, refund_status,
    refunded_at, offset_amount_cents, voided_at, status)
SELECT pg_temp.u(id), 'CN-' || id, pg_temp.u('1'), pg_temp.u('c1'), pg_temp.u(of), issued, 'USD', total, tax, credit, balance,
       refund, refund_status, refunded, off, voided, status
FROM (VALUES
    ('31', '12', DATE '2026-03-09', 17000, 0, 17000, 0, 0, NULL::integer, NULL::timestamp, 0, NULL::timestamp, 1),
    ('32', '13', '2026-03-05', 10000, 0, 0, 0, 0, NULL, NULL, 10000, NULL, 1),
    ('33', '12', '2026-03-11', 5000, 500, 0, 0, 5000, 1, '2026-03-11 11:00', 0, NULL, 1),
    ('34', '12', '2026-03-11', 7000, 0, 7000, 7000, 0, NULL, NULL, 0, NULL, 1),
    -- Voided after a third of it was used.
    ('35', '12', '2026-03-11', 9000, 900, 9000, 0, 0, NULL, NULL, 0, '2026-03-11 11:00', 1),
    ('36', '12', '2026-03-11', 4000, 0, 4000, 4000, 0, NULL, NULL, 0, NULL, 0)
) AS given (id, of, issued, total, tax, credit, balance, refund, refund_status, refunded, off, voided, status);
INSERT INTO credits (invoice_id, credit_note_id, amount_cents, amount_currency, organization_id) VALUES
    (pg_temp.u('12'), pg_temp.u('31'), 17000, 'USD', pg_temp.u('1')),
    (pg_temp.u('12'), pg_temp.u('35'), 3000, 'USD', pg_temp.u('1'));
INSERT INTO wallet_transactions (id, wallet_id, transaction_type, status, amount, invoice_id, organization_id,
                                 remaining_amount_cents)
VALUES (pg_temp.u('41'), pg_temp.u('40'), 0, 1, 1000, pg_temp.u('18'), pg_temp.u('1'), 60000),
       (pg_temp.u('42'), pg_temp.u('40'), 1, 1, 250, pg_temp.u('12'), pg_temp.u('1'), NULL);
INSERT INTO wallet_transaction_consumptions (organization_id, inbound_wallet_transaction_id, outbound_wallet_transaction_id,
                                             consumed_amount_cents)
VALUES (pg_temp.u('1'), pg_temp.u('41'), pg_temp.u('42'), 25000);
INSERT INTO quotes (organization_id, customer_id, number) VALUES (pg_temp.u('1'), pg_temp.u('c1'), 'QT-2026-0001');
