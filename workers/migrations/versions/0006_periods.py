"""Totals of past days, which changes name the oldest day that they touch; alerts as data beside their text."""

import runpy
from pathlib import Path

from alembic import op

from workers.migrations.relations import is_table

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ALERTS = """
ALTER TABLE dashboard.alert ADD COLUMN params text NOT NULL DEFAULT '{}';
COMMENT ON COLUMN dashboard.alert.params IS
    'What the message says, as a JSON object, so that a reader can say it in other words.';
"""

# Amounts are exact: each document's was rounded when it became base units. What has no rate stands in rows of its own.
TOTALS = """
CREATE TABLE dashboard.day_total (
    tenant_id text NOT NULL,
    day date NOT NULL,
    no_rate text NOT NULL,
    revenue numeric NOT NULL,
    revenue_documents integer NOT NULL,
    revenue_in_part boolean NOT NULL,
    expenses numeric NOT NULL,
    expenses_documents integer NOT NULL,
    money_in numeric NOT NULL,
    money_in_documents integer NOT NULL,
    money_out numeric NOT NULL,
    money_out_documents integer NOT NULL,
    since date,
    PRIMARY KEY (tenant_id, day, no_rate)
);
COMMENT ON TABLE dashboard.day_total IS
    'What a past day came to on the tenant''s basis, in base units; no_rate: the currency of what has no rate, else '
    'empty; since: the first day for which that rate was looked for.';

CREATE TABLE dashboard.day_book (
    tenant_id text PRIMARY KEY,
    base_currency text,
    on_cash boolean,
    kept_through date,
    kept_at timestamptz,
    stale_since timestamptz
);
COMMENT ON TABLE dashboard.day_book IS
    'Up to which day a tenant''s totals are kept, in what currency and on which basis. stale_since: from then on something '
    'may have changed of which nobody could say when it happened.';

ALTER TABLE dashboard.change ADD COLUMN oldest_day date, ADD COLUMN document_ids text[];
COMMENT ON COLUMN dashboard.change.oldest_day IS
    'The oldest day that the change touches; infinity: none, null: nobody knows.';
COMMENT ON COLUMN dashboard.change.document_ids IS
    'Documents whose links decide on which days money counted as revenue; null: none.';
"""

# Two steps as in 0005: see_days asks at the writer's own rights, of the changed rows alone, and leaves the answer in a
# setting; note_change writes it down. What cannot be found out is not known, and never fails a writer.
SEEING = """
CREATE FUNCTION dashboard.see_days() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
    before pg_catalog.jsonb := nullif(pg_catalog.current_setting('dashboard.old', true), '')::pg_catalog.jsonb;
    day pg_catalog.date;
    ids pg_catalog.text[];
BEGIN
    BEGIN
        EXECUTE TG_ARGV[0] INTO day, ids;
        before := pg_catalog.jsonb_build_object(
            'day', least(day, (before ->> 'day')::pg_catalog.date, 'infinity'::pg_catalog.date),
            'ids', coalesce(before -> 'ids', '[]') || coalesce(pg_catalog.to_jsonb(ids), '[]'));
    EXCEPTION WHEN OTHERS THEN
        before := '{"day": null, "ids": []}';
    END;
    PERFORM pg_catalog.set_config('dashboard.old', before::pg_catalog.text, true);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dashboard.see_days IS
    'Asks, at the rights of whoever writes, which days a statement''s rows belong to; see dashboard.note_change.';

CREATE OR REPLACE FUNCTION dashboard.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
    changed pg_catalog.text := nullif(pg_catalog.current_setting('dashboard.changed', true), '');
    old pg_catalog.text := nullif(pg_catalog.current_setting('dashboard.old', true), '');
    day pg_catalog.date;
    ids pg_catalog.text[];
BEGIN
    IF TG_OP = 'TRUNCATE' OR changed IS NULL THEN
        changed := '{*}';
    END IF;
    IF TG_TABLE_SCHEMA = 'dashboard' AND TG_TABLE_NAME IN ('tenant', 'client', 'quote', 'recurring', 'threshold') THEN
        day := 'infinity';
    ELSIF TG_TABLE_SCHEMA = 'dashboard' AND TG_OP <> 'TRUNCATE' AND old IS NOT NULL THEN
        day := (old::pg_catalog.jsonb ->> 'day')::pg_catalog.date;
        ids := nullif(ARRAY(SELECT DISTINCT pg_catalog.jsonb_array_elements_text(old::pg_catalog.jsonb -> 'ids')), '{}');
    END IF;
    IF changed <> '{}' THEN
        INSERT INTO dashboard.change (tenant_id, oldest_day, document_ids)
        SELECT pg_catalog.unnest(changed::pg_catalog.text[]), day, ids;
    END IF;
    PERFORM pg_catalog.set_config('dashboard.changed', '', true), pg_catalog.set_config('dashboard.old', '', true);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION dashboard.see_days() FROM PUBLIC;
"""

# The day of a row, and the documents whose links it may move. A payment moves nothing before its own day; an invoice may
# have been paid before it was issued, and an allocation has no day of its own.
DAYS = {
    "invoice": ("issue_date", "ARRAY[invoice_id::text]"),
    "payment": ("paid_on", None),
    "expense": ("least(expense_date, paid_on)", None),
    "fx_rate": ("rate_date", None),
    "allocation": (None, "ARRAY[invoice_id::text, source_id::text]"),
}
ROWS = {
    "insert": "(SELECT * FROM rows_after)",
    "delete": "(SELECT * FROM rows_before)",
    "update": "(SELECT * FROM rows_before UNION ALL SELECT * FROM rows_after)",
}
TRANSITIONS = {
    "insert": "NEW TABLE AS rows_after",
    "delete": "OLD TABLE AS rows_before",
    "update": "OLD TABLE AS rows_before NEW TABLE AS rows_after",
}
# Of more documents than that it is cheaper to look at all days anew.
MOST_IDS = 500


def _question(table: str, event: str) -> str:
    day, ids = DAYS[table]
    oldest = f"min({day})" if day else "NULL::date"
    named = f"SELECT DISTINCT unnest({ids}) AS id FROM {ROWS[event]} AS changed"  # noqa: S608 (our words)
    most = f"CASE WHEN count(*) > {MOST_IDS} THEN '{{*}}' ELSE array_agg(id) END"
    listed = f"(SELECT {most} FROM ({named}) AS named)" if ids else "NULL::text[]"  # noqa: S608 (the same)
    return f"SELECT {oldest}, {listed} FROM {ROWS[event]} AS changed_row"  # noqa: S608 (our words)


def upgrade() -> None:
    op.execute(ALERTS)
    op.execute(TOTALS)
    op.execute(SEEING)
    for table in filter(is_table, DAYS):
        for event, transition in TRANSITIONS.items():
            # Triggers of one event fire in the order of their names: this one before dashboard_…_noted.
            question = _question(table, event).replace("'", "''")
            op.execute(
                f"CREATE TRIGGER dashboard_days_{event} AFTER {event.upper()} ON dashboard.{table} REFERENCING {transition} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION dashboard.see_days('{question}')"
            )


def downgrade() -> None:
    for table in filter(is_table, DAYS):
        for event in TRANSITIONS:
            op.execute(f"DROP TRIGGER IF EXISTS dashboard_days_{event} ON dashboard.{table}")
    before: str = runpy.run_path(str(Path(__file__).with_name("0005_capture.py")))["NOTING"]
    start = before.index("CREATE OR REPLACE FUNCTION dashboard.note_change")
    op.execute(before[start : before.index("COMMENT ON FUNCTION", start)])
    op.execute("DROP FUNCTION dashboard.see_days")
    op.execute("DROP TABLE dashboard.day_total, dashboard.day_book")
    op.execute("ALTER TABLE dashboard.change DROP COLUMN oldest_day, DROP COLUMN document_ids")
    op.execute("ALTER TABLE dashboard.alert DROP COLUMN params")
