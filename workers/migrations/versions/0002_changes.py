"""Committed row changes make their tenants due: captured by statement-level triggers in the writer's own transaction."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Append-only: no unique key and no update, so two writers of one tenant never wait for each other here.
TABLES = """
CREATE TABLE dashboard.change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX change_tenant ON dashboard.change (tenant_id, id);
COMMENT ON TABLE dashboard.change IS
    'One row per tenant and changing statement, removed once a snapshot that has seen it is in Redis. ''*'': every tenant.';

CREATE TABLE dashboard.local_day (
    timezone text PRIMARY KEY,
    local_date date NOT NULL
);
COMMENT ON TABLE dashboard.local_day IS
    'The local date that each time zone in use was last seen at: when it moves on, the tenants there are due.';
"""

# SECURITY DEFINER: the host product's roles need no rights on dashboard.change to write their own tables.
# The listener is woken only when nothing older waits: it looks again by itself while anything waits, and NOTIFY takes a
# lock at commit that busy writers should not queue for.
FUNCTIONS = """
CREATE FUNCTION dashboard.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, dashboard AS $$
DECLARE
    first_id bigint;
    tenants text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        tenants := $q$SELECT '*'$q$;
    ELSIF TG_OP = 'UPDATE' THEN
        tenants := format('SELECT %1$I::text FROM rows_before UNION SELECT %1$I::text FROM rows_after', TG_ARGV[0]);
    ELSIF TG_OP = 'INSERT' THEN
        tenants := format('SELECT DISTINCT %I::text FROM rows_after', TG_ARGV[0]);
    ELSE
        tenants := format('SELECT DISTINCT %I::text FROM rows_before', TG_ARGV[0]);
    END IF;
    EXECUTE format(
        'WITH noted AS (
            INSERT INTO dashboard.change (tenant_id)
            SELECT tenant_id FROM (%s) AS changed (tenant_id) WHERE tenant_id IS NOT NULL
            RETURNING id
        ) SELECT min(id) FROM noted', tenants) INTO first_id;
    IF first_id IS NOT NULL AND NOT EXISTS (SELECT FROM dashboard.change WHERE id < first_id) THEN
        NOTIFY dashboard_change;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION dashboard.track_changes(tracked regclass, tenant_column name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, dashboard AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = tracked AND attname = tenant_column AND attnum > 0 AND NOT attisdropped
    ) THEN
        RAISE EXCEPTION 'table % has no column %', tracked, tenant_column USING ERRCODE = 'undefined_column';
    END IF;
    PERFORM dashboard.untrack_changes(tracked);
    EXECUTE format('CREATE TRIGGER dashboard_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS rows_after
        FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change(%L)', tracked, tenant_column);
    EXECUTE format('CREATE TRIGGER dashboard_update AFTER UPDATE ON %s
        REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
        FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change(%L)', tracked, tenant_column);
    EXECUTE format('CREATE TRIGGER dashboard_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS rows_before
        FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change(%L)', tracked, tenant_column);
    EXECUTE format('CREATE TRIGGER dashboard_truncate AFTER TRUNCATE ON %s
        FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change(%L)', tracked, tenant_column);
END
$$;
COMMENT ON FUNCTION dashboard.track_changes IS
    'Make each committed change of the table''s rows recompute their tenants. tenant_column holds the tenant''s id.';

CREATE FUNCTION dashboard.untrack_changes(tracked regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, dashboard AS $$
BEGIN
    EXECUTE format('DROP TRIGGER IF EXISTS dashboard_insert ON %s', tracked);
    EXECUTE format('DROP TRIGGER IF EXISTS dashboard_update ON %s', tracked);
    EXECUTE format('DROP TRIGGER IF EXISTS dashboard_delete ON %s', tracked);
    EXECUTE format('DROP TRIGGER IF EXISTS dashboard_truncate ON %s', tracked);
END
$$;
COMMENT ON FUNCTION dashboard.untrack_changes IS 'Undo dashboard.track_changes.';
"""

CONTRACT_TABLES = (
    "tenant",
    "client",
    "invoice",
    "payment",
    "allocation",
    "expense",
    "quote",
    "recurring",
    "fx_rate",
)


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    for table in CONTRACT_TABLES:
        op.execute(f"SELECT dashboard.track_changes('dashboard.{table}', 'tenant_id')")


def downgrade() -> None:
    for table in CONTRACT_TABLES:
        op.execute(f"SELECT dashboard.untrack_changes('dashboard.{table}')")
    for function in ("track_changes", "untrack_changes", "note_change"):
        op.execute(f"DROP FUNCTION dashboard.{function}")
    op.execute("DROP TABLE dashboard.change, dashboard.local_day")
