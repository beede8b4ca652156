"""Which of the host's tables lack the index by which a tenant's rows are found, with the CREATE INDEX that helps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import psycopg

from cli.mapping.asking import ask
from cli.mapping.contract import Readable
from cli.mapping.finding import Finding

# Reading less than this as a whole costs nothing.
SMALL_BYTES = 1_000_000
# No tenant's id, found again in the plan wherever it is compared.
_NOBODY = "nobody's rows, to see how they are found"
_LITERAL = "'" + _NOBODY.replace("'", "''") + "'"
_COMPARED = re.compile(rf" = {re.escape(_LITERAL)}(::\w+)?")
_NOT_BY_TENANT = {"tenant", "fx_rate"}


def missing_indexes(connection: psycopg.Connection, readable: Mapping[str, Readable]) -> Iterator[Finding]:
    """Tables that are read as a whole, or by another index, for the rows of one tenant. Only plans, and reads no row."""
    told: set[tuple[str, str]] = set()
    for name, relation in readable.items():
        if name in _NOT_BY_TENANT or "tenant_id" not in relation.columns:
            continue
        try:
            with connection.transaction(force_rollback=True):
                connection.execute("SET LOCAL enable_seqscan = off")
                (plan,) = ask(
                    connection, f"EXPLAIN (FORMAT JSON) SELECT * FROM dashboard.{name} WHERE tenant_id = {_LITERAL}"
                )[0]
        except psycopg.Error:
            continue  # that it cannot be read is told elsewhere
        for schema, table, expression in _read_whole(connection, _nodes(plan[0]["Plan"])):
            if (table, expression) not in told:
                told.add((table, expression))
                yield Finding(
                    level="warning",
                    table=name,
                    says=f"{schema}.{table} is read as a whole for the rows of one tenant",
                    advice=f"CREATE INDEX CONCURRENTLY ON {schema}.{table} (({expression}))",
                )


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _read_whole(connection: psycopg.Connection, nodes: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for node in nodes:
        table, compared = node.get("Relation Name"), _COMPARED.search(node.get("Filter", ""))
        if table is None or compared is None:
            continue
        found = ask(
            connection,
            "SELECT relnamespace::regnamespace::text, relname::text FROM pg_class"
            " WHERE relname = %s AND relkind IN ('r', 'm') AND pg_relation_size(oid) > %s"
            " AND relnamespace::regnamespace::text <> 'dashboard'",
            [table, SMALL_BYTES],
        )
        if len(found) == 1:
            left = _left_of(node["Filter"], compared.start())
            yield found[0][0], found[0][1], left.replace(f"{node.get('Alias', table)}.", "")


def _left_of(condition: str, end: int) -> str:
    """What stands on the left of the comparison that begins at `end`: as far back as its brackets are closed."""
    depth = 0
    for position in range(end - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(condition[position], 0)
        if depth < 0 or (depth == 0 and condition[position] == " "):
            return condition[position + 1 : end]
    return condition[:end]
