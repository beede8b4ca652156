"""Indexes for documents that count no more, so that a changed month finds the few of them without reading all others."""

from alembic import op

from workers.migrations.relations import is_table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEXES = {
    "invoice_no_more": ("invoice", "(tenant_id, issue_date) WHERE status <> 'posted'"),
    "payment_no_more": ("payment", "(tenant_id, paid_on) WHERE status <> 'succeeded'"),
    "expense_no_more": ("expense", "(tenant_id, expense_date) WHERE status <> 'posted'"),
    "expense_paid_no_more": ("expense", "(tenant_id, paid_on) WHERE status <> 'posted' AND paid_on IS NOT NULL"),
}


def upgrade() -> None:
    """Where the relations are tables of ours; a host's own have few such rows in any case."""
    for name, (table, definition) in INDEXES.items():
        if is_table(table):
            op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON dashboard.{table} {definition}")


def downgrade() -> None:
    """Do without them."""
    for name in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS dashboard.{name}")
