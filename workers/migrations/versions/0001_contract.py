"""The tables that a host product fills, or replaces by views of the same shape (SPEC 3)."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CONTRACT = """
CREATE DOMAIN dashboard.money AS numeric(20, 4) CHECK (VALUE <> 'NaN');
CREATE DOMAIN dashboard.rate AS numeric(24, 12) CHECK (VALUE > 0 AND VALUE <> 'NaN');
CREATE DOMAIN dashboard.currency AS char(3) CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN dashboard.identifier AS text CHECK (length(VALUE) BETWEEN 1 AND 255);

CREATE TABLE dashboard.tenant (
    tenant_id dashboard.identifier PRIMARY KEY,
    name text,
    timezone text NOT NULL DEFAULT 'UTC',
    base_currency dashboard.currency NOT NULL,
    fiscal_year_start_month smallint NOT NULL DEFAULT 1 CHECK (fiscal_year_start_month BETWEEN 1 AND 12),
    basis text NOT NULL DEFAULT 'accrual' CHECK (basis IN ('accrual', 'cash'))
);

CREATE TABLE dashboard.client (
    tenant_id dashboard.identifier NOT NULL,
    client_id dashboard.identifier NOT NULL,
    name text,
    created_at timestamptz,
    archived_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, client_id)
);

CREATE TABLE dashboard.invoice (
    tenant_id dashboard.identifier NOT NULL,
    invoice_id dashboard.identifier NOT NULL,
    client_id text,
    kind text NOT NULL DEFAULT 'invoice' CHECK (kind IN ('invoice', 'credit_note')),
    status text NOT NULL CHECK (status IN ('draft', 'posted', 'void')),
    issue_date date NOT NULL CHECK (isfinite(issue_date)),
    due_date date CHECK (isfinite(due_date)),
    currency dashboard.currency NOT NULL,
    total dashboard.money NOT NULL CHECK (total >= 0),
    tax dashboard.money,
    balance dashboard.money,
    base_rate dashboard.rate,
    written_off_on date CHECK (isfinite(written_off_on)),
    created_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, invoice_id)
);

CREATE TABLE dashboard.payment (
    tenant_id dashboard.identifier NOT NULL,
    payment_id dashboard.identifier NOT NULL,
    client_id text,
    kind text NOT NULL DEFAULT 'payment' CHECK (kind IN ('payment', 'refund')),
    status text NOT NULL CHECK (status IN ('succeeded', 'pending', 'failed')),
    paid_on date NOT NULL CHECK (isfinite(paid_on)),
    paid_at timestamptz,
    currency dashboard.currency NOT NULL,
    amount dashboard.money NOT NULL CHECK (amount >= 0),
    base_rate dashboard.rate,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, payment_id)
);

CREATE TABLE dashboard.allocation (
    tenant_id dashboard.identifier NOT NULL,
    allocation_id dashboard.identifier NOT NULL,
    source_kind text NOT NULL CHECK (source_kind IN ('payment', 'refund', 'credit_note')),
    source_id dashboard.identifier NOT NULL,
    invoice_id dashboard.identifier NOT NULL,
    amount dashboard.money NOT NULL CHECK (amount >= 0),
    allocated_on date,
    PRIMARY KEY (tenant_id, allocation_id)
);

CREATE TABLE dashboard.expense (
    tenant_id dashboard.identifier NOT NULL,
    expense_id dashboard.identifier NOT NULL,
    category text,
    vendor text,
    status text NOT NULL CHECK (status IN ('draft', 'posted', 'void')),
    expense_date date NOT NULL CHECK (isfinite(expense_date)),
    due_date date CHECK (isfinite(due_date)),
    paid_on date CHECK (isfinite(paid_on)),
    currency dashboard.currency NOT NULL,
    total dashboard.money NOT NULL,
    tax dashboard.money,
    base_rate dashboard.rate,
    recurring_id text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, expense_id)
);

CREATE TABLE dashboard.quote (
    tenant_id dashboard.identifier NOT NULL,
    quote_id dashboard.identifier NOT NULL,
    client_id text,
    status text NOT NULL
        CHECK (status IN ('draft', 'sent', 'accepted', 'declined', 'expired', 'converted', 'void')),
    issue_date date NOT NULL CHECK (isfinite(issue_date)),
    expiry_date date CHECK (isfinite(expiry_date)),
    decided_on date CHECK (isfinite(decided_on)),
    invoice_id text,
    currency dashboard.currency NOT NULL,
    total dashboard.money NOT NULL,
    base_rate dashboard.rate,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, quote_id)
);

CREATE TABLE dashboard.recurring (
    tenant_id dashboard.identifier NOT NULL,
    recurring_id dashboard.identifier NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invoice', 'expense')),
    currency dashboard.currency NOT NULL,
    amount dashboard.money NOT NULL,
    interval_unit text NOT NULL CHECK (interval_unit IN ('day', 'week', 'month', 'year')),
    interval_count integer NOT NULL DEFAULT 1 CHECK (interval_count > 0),
    next_on date CHECK (isfinite(next_on)),
    ends_on date CHECK (isfinite(ends_on)),
    active boolean NOT NULL DEFAULT true,
    terms_days integer CHECK (terms_days BETWEEN 0 AND 3650),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, recurring_id)
);

CREATE TABLE dashboard.fx_rate (
    tenant_id dashboard.identifier NOT NULL DEFAULT '*',
    currency dashboard.currency NOT NULL,
    base_currency dashboard.currency NOT NULL,
    rate_date date NOT NULL CHECK (isfinite(rate_date)),
    rate dashboard.rate NOT NULL,
    PRIMARY KEY (tenant_id, currency, base_currency, rate_date)
);
"""

# No foreign keys: the host fills these tables in its own order, may truncate or replace one of them, and a row of an
# unknown tenant or client is simply not read.

# What a snapshot reads is recent or open. Each index holds just that, so that a long history costs nothing.
INDEXES = """
CREATE FUNCTION dashboard.decision_date(status text, decided_on date, expiry_date date, issue_date date) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE status
        WHEN 'accepted' THEN coalesce(decided_on, issue_date)
        WHEN 'converted' THEN coalesce(decided_on, issue_date)
        WHEN 'declined' THEN coalesce(decided_on, issue_date)
        WHEN 'expired' THEN coalesce(decided_on, expiry_date + 1, issue_date)
        WHEN 'sent' THEN expiry_date + 1
    END
$$;
COMMENT ON FUNCTION dashboard.decision_date IS
    'The day a quote was decided: a sent one on the day after its expiry, null while it cannot be decided.';

CREATE INDEX invoice_recent ON dashboard.invoice (tenant_id, issue_date) WHERE status = 'posted';
CREATE INDEX invoice_open ON dashboard.invoice (tenant_id)
    WHERE status = 'posted' AND kind = 'invoice' AND (balance IS NULL OR balance > 0);
CREATE INDEX payment_recent ON dashboard.payment (tenant_id, paid_on) WHERE status = 'succeeded';
CREATE INDEX allocation_source ON dashboard.allocation (tenant_id, source_kind, source_id)
    INCLUDE (invoice_id, amount);
CREATE INDEX allocation_invoice ON dashboard.allocation (tenant_id, invoice_id)
    INCLUDE (source_kind, source_id, amount);
CREATE INDEX expense_recent ON dashboard.expense (tenant_id, expense_date) WHERE status = 'posted';
CREATE INDEX expense_paid ON dashboard.expense (tenant_id, paid_on) WHERE status = 'posted' AND paid_on IS NOT NULL;
CREATE INDEX expense_unpaid ON dashboard.expense (tenant_id, due_date) WHERE status = 'posted' AND paid_on IS NULL;
CREATE INDEX quote_decided ON dashboard.quote
    (tenant_id, dashboard.decision_date(status, decided_on, expiry_date, issue_date));
CREATE INDEX quote_open ON dashboard.quote (tenant_id, (coalesce(expiry_date, 'infinity'))) WHERE status = 'sent';
CREATE INDEX recurring_active ON dashboard.recurring (tenant_id) WHERE active;
"""

# Kept by Daybook itself, never by the host product.
OWN = """
CREATE TABLE dashboard.daily_close (
    tenant_id text NOT NULL,
    local_date date NOT NULL,
    pending integer NOT NULL,
    pending_amount numeric,
    overdue integer NOT NULL,
    overdue_amount numeric,
    conversion numeric,
    active_clients integer NOT NULL,
    source_state bigint NOT NULL,
    PRIMARY KEY (tenant_id, local_date)
);
COMMENT ON TABLE dashboard.daily_close IS
    'The last values of the balance metrics on each local day: what the next day is compared with.';
"""


def upgrade() -> None:
    for script in (CONTRACT, INDEXES, OWN):
        op.execute(script)


def downgrade() -> None:
    tables = ("tenant", "client", "invoice", "payment", "allocation", "expense", "quote", "recurring", "fx_rate")
    for table in (*tables, "daily_close"):
        op.execute(f"DROP TABLE dashboard.{table}")
    op.execute("DROP FUNCTION dashboard.decision_date")
    for domain in ("money", "rate", "currency", "identifier"):
        op.execute(f"DROP DOMAIN dashboard.{domain}")
