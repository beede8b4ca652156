"""Which documents may not be settled: kept by the workers, from the documents that each change names."""

import runpy
from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE dashboard.change ADD COLUMN named_documents text[];
COMMENT ON COLUMN dashboard.change.named_documents IS
    'Documents whose balance, or whose links, may be other ones now; empty: none, null: nobody knows.';

CREATE TABLE dashboard.unsettled_book (
    tenant_id text PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    made_at timestamptz,
    day date,
    documents integer,
    capture text
);
COMMENT ON TABLE dashboard.unsettled_book IS
    'Of which tenants unsettled documents are kept. begun_at: since then changes add theirs; made_at: when all of the books '
    'were looked through; day: as of the end of which day; documents: how many there were; capture: by which triggers '
    'changes have been noted since.';

CREATE TABLE dashboard.unsettled (
    tenant_id text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    document_id text,
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE dashboard.unsettled IS
    'Invoices, credit notes, payments and refunds of which something may be open or left over: all of those, perhaps more, '
    'and one perhaps more than once. Rows are added and taken away, never changed. A null stands for any document.';
"""

# What a change names moves here in the transaction that forgets the change, whoever forgets it: so every state of the
# database has it in one place or the other. Nothing is locked and nothing compared, hence nothing to wait for. A book that
# was not made for two days is one that nobody reads any more (workers/unsettled/known.py).
REMEMBERING = """
CREATE FUNCTION dashboard.remember_documents() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO dashboard.unsettled (tenant_id) SELECT book.tenant_id FROM dashboard.unsettled_book AS book;
    ELSIF OLD.tenant_id = '*' THEN
        INSERT INTO dashboard.unsettled (tenant_id, document_id)
        SELECT book.tenant_id, named.id
        FROM dashboard.unsettled_book AS book LEFT JOIN pg_catalog.unnest(OLD.named_documents) AS named (id) ON true;
    ELSIF EXISTS (
        SELECT FROM dashboard.unsettled_book AS book
        WHERE book.tenant_id = OLD.tenant_id AND book.begun_at > now() - interval '2 days'
    ) THEN
        INSERT INTO dashboard.unsettled (tenant_id, document_id)
        SELECT OLD.tenant_id, pg_catalog.unnest(coalesce(OLD.named_documents, '{NULL}'));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dashboard.remember_documents IS
    'Keeps the documents that a change names as perhaps unsettled when the change is forgotten.';
REVOKE ALL ON FUNCTION dashboard.remember_documents() FROM PUBLIC;

CREATE TRIGGER documents_remembered AFTER DELETE ON dashboard.change
FOR EACH ROW WHEN (OLD.named_documents IS DISTINCT FROM '{}') EXECUTE FUNCTION dashboard.remember_documents();
CREATE TRIGGER documents_forgotten AFTER TRUNCATE ON dashboard.change
FOR EACH STATEMENT EXECUTE FUNCTION dashboard.remember_documents();
"""

# Whoever may forget changes may keep what they name: at no moment would a running worker lack the right.
RIGHTS = """
DO $$
DECLARE
    worker pg_catalog.text;
BEGIN
    FOR worker IN
        SELECT DISTINCT pg_catalog.quote_ident(rolname)
        FROM pg_catalog.pg_class
        CROSS JOIN LATERAL pg_catalog.aclexplode(relacl) AS granted
        JOIN pg_catalog.pg_roles ON pg_roles.oid = grantee
        WHERE pg_class.oid = 'dashboard.change'::pg_catalog.regclass AND privilege_type = 'DELETE' AND grantee <> relowner
    LOOP
        EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON dashboard.unsettled, dashboard.unsettled_book TO ' || worker;
    END LOOP;
END
$$;
"""

# As in 0012, with a third answer: the documents themselves. A `*` among them stands for any.
SEEING = """
CREATE OR REPLACE FUNCTION dashboard.days_of(tracked regclass, changed_rows pg_catalog.text) RETURNS pg_catalog.text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN documents IS NULL THEN
            format('SELECT min(%s) AS day, NULL::text[] AS ids, NULL::text[] AS named FROM %s AS changed_row',
                   day, changed_rows)
        ELSE
            format('SELECT %s AS day, %s AS ids, listed.named FROM (
                        SELECT CASE WHEN count(*) > 500 THEN ''{*}'' ELSE array_agg(id) END AS named
                        FROM (SELECT DISTINCT unnest(%s) AS id FROM %s AS changed_row) AS document
                    ) AS listed',
                   coalesce('(SELECT min(' || day || ') FROM ' || changed_rows || ' AS changed_row)', 'NULL::date'),
                   CASE WHEN links THEN 'listed.named' ELSE 'NULL::text[]' END, documents, changed_rows)
        END
    FROM (VALUES
        ('invoice', 'issue_date', 'ARRAY[invoice_id::text]', true),
        ('payment', 'paid_on', 'ARRAY[payment_id::text]', false),
        ('expense', 'least(expense_date, paid_on)', NULL, false),
        ('fx_rate', 'rate_date', NULL, false),
        ('allocation', NULL, 'ARRAY[invoice_id::text, source_id::text]', true)
    ) AS dated (name, day, documents, links)
    JOIN pg_class ON relname = name AND relnamespace = 'dashboard'::regnamespace
    WHERE pg_class.oid = tracked
$$;

CREATE OR REPLACE FUNCTION dashboard.function_that_sees(question pg_catalog.text, days pg_catalog.text)
RETURNS pg_catalog.text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named CONSTANT text := 'see_change_' || md5(concat_ws(' ', question, days));
    seeing_days CONSTANT text := '
    BEGIN
        IF dashboard_changed <> ''{}'' THEN
            dashboard_old := nullif(current_setting(''dashboard.old'', true), '''')::jsonb;
            SELECT asked.day, asked.ids, asked.named INTO dashboard_day, dashboard_ids, dashboard_named
            FROM (' || days || ') AS asked;
            dashboard_old := jsonb_build_object(
                ''day'', CASE WHEN dashboard_old -> ''day'' = ''null'' THEN NULL
                            ELSE least(dashboard_day, (dashboard_old ->> ''day'')::date, ''infinity''::date) END,
                ''ids'', coalesce(dashboard_old -> ''ids'', ''[]'') || coalesce(to_jsonb(dashboard_ids), ''[]''),
                ''named'', coalesce(dashboard_old -> ''named'', ''[]'') || coalesce(to_jsonb(dashboard_named), ''[]''));
            PERFORM set_config(''dashboard.old'', dashboard_old::text, true);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        PERFORM set_config(''dashboard.old'', ''{"day": null, "ids": [], "named": ["*"]}'', true);
    END;';
BEGIN
    IF to_regproc('dashboard.' || named) IS NULL THEN
        EXECUTE format(
            'CREATE FUNCTION dashboard.%I() RETURNS trigger
             LANGUAGE plpgsql SECURITY INVOKER
             SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 SET datestyle = ''ISO'' AS %L',
            named, '
#variable_conflict use_column
DECLARE
    dashboard_changed text[];
    dashboard_day date;
    dashboard_ids text[];
    dashboard_named text[];
    dashboard_old jsonb;
BEGIN
    BEGIN
        dashboard_changed := (' || question || ');
        dashboard_changed := coalesce(nullif(current_setting(''dashboard.changed'', true), ''''), ''{}'')::text[]
            || dashboard_changed;
    EXCEPTION WHEN OTHERS THEN
        dashboard_changed := ''{*}'';
    END;' || coalesce(seeing_days, '') || '
    PERFORM set_config(''dashboard.changed'', dashboard_changed::text, true);
    RETURN NULL;
END
');
        EXECUTE format('REVOKE ALL ON FUNCTION dashboard.%I() FROM PUBLIC', named);
        EXECUTE format('COMMENT ON FUNCTION dashboard.%I IS %L', named,
            'Asks, at the rights of whoever writes, whose rows a statement has changed; see dashboard.note_change.');
    END IF;
    RETURN format('dashboard.%I', named);
END
$$;
CREATE OR REPLACE FUNCTION dashboard.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
    changed pg_catalog.text := nullif(pg_catalog.current_setting('dashboard.changed', true), '');
    old pg_catalog.text := nullif(pg_catalog.current_setting('dashboard.old', true), '');
    day pg_catalog.date;
    ids pg_catalog.text[];
    named pg_catalog.text[];
BEGIN
    IF TG_OP = 'TRUNCATE' OR changed IS NULL THEN
        changed := '{*}';
    END IF;
    IF TG_TABLE_SCHEMA = 'dashboard' AND TG_TABLE_NAME IN ('tenant', 'client', 'quote', 'recurring', 'threshold') THEN
        day := 'infinity';
        named := '{}';
    ELSIF TG_TABLE_SCHEMA = 'dashboard' AND TG_OP <> 'TRUNCATE' AND old IS NOT NULL THEN
        day := (old::pg_catalog.jsonb ->> 'day')::pg_catalog.date;
        ids := nullif(ARRAY(SELECT DISTINCT pg_catalog.jsonb_array_elements_text(old::pg_catalog.jsonb -> 'ids')), '{}');
        named := ARRAY(SELECT DISTINCT pg_catalog.jsonb_array_elements_text(
            coalesce(old::pg_catalog.jsonb -> 'named', '["*"]')));
    END IF;
    IF '*' = ANY (named) THEN
        named := NULL;
    END IF;
    IF changed <> '{}' THEN
        INSERT INTO dashboard.change (tenant_id, oldest_day, document_ids, named_documents)
        SELECT pg_catalog.unnest(changed::pg_catalog.text[]), day, ids, named;
    END IF;
    PERFORM pg_catalog.set_config('dashboard.changed', '', true), pg_catalog.set_config('dashboard.old', '', true);
    RETURN NULL;
END
$$;
"""


def _before(migration: str, name: str) -> str:
    sql: str = runpy.run_path(str(Path(__file__).with_name(migration)))[name]
    return sql


def upgrade() -> None:
    """Note of each change which documents it names; what is pending, or written by an older version, names none: it may be
    any."""
    for script in (TABLES, REMEMBERING, RIGHTS, SEEING, _before("0012_planned_once.py", "TRACK_AGAIN")):
        op.execute(script)


def downgrade() -> None:
    """Name none."""
    seeing = _before("0012_planned_once.py", "SEEING")
    for function in ("days_of", "function_that_sees"):
        first = seeing.index(f"CREATE FUNCTION dashboard.{function}")
        made = seeing[first : seeing.index(f"COMMENT ON FUNCTION dashboard.{function}", first)]
        op.execute(made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    noting = _before("0006_periods.py", "SEEING")
    first = noting.index("CREATE OR REPLACE FUNCTION dashboard.note_change")
    op.execute(noting[first : noting.index("REVOKE ALL", first)])
    op.execute(_before("0012_planned_once.py", "TRACK_AGAIN"))
    op.execute("DROP TRIGGER documents_remembered ON dashboard.change")
    op.execute("DROP TRIGGER documents_forgotten ON dashboard.change")
    op.execute("DROP FUNCTION dashboard.remember_documents")
    op.execute("DROP TABLE dashboard.unsettled, dashboard.unsettled_book")
    op.execute("ALTER TABLE dashboard.change DROP COLUMN named_documents")
