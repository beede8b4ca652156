"""What the triggers ask of a statement's rows is planned once for each connection, instead of at each statement."""

import runpy
from pathlib import Path

from alembic import op

from workers.migrations.relations import is_table

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Until here a question stood in the trigger's arguments, and was parsed and planned at every statement: four fifths of what
# capture cost a writer of single rows. Now it is the body of a function: PL/pgSQL keeps the plan as long as the connection
# lives, one for each table, and makes it anew when the table changes. What a question cannot find out is caught as before.
#
# A function is named after what it asks, so it never changes, and tables that are asked the same share one. The arguments
# of the trigger still tell the question; nobody runs them.
#
# Whatever a row's columns are called, they are meant in a question: #variable_conflict use_column.
SEEING = """
CREATE FUNCTION dashboard.days_of(tracked regclass, changed_rows pg_catalog.text) RETURNS pg_catalog.text
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
COMMENT ON FUNCTION dashboard.days_of IS
    'SQL for the oldest day that changed rows of a table of the contract belong to, for the documents whose links they may '
    'move (a payment moves nothing before its own day; an invoice may have been paid before it was issued, and an '
    'allocation has no day of its own), and for those whose balance may be another one. Of more than 500 documents it is '
    'cheaper to look at all: they are told by *. Null for any other table.';

CREATE FUNCTION dashboard.function_that_sees(question pg_catalog.text, days pg_catalog.text)
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
COMMENT ON FUNCTION dashboard.function_that_sees IS
    'The name of the trigger function that asks these questions, made if it is not there yet.';

CREATE FUNCTION dashboard.forget_unused() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unused regprocedure;
BEGIN
    FOR unused IN
        SELECT oid FROM pg_proc
        WHERE pronamespace = 'dashboard'::regnamespace AND proname LIKE 'see\\_change\\_%'
            AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgfoid = pg_proc.oid)
    LOOP
        BEGIN
            EXECUTE format('DROP FUNCTION %s', unused);
        EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist THEN
            NULL;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dashboard.forget_unused IS
    'Drop the functions of dashboard.function_that_sees that no trigger uses; one that somebody else made stays.';
"""

TRACKING = """
CREATE OR REPLACE FUNCTION dashboard.track_changes(
    tracked regclass, tenant_expression pg_catalog.text, columns pg_catalog.text[] DEFAULT NULL
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant text;
    row_text text;
    missing text;
    part regclass;
    asked record;
    rows_of CONSTANT text := 'SELECT array_agg(tenant_id) FROM (SELECT DISTINCT %s AS tenant_id FROM %s AS changed_row) AS due
        WHERE tenant_id IS NOT NULL';
BEGIN
    SELECT name INTO missing FROM unnest(columns) AS name WHERE name <> ALL (dashboard.columns_of(tracked)) LIMIT 1;
    IF missing IS NULL AND tenant_expression <> '*' AND tenant_expression <> ALL (dashboard.columns_of(tracked))
        AND tenant_expression ~ '^[\\w$ ]+$'
    THEN
        missing := tenant_expression;
    END IF;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'table % has no column %', tracked, missing USING ERRCODE = 'undefined_column';
    END IF;
    tenant := CASE
        WHEN tenant_expression = '*' THEN quote_literal('*')
        WHEN tenant_expression = ANY (dashboard.columns_of(tracked)) THEN format('changed_row.%I', tenant_expression)
        ELSE format('(%s)', tenant_expression)
    END || '::text COLLATE "C"';
    row_text := dashboard.row_that_counts(tracked, columns) || ' COLLATE "C"';
    BEGIN
        EXECUTE format('SELECT %s, %s FROM %s AS changed_row LIMIT 0', tenant, row_text, tracked);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE '% may not be read by %, so what is said of its columns could not be tried', tracked, current_user;
    END;
    FOR asked IN
        SELECT 'insert' AS event, 'NEW TABLE AS rows_after' AS transitions, format(rows_of, tenant, 'rows_after') AS question,
               dashboard.days_of(tracked, 'rows_after') AS days
        UNION ALL
        SELECT 'delete', 'OLD TABLE AS rows_before', format(rows_of, tenant, 'rows_before'),
               dashboard.days_of(tracked, 'rows_before')
        UNION ALL
        SELECT 'update', 'OLD TABLE AS rows_before NEW TABLE AS rows_after', format(
                   'SELECT array_agg(tenant_id) FROM (
                        SELECT tenant_id FROM (
                            SELECT %1$s AS tenant_id, true AS earlier, hashtextextended(%2$s, 0) AS digest
                            FROM rows_before AS changed_row
                            UNION ALL
                            SELECT %1$s, false, hashtextextended(%2$s, 0) FROM rows_after AS changed_row
                        ) AS seen
                        WHERE tenant_id IS NOT NULL GROUP BY tenant_id
                        HAVING sum(digest) FILTER (WHERE earlier) IS DISTINCT FROM sum(digest) FILTER (WHERE NOT earlier)
                    ) AS due', tenant, row_text),
               dashboard.days_of(tracked, '(SELECT * FROM rows_before UNION ALL SELECT * FROM rows_after)')
    LOOP
        FOR part IN SELECT dashboard.with_parts(tracked) LOOP
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER dashboard_%1$s AFTER %1$s ON %2$s REFERENCING %3$s
                 FOR EACH STATEMENT EXECUTE FUNCTION %4$s(%5$L, %6$L, %7$L);
                 CREATE OR REPLACE TRIGGER dashboard_%1$s_noted AFTER %1$s ON %2$s
                 FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change();
                 CREATE OR REPLACE TRIGGER dashboard_truncate AFTER TRUNCATE ON %2$s
                 FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change()',
                asked.event, part, asked.transitions, dashboard.function_that_sees(asked.question, asked.days),
                asked.question, tenant_expression, coalesce(columns::text, ''));
        END LOOP;
    END LOOP;
    PERFORM dashboard.forget_unused();
    IF EXISTS (SELECT FROM pg_class WHERE oid = tracked AND relkind = 'p') THEN
        RAISE NOTICE 'rows that come or go with a partition of % (ATTACH, DETACH, DROP), and what is written straight into '
            'one made after this, are not noted: track it again then, and run bin/dash recalculate --all', tracked;
    END IF;
    IF EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid IN (SELECT dashboard.with_parts(tracked))) THEN
        RAISE NOTICE 'rows that a subscription brings into % are not noted: PostgreSQL fires only triggers of rows for them',
            tracked;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION dashboard.untrack_changes(tracked regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part regclass;
    found record;
BEGIN
    FOR part IN SELECT dashboard.with_parts(tracked) LOOP
        FOR found IN
            SELECT tgname, CASE WHEN tgtype & 4 > 0 THEN 'INSERT' WHEN tgtype & 8 > 0 THEN 'DELETE'
                                WHEN tgtype & 16 > 0 THEN 'UPDATE' ELSE 'TRUNCATE' END AS event
            FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
            WHERE tgrelid = part AND pronamespace = 'dashboard'::regnamespace
                AND (proname = 'note_change' OR proname LIKE 'see\\_change%')
        LOOP
            BEGIN
                EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, part);
            EXCEPTION WHEN insufficient_privilege THEN
                EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH STATEMENT WHEN (false)
                                EXECUTE FUNCTION dashboard.note_change()', found.tgname, found.event, part);
            END;
        END LOOP;
    END LOOP;
    PERFORM dashboard.forget_unused();
END
$$;
"""

# What is tracked already is tracked anew. On a host's table where we may no longer make triggers the old ones stay, and go on
# asking as they did, through see_change, until track_changes is called by someone who may.
TRACK_AGAIN = """
DO $$
DECLARE
    known record;
BEGIN
    FOR known IN
        SELECT tracked, convert_from(decode(arguments[2], 'escape'), getdatabaseencoding()) AS tenant_expression,
               nullif(convert_from(decode(arguments[3], 'escape'), getdatabaseencoding()), '')::text[] AS columns
        FROM (
            SELECT tgrelid::regclass AS tracked, string_to_array(encode(tgargs, 'escape'), '\\000') AS arguments
            FROM pg_trigger
            WHERE tgname = 'dashboard_insert'
                AND tgfoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'dashboard'::regnamespace
                                   AND proname LIKE 'see\\_change%')
                AND NOT EXISTS (SELECT FROM pg_inherits JOIN pg_trigger AS above ON above.tgrelid = inhparent
                                WHERE inhrelid = pg_trigger.tgrelid AND above.tgname = 'dashboard_insert')
        ) AS found
    LOOP
        BEGIN
            PERFORM dashboard.track_changes(known.tracked, known.tenant_expression, known.columns);
        EXCEPTION WHEN insufficient_privilege OR undefined_column THEN
            RAISE WARNING 'capture costs the writers of % what it did until track_changes is called again: %',
                known.tracked, SQLERRM;
        END;
    END LOOP;
END
$$;
"""
OLD_FUNCTIONS = ("see_change", "see_days")
CLOSED = ("days_of(regclass, text)", "function_that_sees(text, text)", "forget_unused()")


def _between(migration: str, name: str, start: str, end: str) -> str:
    """Part of what an earlier migration carried out."""
    sql: str = runpy.run_path(str(Path(__file__).with_name(migration)))[name]
    first = sql.index(start)
    return sql[first : sql.index(end, first)]


_DROP_DAYS_TRIGGERS = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT tgname, tgrelid::regclass AS tracked FROM pg_trigger WHERE tgfoid = to_regproc('dashboard.see_days')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.tracked);
    END LOOP;
END
$$
"""
_DROP_IF_UNUSED = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgfoid = to_regproc('dashboard.{function}')) THEN
        DROP FUNCTION IF EXISTS dashboard.{function}();
    END IF;
END
$$
"""


def upgrade() -> None:
    """Make the questions functions."""
    op.execute(SEEING)
    op.execute(TRACKING)
    for function in CLOSED:
        op.execute(f"REVOKE ALL ON FUNCTION dashboard.{function} FROM PUBLIC")
    op.execute(TRACK_AGAIN)
    op.execute(_DROP_DAYS_TRIGGERS)
    for function in OLD_FUNCTIONS:
        op.execute(_DROP_IF_UNUSED.format(function=function))


def downgrade() -> None:
    """Have the questions asked from the triggers' arguments again."""
    seeing = _between("0005_capture.py", "NOTING", "CREATE FUNCTION dashboard.see_change", "CREATE OR REPLACE")
    op.execute(seeing.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(_between("0006_periods.py", "SEEING", "CREATE FUNCTION dashboard.see_days", "COMMENT ON"))
    op.execute("REVOKE ALL ON FUNCTION dashboard.see_change(), dashboard.see_days() FROM PUBLIC")
    for name, end in (("track_changes", "COMMENT ON"), ("untrack_changes", "COMMENT ON")):
        before = _between("0005_capture.py", "TRACKING", f"CREATE FUNCTION dashboard.{name}", end)
        op.execute(before.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute(TRACK_AGAIN)
    periods = runpy.run_path(str(Path(__file__).with_name("0006_periods.py")))
    for table in filter(is_table, periods["DAYS"]):
        for event, transition in periods["TRANSITIONS"].items():
            question = periods["_question"](table, event).replace("'", "''")
            op.execute(
                f"CREATE TRIGGER dashboard_days_{event} AFTER {event.upper()} ON dashboard.{table} REFERENCING {transition} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION dashboard.see_days('{question}')"
            )
    op.execute("SELECT dashboard.forget_unused()")
    for function in reversed(CLOSED):
        op.execute(f"DROP FUNCTION dashboard.{function}")
