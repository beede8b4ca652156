"""Change capture that harms no writer: its rights, its two-phase commits, its SERIALIZABLE transactions, its migrations."""

import runpy
from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Two functions, so that what is the host's and what is Daybook's never meet. see_change runs at the writer's own rights: it
# asks of the changed rows whose they are, whatever types, casts, functions or row level security that may involve, and
# leaves the answer in a setting of the transaction. note_change runs at Daybook's rights and touches nothing but that text.
#
# No NOTIFY: PREPARE TRANSACTION refuses it. Nothing of Daybook's is read: two SERIALIZABLE writers would conflict over it.
# What cannot be found out (a column is gone, a right is missing) makes everyone due instead of failing the writer; no row
# is written inside of the block that catches it, since that would cost the writer a subtransaction id for each statement.
NOTING = """
CREATE FUNCTION dashboard.see_change() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    changed pg_catalog.text[];
BEGIN
    BEGIN
        EXECUTE TG_ARGV[0] INTO changed;
        changed := coalesce(nullif(pg_catalog.current_setting('dashboard.changed', true), ''), '{}')::pg_catalog.text[]
            || changed;
    EXCEPTION WHEN OTHERS THEN
        changed := '{*}';
    END;
    PERFORM pg_catalog.set_config('dashboard.changed', changed::pg_catalog.text, true);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION dashboard.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed pg_catalog.text := nullif(pg_catalog.current_setting('dashboard.changed', true), '');
BEGIN
    IF TG_OP = 'TRUNCATE' OR changed IS NULL THEN
        changed := '{*}';
    END IF;
    IF changed <> '{}' THEN
        INSERT INTO dashboard.change (tenant_id) SELECT pg_catalog.unnest(changed::pg_catalog.text[]);
    END IF;
    PERFORM pg_catalog.set_config('dashboard.changed', '', true);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION dashboard.see_change IS
    'Asks, at the rights of whoever writes, whose rows a statement has changed; see dashboard.note_change.';
COMMENT ON FUNCTION dashboard.note_change IS
    'Writes down whose rows a statement has changed, as dashboard.see_change has found; everyone''s where that is not known.';
"""

# What see_change asks is written when a table is tracked and stands in its trigger, readable by everybody:
# (query, tenant expression, watched columns). Tenants are compared byte by byte, whatever the collation of their column.
#
# An UPDATE makes a tenant due when the multiset of its rows, in the columns that count, is not the same before and after;
# so no key need be known. A sum of 64-bit hashes stands for the multiset: one pass, no memory for each row.
TRACKING = """
CREATE FUNCTION dashboard.contract_tables() RETURNS pg_catalog.name[] LANGUAGE sql IMMUTABLE AS $$
    SELECT '{tenant,client,invoice,payment,allocation,expense,quote,recurring,fx_rate}'::pg_catalog.name[]
$$;
COMMENT ON FUNCTION dashboard.contract_tables IS 'The tables of the contract, any of which may be a view of the host''s.';

CREATE FUNCTION dashboard.columns_of(tracked regclass) RETURNS pg_catalog.text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute
    WHERE attrelid = tracked AND attnum > 0 AND NOT attisdropped
$$;
COMMENT ON FUNCTION dashboard.columns_of IS 'The names of a table''s columns.';

CREATE FUNCTION dashboard.with_parts(tracked regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE parts AS (
        SELECT tracked::oid AS part
        UNION
        SELECT inhrelid FROM parts JOIN pg_inherits ON inhparent = part
    )
    SELECT part::regclass FROM parts
$$;
COMMENT ON FUNCTION dashboard.with_parts IS
    'The table and its partitions, for what is written straight into a partition fires no trigger of the table.';

CREATE FUNCTION dashboard.columns_read(
    tracked regclass, OUT columns pg_catalog.text[], OUT views pg_catalog.oid[], OUT mapping pg_catalog.text
) LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE reading AS (
        SELECT oid FROM pg_class
        WHERE relnamespace = 'dashboard'::regnamespace AND relname = ANY (dashboard.contract_tables())
            AND relkind IN ('v', 'm')
        UNION
        SELECT inner_view.oid
        FROM reading
        JOIN pg_rewrite AS rule ON rule.ev_class = reading.oid
        JOIN pg_depend AS used ON used.classid = 'pg_rewrite'::regclass AND used.objid = rule.oid
            AND used.refclassid = 'pg_class'::regclass
        JOIN pg_class AS inner_view ON inner_view.oid = used.refobjid AND inner_view.relkind IN ('v', 'm')
    ),
    rules AS (
        SELECT rule.oid, rule.xmin, rule.ev_class, rule.ev_action::text AS action
        FROM reading JOIN pg_rewrite AS rule ON rule.ev_class = reading.oid
    ),
    used AS (
        SELECT rules.action, depend.refclassid, depend.refobjid, depend.refobjsubid
        FROM rules JOIN pg_depend AS depend ON depend.classid = 'pg_rewrite'::regclass AND depend.objid = rules.oid
    )
    SELECT
        CASE WHEN NOT EXISTS (
            SELECT FROM used
            WHERE refclassid = 'pg_class'::regclass AND refobjid = tracked AND action ~ 'varattno 0 '
        ) AND NOT EXISTS (
            SELECT FROM used JOIN pg_proc ON pg_proc.oid = refobjid
            WHERE refclassid = 'pg_proc'::regclass
                AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'dashboard'::regnamespace)
        ) THEN (
            SELECT array_agg(DISTINCT attname::text)
            FROM used JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
            WHERE refclassid = 'pg_class'::regclass AND refobjid = tracked AND refobjsubid > 0 AND NOT attisdropped
        ) END,
        coalesce((SELECT array_agg(oid) FROM reading), '{}'),
        (SELECT string_agg(oid || '/' || xmin, ' ' ORDER BY oid) FROM rules)
$$;
COMMENT ON FUNCTION dashboard.columns_read IS
    'Which columns of the table the views of the contract use, directly or through other views; null where that cannot be '
    'known (no view uses it, one takes whole rows, one calls functions). With it these views, and the state of their rules.';

CREATE FUNCTION dashboard.row_that_counts(tracked regclass, watched pg_catalog.text[]) RETURNS pg_catalog.text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole CONSTANT text := 'ROW(changed_row.*)::text';
    found record;
    counting text[] := watched;
    still_so text;
    counted text;
BEGIN
    IF watched IS NULL THEN
        found := dashboard.columns_read(tracked);
        IF found.columns IS NOT NULL THEN
            counting := found.columns;
            still_so := format(
                '(SELECT string_agg(rule.oid || ''/'' || rule.xmin, '' '' ORDER BY rule.oid)
                  FROM pg_catalog.pg_rewrite AS rule
                  WHERE rule.ev_class = ANY (%L::oid[] || ARRAY(
                      SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = %s AND relname = ANY (%L::name[])))) = %L',
                found.views, 'dashboard'::regnamespace::oid, dashboard.contract_tables(), found.mapping);
        ELSIF 'updated_at' = ANY (dashboard.columns_of(tracked)) THEN
            counting := dashboard.columns_of(tracked);
            IF (SELECT relnamespace FROM pg_class WHERE oid = tracked) <> 'dashboard'::regnamespace THEN
                still_so := format(
                    'ARRAY(SELECT attname::text FROM pg_catalog.pg_attribute
                           WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attname) = %L::text[]',
                    tracked::oid, counting);
            END IF;
        ELSE
            RETURN whole;
        END IF;
        counting := array_remove(counting, 'updated_at');
    END IF;
    SELECT format('ROW(%s)::text', string_agg(format('changed_row.%I', name), ', ')) INTO counted
    FROM unnest(counting) AS name;
    RETURN coalesce('CASE WHEN ' || still_so || ' THEN ' || counted || ' ELSE ' || whole || ' END', counted);
END
$$;
COMMENT ON FUNCTION dashboard.row_that_counts IS
    'SQL for the text of what counts in a row changed_row: the watched columns, else those that the views of the contract '
    'use for as long as these views are what they are, else all but updated_at for as long as no column comes or goes (a '
    'migration that gives one to a table of the contract tracks that again).';

CREATE FUNCTION dashboard.track_changes(
    tracked regclass, tenant_expression pg_catalog.text, columns pg_catalog.text[] DEFAULT NULL
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tenant text;
    row_text text;
    missing text;
    part regclass;
    rows_of CONSTANT text := 'SELECT array_agg(tenant_id) FROM (SELECT DISTINCT %s AS tenant_id FROM %s AS changed_row) AS due
        WHERE tenant_id IS NOT NULL';
    about text;
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
    about := format('%L, %L', tenant_expression, coalesce(columns::text, ''));
    FOR part IN SELECT dashboard.with_parts(tracked) LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER dashboard_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS rows_after
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.see_change(%L, %s)',
            part, format(rows_of, tenant, 'rows_after'), about);
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER dashboard_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS rows_before
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.see_change(%L, %s)',
            part, format(rows_of, tenant, 'rows_before'), about);
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER dashboard_update AFTER UPDATE ON %s
             REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.see_change(%L, %s)',
            part, format(
                'SELECT array_agg(tenant_id) FROM (
                     SELECT tenant_id FROM (
                         SELECT %1$s AS tenant_id, true AS earlier, hashtextextended(%2$s, 0) AS digest
                         FROM rows_before AS changed_row
                         UNION ALL
                         SELECT %1$s, false, hashtextextended(%2$s, 0) FROM rows_after AS changed_row
                     ) AS seen
                     WHERE tenant_id IS NOT NULL GROUP BY tenant_id
                     HAVING sum(digest) FILTER (WHERE earlier) IS DISTINCT FROM sum(digest) FILTER (WHERE NOT earlier)
                 ) AS due', tenant, row_text), about);
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER dashboard_insert_noted AFTER INSERT ON %1$s
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change();
             CREATE OR REPLACE TRIGGER dashboard_delete_noted AFTER DELETE ON %1$s
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change();
             CREATE OR REPLACE TRIGGER dashboard_update_noted AFTER UPDATE ON %1$s
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change();
             CREATE OR REPLACE TRIGGER dashboard_truncate AFTER TRUNCATE ON %1$s
             FOR EACH STATEMENT EXECUTE FUNCTION dashboard.note_change()', part);
    END LOOP;
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
COMMENT ON FUNCTION dashboard.track_changes IS
    'Make each committed change of the table''s rows recompute their tenants. tenant_expression: the column that holds the '
    'tenant''s id, an SQL expression over the row changed_row that yields it (null: nobody''s), or ''*'': everyone. columns: '
    'an UPDATE of others changes nothing; not given, those that the views of the contract use, else all but updated_at.';

CREATE FUNCTION dashboard.untrack_changes(tracked regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part regclass;
    found record;
BEGIN
    FOR part IN SELECT dashboard.with_parts(tracked) LOOP
        FOR found IN
            SELECT tgname, CASE WHEN tgtype & 4 > 0 THEN 'INSERT' WHEN tgtype & 8 > 0 THEN 'DELETE'
                                WHEN tgtype & 16 > 0 THEN 'UPDATE' ELSE 'TRUNCATE' END AS event
            FROM pg_trigger
            WHERE tgrelid = part AND tgfoid IN ('dashboard.see_change'::regproc, 'dashboard.note_change'::regproc)
        LOOP
            BEGIN
                EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, part);
            EXCEPTION WHEN insufficient_privilege THEN
                EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH STATEMENT WHEN (false)
                                EXECUTE FUNCTION dashboard.note_change()', found.tgname, found.event, part);
            END;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dashboard.untrack_changes IS
    'Undo dashboard.track_changes. Only a table''s owner may drop its triggers: for anyone else they are switched off.';
"""

# Only the owner of the schema may call these, or put the trigger functions on a table. A trigger that is there runs for
# every writer.
CLOSED = (
    "see_change()",
    "note_change()",
    "contract_tables()",
    "columns_of(regclass)",
    "with_parts(regclass)",
    "columns_read(regclass)",
    "row_that_counts(regclass, text[])",
    "track_changes(regclass, text, text[])",
    "untrack_changes(regclass)",
)

# What is tracked already is tracked anew. On a table where we may no longer make triggers the old ones stay: they note
# everyone until track_changes is called by someone who may.
TRACK_AGAIN = """
DO $$
DECLARE
    known record;
BEGIN
    FOR known IN
        SELECT tgrelid::pg_catalog.regclass AS tracked,
               pg_catalog.convert_from(pg_catalog.btrim(tgargs, '\\x00'), pg_catalog.getdatabaseencoding()) AS tenant_column
        FROM pg_catalog.pg_trigger
        WHERE tgname = 'dashboard_insert' AND tgfoid = 'dashboard.note_change'::pg_catalog.regproc
    LOOP
        BEGIN
            PERFORM dashboard.track_changes(known.tracked, known.tenant_column);
        EXCEPTION WHEN insufficient_privilege OR undefined_column THEN
            RAISE WARNING 'every change of % makes everyone due until track_changes is called again: %',
                known.tracked, SQLERRM;
        END;
    END LOOP;
END
$$;
"""


def _functions_before() -> str:
    before: str = runpy.run_path(str(Path(__file__).with_name("0002_changes.py")))["FUNCTIONS"]
    return before


def upgrade() -> None:
    op.execute("DROP FUNCTION dashboard.track_changes, dashboard.untrack_changes")
    op.execute(NOTING)
    op.execute(TRACKING)
    for function in CLOSED:
        op.execute(f"REVOKE ALL ON FUNCTION dashboard.{function} FROM PUBLIC")
    op.execute(TRACK_AGAIN)


def downgrade() -> None:
    op.execute(
        """
        CREATE TEMP TABLE tracked ON COMMIT DROP AS
        SELECT tgrelid, pg_catalog.split_part(pg_catalog.encode(tgargs, 'escape'), '\\000', 2) AS tenant_column
        FROM pg_catalog.pg_trigger
        WHERE tgname = 'dashboard_insert' AND tgfoid = 'dashboard.see_change'::pg_catalog.regproc;
        SELECT dashboard.untrack_changes(tgrelid) FROM tracked;
        """
    )
    for function in reversed(CLOSED):
        op.execute(f"DROP FUNCTION dashboard.{function}")
    op.execute(_functions_before())
    op.execute(
        """
        SELECT dashboard.track_changes(tgrelid, tenant_column)
        FROM tracked JOIN pg_catalog.pg_attribute ON attrelid = tgrelid AND attname = tenant_column
        """
    )
