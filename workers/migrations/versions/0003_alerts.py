"""The life of alerts: raised, acknowledged, snoozed, cleared, with history; who hears of which; where the rules begin."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Whoever changes a tenant's alerts or subscriptions locks its row of alert_board first and raises the revision last: so
# the revision says which of two readings of the whole is the later one. lineage, state: what the alerts were last judged by.
TABLES = """
CREATE TABLE dashboard.alert_board (
    tenant_id text PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0,
    lineage text,
    state bigint
);
COMMENT ON TABLE dashboard.alert_board IS
    'One row per tenant that has alerts or subscriptions: how often they changed, and the database state they follow from.';

CREATE TABLE dashboard.alert (
    tenant_id text NOT NULL,
    alert_id text NOT NULL,
    rule text NOT NULL,
    subject text NOT NULL,
    local_date date NOT NULL,
    level text NOT NULL CHECK (level IN ('critical', 'warning', 'success', 'info')),
    message text NOT NULL,
    metric text NOT NULL,
    action_required boolean NOT NULL,
    provisional boolean NOT NULL,
    raised_at timestamptz NOT NULL,
    reopened_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    snoozed_until timestamptz,
    cleared_at timestamptz,
    PRIMARY KEY (tenant_id, alert_id),
    CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
);
CREATE INDEX alert_held ON dashboard.alert (tenant_id) WHERE cleared_at IS NULL;
CREATE INDEX alert_recent ON dashboard.alert (tenant_id, local_date);
CREATE INDEX alert_snoozed ON dashboard.alert (tenant_id, snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX alert_cleared ON dashboard.alert (cleared_at) WHERE cleared_at IS NOT NULL;
COMMENT ON TABLE dashboard.alert IS
    'Every alert that holds or held within 30 days. One a rule, subject and local date; cleared_at: since when it is false.';

CREATE TABLE dashboard.alert_event (
    tenant_id text NOT NULL,
    alert_id text NOT NULL,
    event_id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL
        CHECK (kind IN ('raised', 'updated', 'acknowledged', 'snoozed', 'cleared', 'reopened')),
    at timestamptz NOT NULL,
    by text,
    level text NOT NULL,
    until timestamptz,
    command_id text,
    PRIMARY KEY (tenant_id, alert_id, event_id),
    FOREIGN KEY (tenant_id, alert_id) REFERENCES dashboard.alert ON DELETE CASCADE
);
CREATE UNIQUE INDEX alert_event_command ON dashboard.alert_event (tenant_id, command_id) WHERE command_id IS NOT NULL;
COMMENT ON TABLE dashboard.alert_event IS
    'What became of each alert, and by whom; updated: its level changed. A command counts once, however often it is run.';

CREATE TABLE dashboard.subscription (
    tenant_id text NOT NULL,
    subject text NOT NULL,
    levels text[],
    metrics text[],
    PRIMARY KEY (tenant_id, subject)
);
COMMENT ON TABLE dashboard.subscription IS
    'Which alerts a person (the subject of the token) is told of. Null: of every level, of every metric.';
"""

# Set by the operator or the host product, in SQL or with bin/dash; the limits are those of shared/thresholds.py.
THRESHOLD = """
CREATE TABLE dashboard.threshold (
    tenant_id text NOT NULL,
    rule text NOT NULL,
    value numeric NOT NULL,
    PRIMARY KEY (tenant_id, rule),
    CONSTRAINT threshold_value CHECK (CASE rule
        WHEN 'overdue_count' THEN value BETWEEN 0 AND 1000000 AND value = trunc(value)
        WHEN 'overdue_amount' THEN value BETWEEN 0.0001 AND 1e15 AND value = trunc(value, 4)
        WHEN 'profit_floor' THEN value BETWEEN -1e15 AND 1e15 AND value = trunc(value, 4)
        WHEN 'revenue_growth' THEN value BETWEEN 0.0001 AND 1000000 AND value = trunc(value, 4)
        WHEN 'cash_below' THEN value BETWEEN -1e15 AND 1e15 AND value = trunc(value, 4)
        WHEN 'large_overdue_invoice' THEN value BETWEEN 0.0001 AND 1e15 AND value = trunc(value, 4)
        WHEN 'quote_expiring' THEN value BETWEEN 0 AND 90 AND value = trunc(value)
        WHEN 'monthly_revenue_target' THEN value BETWEEN 0.0001 AND 1e15 AND value = trunc(value, 4)
        ELSE false END)
);
COMMENT ON TABLE dashboard.threshold IS
    'Where a tenant''s alert rules begin, in its base currency where it is money; effective at once. No row: the default.';
SELECT dashboard.track_changes('dashboard.threshold', 'tenant_id');
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(THRESHOLD)


def downgrade() -> None:
    for table in ("threshold", "subscription", "alert_event", "alert", "alert_board"):
        op.execute(f"DROP TABLE dashboard.{table}")
