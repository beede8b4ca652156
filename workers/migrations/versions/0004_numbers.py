"""What numbers need to add up: references, what is unapplied, cash balances, links followed to their end (SPEC 3, 4.6)."""

from alembic import op

from workers.migrations.relations import is_table

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A host that has put a view in a table's place has the column when its view gives it: see workers/source/columns.py.
COLUMNS = {
    "tenant": ("cash_balance dashboard.money", "cash_balance_on date CHECK (isfinite(cash_balance_on))"),
    "invoice": ("reference text", "recurring_id text"),
    "payment": ("reference text", "unapplied dashboard.money"),
    "expense": ("reference text",),
    "quote": ("reference text",),
}

# What is looked for of open and unapplied money, and of what templates made: each index holds just that.
INDEXES = {
    "credit_note_open": (
        "invoice",
        "(tenant_id) WHERE status = 'posted' AND kind = 'credit_note' AND (balance IS NULL OR balance > 0)",
    ),
    "invoice_recurring": (
        "invoice",
        "(tenant_id, recurring_id, issue_date) WHERE status = 'posted' AND recurring_id IS NOT NULL",
    ),
    "expense_recurring": (
        "expense",
        "(tenant_id, recurring_id, expense_date) WHERE status = 'posted' AND recurring_id IS NOT NULL",
    ),
    "payment_unapplied": (
        "payment",
        "(tenant_id) WHERE status = 'succeeded' AND (unapplied IS NULL OR unapplied > 0)",
    ),
}

# An invoice's links one after another. The state: settled, paid (the part of it that payments settled), over (what payments
# brought beyond the total), taken (of this link's amount, whatever became of it) and reopened (by this link).
FUNCTIONS = """
CREATE FUNCTION dashboard.settle(state numeric[], source_kind text, amount numeric, total numeric) RETURNS numeric[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    take numeric;
    back numeric;
BEGIN
    IF amount IS NULL OR total IS NULL OR state[1] = 'NaN'
        OR amount IN ('NaN', 'Infinity', '-Infinity') OR total IN ('NaN', 'Infinity', '-Infinity')
    THEN
        RETURN array_fill('NaN'::numeric, ARRAY[5]);
    END IF;
    IF source_kind = 'refund' THEN
        back := least(amount, state[3]);
        take := least(amount - back, state[2]);
        RETURN ARRAY[state[1] - take, state[2] - take, state[3] - back, back + take, take];
    END IF;
    take := least(amount, total - state[1]);
    IF source_kind = 'payment' THEN
        RETURN ARRAY[state[1] + take, state[2] + take, state[3] + amount - take, take, 0];
    END IF;
    RETURN ARRAY[state[1] + take, state[2], state[3], take, 0];
END
$$;
CREATE AGGREGATE dashboard.settled(source_kind text, amount numeric, total numeric) (
    SFUNC = dashboard.settle, STYPE = numeric[], INITCOND = '{0,0,0,0,0}', PARALLEL = SAFE
);
COMMENT ON AGGREGATE dashboard.settled (text, numeric, numeric) IS
    'What links took of an invoice''s total, in the order given: settled, paid, over, and of the last one taken, reopened.';
"""


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        if is_table(table):
            for column in columns:
                op.execute(f"ALTER TABLE dashboard.{table} ADD COLUMN IF NOT EXISTS {column}")
    for name, (table, definition) in INDEXES.items():
        if is_table(table):
            op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON dashboard.{table} {definition}")
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP AGGREGATE dashboard.settled (text, numeric, numeric)")
    op.execute("DROP FUNCTION dashboard.settle")
    for name in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS dashboard.{name}")
    for table, columns in COLUMNS.items():
        if is_table(table):
            for column in columns:
                op.execute(f"ALTER TABLE dashboard.{table} DROP COLUMN IF EXISTS {column.split()[0]}")
