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

# As in 0006, with the third answer to what dashboard.days_of asks. A `*` among the documents stands for any.
NOTING = """
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


def upgrade() -> None:
    """Note of each change which documents it names; what is pending, or written by an older version, names none: it may be
    any."""
    for script in (TABLES, REMEMBERING, RIGHTS, NOTING):
        op.execute(script)


def downgrade() -> None:
    """Name none."""
    before: str = runpy.run_path(str(Path(__file__).with_name("0006_periods.py")))["SEEING"]
    first = before.index("CREATE OR REPLACE FUNCTION dashboard.note_change")
    op.execute(before[first : before.index("REVOKE ALL", first)])
    op.execute("DROP TRIGGER documents_remembered ON dashboard.change")
    op.execute("DROP TRIGGER documents_forgotten ON dashboard.change")
    op.execute("DROP FUNCTION dashboard.remember_documents")
    op.execute("DROP TABLE dashboard.unsettled, dashboard.unsettled_book")
    op.execute("ALTER TABLE dashboard.change DROP COLUMN named_documents")
