"""What closed months came to when they were last shown, so that it is noticed when one of them changes."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

SHOWN = """
CREATE TABLE dashboard.shown_months (
    tenant_id text PRIMARY KEY,
    day date NOT NULL,
    base_currency text NOT NULL,
    basis text NOT NULL,
    months jsonb NOT NULL,
    before jsonb NOT NULL,
    source_state bigint NOT NULL
);
COMMENT ON TABLE dashboard.shown_months IS
    'Each closed month as last shown: month: [revenue, expenses, money in, money out] in base units; before: as they stood '
    'at the end of the local day before `day`, on which they were last seen to change.';
"""


def upgrade() -> None:
    """Remember closed months."""
    op.execute(SHOWN)


def downgrade() -> None:
    """Forget them."""
    op.execute("DROP TABLE dashboard.shown_months")
