"""Compares the views with what the host itself says, and tells what the contract has no place for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from cli.hosts.script import HostMapping

_OPEN = """
    SELECT tenant_id, currency::text, sum(balance) FROM dashboard.invoice
    WHERE kind = 'invoice' AND status = 'posted' AND balance > 0 GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A sum of one tenant in one currency that the host and the views do not agree on."""

    tenant_id: str
    currency: str | None
    host: Decimal
    ours: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A total: over how many tenants and currencies it was compared, and where it differs."""

    says: str
    pairs: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Rows of the host's that the contract has no place for, and one of them."""

    says: str
    count: int
    tenant_id: str | None
    row: str | None


def compare(connection: psycopg.Connection[Any], mapping: HostMapping) -> Iterator[Compared]:
    """The host's own totals against those of the views."""
    for total in mapping.host.totals:
        ready = mapping.host.sql(total.host, mapping.schema, mapping.columns)
        if ready is None:
            continue
        theirs, ours = _sums(connection, ready), _sums(connection, _OPEN)
        pairs = theirs.keys() | ours.keys()
        differences = tuple(
            Difference(
                tenant_id=pair[0], currency=pair[1], host=theirs.get(pair, Decimal()), ours=ours.get(pair, Decimal())
            )
            for pair in sorted(pairs, key=str)
            if theirs.get(pair, Decimal()) != ours.get(pair, Decimal())
        )
        yield Compared(says=total.says, pairs=len(pairs), differences=differences)


def outside(connection: psycopg.Connection[Any], mapping: HostMapping) -> Iterator[Outside]:
    """What is left out and why, where there is any."""
    for left_out in mapping.host.left_out:
        ready = mapping.host.sql(left_out.rows, mapping.schema, mapping.columns)
        if ready is None:
            continue
        rows = f"SELECT count(*) OVER (), t, r FROM ({ready}) AS found (t, r) ORDER BY t, r LIMIT 1"  # noqa: S608
        if found := connection.execute(rows.encode()).fetchone():
            yield Outside(says=left_out.says, count=found[0], tenant_id=found[1], row=found[2])


def _sums(connection: psycopg.Connection[Any], statement: str) -> dict[tuple[str, str | None], Decimal]:
    rows = connection.execute(statement.encode()).fetchall()
    return {(tenant_id, currency): amount for tenant_id, currency, amount in rows}
