"""The SQL file that maps a host: rights and indexes first, then views and change capture; the same each time it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from psycopg import sql

from cli.hosts.catalogue import Catalogue, Columns, Parts
from cli.hosts.host import Host, quoted
from workers.contract import REQUIRED, TABLES

_LONGEST_LIST = 90
HOSTS_PART = "-- 1. By the owner of the host's tables: rights and indexes."
OUR_PART = "-- 2. By the owner of the schema dashboard: views and change capture."

# Views take the places of empty tables and of former views.
_MAKE_ROOM = """
DO $$
DECLARE
    relation text;
    kind "char";
    held boolean;
BEGIN
    FOREACH relation IN ARRAY {tables}::text[] LOOP
        SELECT relkind INTO kind FROM pg_class WHERE oid = to_regclass('dashboard.' || relation);
        IF kind IN ('r', 'p') THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM dashboard.%I)', relation) INTO held;
            IF held THEN
                RAISE EXCEPTION 'dashboard.% holds rows, and a view would take its place: empty it first', relation;
            END IF;
            EXECUTE format('DROP TABLE dashboard.%I', relation);
        ELSIF kind = 'v' THEN
            EXECUTE format('DROP VIEW dashboard.%I', relation);
        END IF;
    END LOOP;
END
$$;
"""

# When the host retypes a column, PostgreSQL rebuilds its indexes with casts: the views' expressions are not theirs any more.
# So each index carries what it was when it was made, and one that is something else by now, or invalid, makes room.
_DROP_STALE = """
DO $$
DECLARE
    stale regclass;
BEGIN
    FOR stale IN
        SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = {host}::regnamespace AND relname LIKE 'daybook\\_%' AND pg_has_role(relowner, 'USAGE')
            AND NOT relispartition
            AND (NOT indisvalid OR obj_description(indexrelid, 'pg_class') IS DISTINCT FROM pg_get_indexdef(indexrelid))
    LOOP
        EXECUTE format('DROP INDEX %s', stale);
    END LOOP;
END
$$;
"""
_REMEMBER = """
DO $$
DECLARE
    made regclass;
BEGIN
    FOR made IN
        SELECT indexrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = {host}::regnamespace AND relname LIKE 'daybook\\_%' AND pg_has_role(relowner, 'USAGE')
    LOOP
        EXECUTE format('COMMENT ON INDEX %s IS %L', made, pg_get_indexdef(made));
    END LOOP;
END
$$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMapping:
    """A host in a database: ready SQL of its views, and which of its tables they read. without: the indexes that PostgreSQL
    does not make of these columns, each as table and definition, with the reason."""

    host: Host
    schema: str
    columns: Columns
    views: Mapping[str, str]
    without: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def tables(self) -> list[str]:
        """The host's tables that the views read."""
        return sorted(
            {
                table
                for name in self.views
                for table in self.host.tables_of(self.host.views[name])
                if table in self.columns
            }
        )


def mapping_of(host: Host, schema: str, columns: Columns) -> HostMapping:
    """The host's mapping onto these tables; views that need a table that is not there are left out."""
    views = {
        name: ready for name in TABLES if name in host.views and (ready := host.sql(host.views[name], schema, columns))
    }
    return HostMapping(host=host, schema=schema, columns=columns, views=views)


def script(mapping: HostMapping, catalogue: Catalogue) -> str:
    """The file, to be reviewed and then applied: by psql, or by `bin/dash map --apply`."""
    return "\n".join([*_head(mapping), "", *_hosts_part(mapping, catalogue), "", *_our_part(mapping, catalogue), ""])


def _head(mapping: HostMapping) -> Iterator[str]:
    missing = [name for name in TABLES if name not in mapping.views]
    yield f"-- {mapping.host.title} in the schema {mapping.schema} as Daybook's contract. Made by bin/dash map;"
    yield f"-- {mapping.host.page} says what becomes of what. Review and change it, keep it, and apply it (again) by one of"
    yield "--   bin/dash map --apply THIS_FILE      psql -v ON_ERROR_STOP=1 -f THIS_FILE"
    yield "-- bin/dash unmap and bin/dash remap THIS_FILE stand around migrations of the host's own that a view blocks."
    if missing:
        yield f"-- Not mapped, and left as they are: {', '.join(f'dashboard.{name}' for name in missing)}."


def _hosts_part(mapping: HostMapping, catalogue: Catalogue) -> Iterator[str]:
    host = quoted(mapping.schema)
    tables = _wrapped(_with_parts(mapping, catalogue))
    literal = sql.Literal(host).as_string()
    yield HOSTS_PART
    yield f"GRANT USAGE ON SCHEMA {host} TO {catalogue.owner};"
    yield f"GRANT SELECT, TRIGGER ON {tables} TO {catalogue.owner};"
    yield _DROP_STALE.replace("{host}", literal).strip("\n")
    yield "-- Writers go on while these are built."
    analysed = []
    for table, definitions in mapping.host.indexes.items():
        kept = [
            ready
            for one in definitions
            if table in mapping.tables and (ready := mapping.host.sql(one, host, mapping.columns))
        ]
        for definition in kept:
            if reason := mapping.without.get((table, definition)):
                yield f"-- There cannot be one ON {host}.{quoted(table)} {definition}: {reason}.".replace("\n", " ")
            else:
                yield from _indexes(
                    catalogue.parts.get((mapping.schema, table), Parts()), mapping.schema, table, definition
                )
        analysed += [f"{host}.{quoted(table)}"] * bool(kept)
    yield _REMEMBER.replace("{host}", literal).strip("\n")
    if analysed:
        yield f"ANALYZE {_wrapped(analysed)};"


def _with_parts(mapping: HostMapping, catalogue: Catalogue) -> list[str]:
    """The tables, and what they consist of: change capture also watches what is written straight into a part."""
    found = dict.fromkeys((mapping.schema, table) for table in mapping.tables)
    for table in list(found):
        found.update(dict.fromkeys(catalogue.parts.get(table, Parts()).below))
    return [f"{quoted(schema)}.{quoted(name)}" for schema, name in found]


def _indexes(parts: Parts, schema: str, table: str, definition: str) -> Iterator[str]:
    """A partitioned table takes over, in a moment, the indexes that its partitions have already: it cannot have one built
    while writers go on."""
    for part_schema, part in parts.leaves:
        yield _index("CREATE INDEX CONCURRENTLY", part_schema, part, definition)
    yield _index("CREATE INDEX" if parts.is_partitioned else "CREATE INDEX CONCURRENTLY", schema, table, definition)


def _index(create: str, schema: str, table: str, definition: str) -> str:
    # Named after what it is: a definition that changes makes another index. PostgreSQL cuts names after 63 bytes.
    start = f"daybook_{table}".encode()[:54].decode(errors="ignore")
    name = quoted(f"{start}_{crc32(definition.encode()):08x}")
    return f"{create} IF NOT EXISTS {name}\n    ON {quoted(schema)}.{quoted(table)} {definition};"


def _our_part(mapping: HostMapping, catalogue: Catalogue) -> Iterator[str]:
    views = list(mapping.views)
    yield OUR_PART
    yield "BEGIN;"
    yield "SET LOCAL lock_timeout = '5s';"
    yield f"SET LOCAL ROLE {catalogue.owner};"
    yield _MAKE_ROOM.replace("{tables}", sql.Literal(f"{{{','.join(views)}}}").as_string()).strip("\n")
    for name in views:
        yield f"\nCREATE VIEW dashboard.{name} AS\n{mapping.views[name]};"
    yield ""
    for worker in catalogue.workers:
        yield f"GRANT SELECT ON {', '.join(f'dashboard.{name}' for name in views)} TO {quoted(worker)};"
    for table in mapping.tables:
        tenant = mapping.host.track.get(table, "*")
        named = sql.Literal(f"{quoted(mapping.schema)}.{quoted(table)}").as_string()
        yield f"SELECT dashboard.track_changes({named}, {sql.Literal(tenant).as_string()});"
    yield "INSERT INTO dashboard.change (tenant_id) VALUES ('*');"
    yield "COMMIT;"


def _wrapped(names: Sequence[str]) -> str:
    """A list in lines that are not too long; a name, which may hold spaces, is never divided."""
    lines = [""]
    for name in names:
        if lines[-1] and len(lines[-1]) + len(name) > _LONGEST_LIST:
            lines.append("")
        lines[-1] += f"{name}, "
    return "\n    ".join(line.rstrip() for line in lines).removesuffix(",")


def lacking(mapping: HostMapping) -> Sequence[str]:
    """What of the contract must be there and is not."""
    return [name for name in REQUIRED if name not in mapping.views]
