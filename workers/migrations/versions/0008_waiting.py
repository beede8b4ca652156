"""Changes of tenants that nobody looks at may wait: a row of dashboard.change says until when."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Null is "at once", so that a writer's row costs what it did. The index finds what is fresh (null) and what has waited long
# enough, however many rows still wait.
WAITING = """
ALTER TABLE dashboard.change ADD COLUMN noted_at timestamptz DEFAULT clock_timestamp(), ADD COLUMN due_at timestamptz;
CREATE INDEX change_due ON dashboard.change (due_at, id);
CREATE FUNCTION dashboard.next_turn(tenant_id pg_catalog.text, delay_s pg_catalog.int4) RETURNS timestamptz
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT to_timestamp(now_s + delay_s - mod(mod(now_s - turn_s, delay_s) + delay_s, delay_s))
    FROM (
        SELECT extract(epoch FROM clock_timestamp()) AS now_s,
               mod(abs(hashtextextended(tenant_id, 0)::numeric), 1000 * delay_s) / 1000 AS turn_s
    ) AS turn
    WHERE delay_s > 0
$$;
COMMENT ON FUNCTION dashboard.next_turn IS
    'When it is next the tenant''s turn within every delay_s seconds, always at the same moment of them; null for 0 seconds.';
COMMENT ON COLUMN dashboard.change.noted_at IS 'When the writer''s statement ended, before its commit.';
COMMENT ON COLUMN dashboard.change.due_at IS
    'Until when the change waits because nobody looks at its tenant; null while that was not asked.';
"""


def upgrade() -> None:
    """Let changes wait."""
    op.execute(WAITING)


def downgrade() -> None:
    """Have everything computed at once again."""
    op.execute(
        "ALTER TABLE dashboard.change DROP COLUMN noted_at, DROP COLUMN due_at; DROP FUNCTION dashboard.next_turn"
    )
