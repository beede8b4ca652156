"""Turns committed row changes into due tenants: what is pending, what is settled, and what time itself makes due.

A row of dashboard.change stays until a snapshot that has seen its change is in Redis, so nothing that fails in between
can lose it. Every function takes a plain autocommit connection; each is safe to run from several processes at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg

EVERYONE = "*"


def due_tenants(connection: psycopg.Connection, limit: int) -> list[str]:
    """Tenants with pending changes, the longest waiting first."""
    rows = connection.execute(
        "SELECT tenant_id FROM dashboard.change GROUP BY tenant_id ORDER BY min(id) LIMIT %s", [limit]
    )
    return [tenant_id for (tenant_id,) in rows]


def oldest(connection: psycopg.Connection) -> int | None:
    """Id of the change that has waited longest; None while nothing waits."""
    row = connection.execute("SELECT min(id) FROM dashboard.change").fetchone()
    return row[0] if row else None


def pending(connection: psycopg.Connection, tenant_ids: Sequence[str]) -> dict[str, list[int]]:
    """Ids of the pending changes of these tenants. Read them before the facts: facts read later have seen them all."""
    rows = connection.execute(
        "SELECT tenant_id, array_agg(id) FROM dashboard.change WHERE tenant_id = ANY(%s) GROUP BY tenant_id",
        [list(tenant_ids)],
    )
    return dict(rows.fetchall())


def settle(connection: psycopg.Connection, changes: Iterable[int]) -> None:
    """Forget changes whose snapshot is in Redis."""
    if ids := list(changes):
        connection.execute("DELETE FROM dashboard.change WHERE id = ANY(%s)", [ids])


def make_due(connection: psycopg.Connection, tenant_ids: Sequence[str]) -> None:
    """Have these tenants computed again, as if one of their rows had changed."""
    connection.execute("INSERT INTO dashboard.change (tenant_id) SELECT unnest(%s::text[])", [list(tenant_ids)])


def expand_everyone(connection: psycopg.Connection) -> None:
    """Replace a change of '*' (a truncated table, a rate for all) by one change for each tenant, known or once known."""
    connection.execute(
        """
        WITH everyone AS (DELETE FROM dashboard.change WHERE tenant_id = %s RETURNING id)
        INSERT INTO dashboard.change (tenant_id)
        SELECT tenant_id FROM (
            SELECT tenant_id FROM dashboard.tenant UNION SELECT tenant_id FROM dashboard.daily_close
        ) AS known
        WHERE EXISTS (SELECT FROM everyone)
        """,
        [EVERYONE],
    )


def roll_days(connection: psycopg.Connection, now: datetime) -> int:
    """Make due every tenant whose local day has changed since this was last asked; returns how many.

    Daily values roll, invoices become overdue and quotes expire at the tenant's midnight without any row changing.
    """
    rows = connection.execute(
        """
        SELECT zones.timezone, local_day.local_date
        FROM (SELECT DISTINCT timezone FROM dashboard.tenant WHERE timezone IS NOT NULL) AS zones
        LEFT JOIN dashboard.local_day USING (timezone)
        """
    ).fetchall()
    return sum(_roll(connection, zone, today) for zone, today in _rolled(dict(rows), now).items())


def _rolled(zones: Mapping[str, date | None], now: datetime) -> dict[str, date]:
    today = {zone: now.astimezone(_zone(zone)).date() for zone in zones}
    return {zone: day for zone, day in today.items() if (seen := zones[zone]) is None or seen < day}


def _roll(connection: psycopg.Connection, zone: str, today: date) -> int:
    # One statement, so that of two listeners only the one that moves the date also makes the tenants due.
    return connection.execute(
        """
        WITH moved AS (
            INSERT INTO dashboard.local_day AS known (timezone, local_date) VALUES (%(zone)s, %(today)s)
            ON CONFLICT (timezone) DO UPDATE SET local_date = excluded.local_date
            WHERE known.local_date < excluded.local_date
            RETURNING timezone
        )
        INSERT INTO dashboard.change (tenant_id)
        SELECT tenant_id FROM dashboard.tenant JOIN moved USING (timezone)
        """,
        {"zone": zone, "today": today},
    ).rowcount


def _zone(name: str) -> ZoneInfo:
    # A tenant whose zone does not exist lives by UTC (and its dashboard says so): see the source of the facts.
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
