"""Turns committed row changes into due tenants: what is pending, what is settled, and what time itself makes due.

A row of dashboard.change stays until a snapshot that has seen its change is in Redis, so nothing that fails in between
can lose it. Every function takes a plain autocommit connection; each is safe to run from several processes at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.pq import ExecStatus

EVERYONE = "*"
# Over so long the midnight of tenants that somebody looks at is spread: at once they would hold up the changes of all others.
HOT_MIDNIGHT_S = 3


def pending_of(tenant: str) -> str:
    """Part of a statement: the changes of the tenant whom this alias of it has, and those for everyone.

    In the order of an index, where sorting is off as for every engine: else a plan that is made while the table is empty,
    and kept, reads all of it for each tenant when a hundred thousand changes wait in it.
    """
    return f"""(
        SELECT * FROM dashboard.change WHERE tenant_id IN ({tenant}.tenant_id, '*') ORDER BY tenant_id, id OFFSET 0
    )"""  # noqa: S608 (our own words)


_LOOK = b"look"
_ANY_AT_ONCE = "SELECT FROM dashboard.change WHERE due_at IS NULL AND id <> ALL ($1::bigint[]) LIMIT 1"


@dataclass(frozen=True, slots=True)
class Due:
    """A tenant's changes that do not wait for a turn. noted_at: when the statement ended that made the oldest one, by the
    database's own clock, as a moment of time.monotonic() here."""

    noted_at: float
    ids: tuple[int, ...]


def looking(connection: psycopg.Connection) -> Callable[[Collection[int]], bool]:
    """How to ask over this connection whether there are changes that do not wait for a turn, other than those given.

    Asked a hundred times a second: so its plan is kept, and it goes to the server without a cursor, which would take most of
    the time. Behind a pooler nothing is kept.
    """
    if connection.prepare_threshold is None:
        cursor = psycopg.RawCursor(connection)
        return lambda but: cursor.execute(_ANY_AT_ONCE, [list(but)]).fetchone() is not None
    driver = connection.pgconn

    def look(but: Collection[int]) -> bool:
        found = driver.exec_prepared(_LOOK, [f"{{{','.join(map(str, but))}}}".encode()])
        if found.status != ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError(found.get_error_message())
        return found.ntuples > 0

    prepared = driver.prepare(_LOOK, _ANY_AT_ONCE.encode())
    if prepared.status != ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError(prepared.get_error_message())
    return look


def due_tenants(connection: psycopg.Connection, limit: int) -> dict[str, Due]:
    """Tenants with changes that do not wait for a turn, the longest pending first."""
    # In the order of one index, so that no other serves a plan which is kept from when the table was empty.
    rows = connection.execute(
        """
        SELECT tenant_id, coalesce(extract(epoch FROM clock_timestamp() - min(noted_at)), 0)::float8, array_agg(id)
        FROM (SELECT tenant_id, id, noted_at FROM dashboard.change WHERE due_at IS NULL ORDER BY due_at, id OFFSET 0) AS due
        GROUP BY tenant_id ORDER BY min(id) LIMIT %s
        """,
        [limit],
        prepare=True,
    )
    seen_at = time.monotonic()
    return {tenant_id: Due(seen_at - waited_s, tuple(ids)) for tenant_id, waited_s, ids in rows.fetchall()}


def defer(connection: psycopg.Connection, tenant_ids: Sequence[str], delay_s: int) -> None:
    """Let the changes of these tenants wait, `delay_s` at most: each tenant until its turn within that time, which is
    always the same, so that many changes are one computation, and many tenants are spread evenly."""
    connection.execute(
        """
        UPDATE dashboard.change SET due_at = dashboard.next_turn(tenant_id, %(delay_s)s) WHERE id IN (
            SELECT id FROM dashboard.change WHERE tenant_id = ANY(%(tenant_ids)s) AND due_at IS NULL
            ORDER BY id FOR UPDATE SKIP LOCKED
        )
        """,
        {"tenant_ids": list(tenant_ids), "delay_s": delay_s},
    )


def waited_tenants(connection: psycopg.Connection, limit: int, *, but: Sequence[str] = ()) -> list[str]:
    """Tenants whose changes have waited long enough, the longest waiting first, of the `limit` rows that have done so; none
    of those in `but`, whose rows do not count."""
    rows = connection.execute(
        """
        SELECT tenant_id FROM (
            SELECT tenant_id, due_at FROM dashboard.change
            WHERE due_at <= statement_timestamp() AND tenant_id <> ALL (%s)
            ORDER BY due_at, id LIMIT %s
        ) AS longest
        GROUP BY tenant_id ORDER BY min(due_at)
        """,
        [list(but), limit],
    )
    return [tenant_id for (tenant_id,) in rows]


def oldest(connection: psycopg.Connection) -> int | None:
    """Id of the change that has been due for longest, of those that wait for no turn and of those that did: the older of the
    two. None where nothing is due."""
    # The first ones of an index: a midnight's changes are many, and most of them not due yet.
    row = connection.execute(
        """
        SELECT least(
            (SELECT id FROM dashboard.change WHERE due_at IS NULL ORDER BY due_at, id LIMIT 1),
            (SELECT id FROM dashboard.change WHERE due_at <= statement_timestamp() ORDER BY due_at, id LIMIT 1)
        )
        """
    ).fetchone()
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
    connection.execute(
        "INSERT INTO dashboard.change (tenant_id, oldest_day, named_documents) SELECT unnest(%s::text[]), 'infinity', '{}'",
        [list(tenant_ids)],
    )


def expand_everyone(connection: psycopg.Connection, *, hot: Sequence[str] = (), delay_s: int = 0) -> None:
    """Replace a change of '*' (a truncated table, a rate for all) by one change for each tenant, known or once known.

    Those that are not `hot` wait for their turn, as in `defer`.
    """
    connection.execute(
        """
        WITH everyone AS (
            DELETE FROM dashboard.change WHERE tenant_id = %(everyone)s
            RETURNING oldest_day, document_ids, named_documents
        )
        INSERT INTO dashboard.change (tenant_id, oldest_day, document_ids, named_documents, due_at)
        SELECT
            tenant_id,
            (SELECT CASE WHEN count(*) = count(oldest_day) THEN min(oldest_day) END FROM everyone),
            (SELECT array_agg(DISTINCT id) FROM everyone, unnest(document_ids) AS id),
            (SELECT CASE WHEN bool_and(coalesce(named_documents = '{}', false)) THEN '{}'::text[] END FROM everyone),
            CASE WHEN tenant_id <> ALL (%(hot)s) THEN dashboard.next_turn(tenant_id, %(delay_s)s) END
        FROM (
            SELECT tenant_id FROM dashboard.tenant UNION SELECT tenant_id FROM dashboard.daily_close
        ) AS known
        WHERE tenant_id IS NOT NULL AND EXISTS (SELECT FROM everyone)
        """,
        {"everyone": EVERYONE, "hot": list(hot), "delay_s": delay_s},
    )


# Each zone that tenants live in, with the day that it was last seen at. To find those that are new all tenants are read.
_ZONES = """
    SELECT zones.timezone, local_day.local_date, clock_timestamp()
    FROM (SELECT DISTINCT coalesce(timezone, 'UTC') AS timezone FROM dashboard.tenant) AS zones
    LEFT JOIN dashboard.local_day USING (timezone)
"""
_SEEN_ZONES = "SELECT timezone, local_date, clock_timestamp() FROM dashboard.local_day"


def roll_days(
    connection: psycopg.Connection,
    now: datetime | None = None,
    *,
    new_zones: bool = True,
    hot: Callable[[], Sequence[str]] = list,
    delay_s: int = 0,
) -> int:
    """Make due every tenant whose local day has changed since this was last asked; returns how many.

    `now` (aware): by default what the database's clock says, as for a load. By one that is ahead of it tenants would be
    computed for the day that ends, and not again when it has ended. `new_zones`: whether to look for zones in which nobody
    has lived before, too.

    Daily values roll, invoices become overdue and quotes expire at the tenant's midnight without any row changing. All wait
    for their turn, as in `defer`: those that are `hot`, asked for only when a day has changed, for HOT_MIDNIGHT_S at most.
    """
    rows = connection.execute(_ZONES if new_zones else _SEEN_ZONES).fetchall()
    moment = now or max((at for _, _, at in rows), default=None)
    if moment is None or not (rolled := _rolled({zone: day for zone, day, _ in rows}, moment)):
        return 0
    who = {"hot": list(hot()), "hot_delay_s": min(HOT_MIDNIGHT_S, delay_s), "delay_s": delay_s}
    return sum(_roll(connection, {"zone": zone, "today": today, **who}) for zone, today in rolled.items())


def _rolled(zones: Mapping[str, date | None], now: datetime) -> dict[str, date]:
    today = {zone: now.astimezone(_zone(zone)).date() for zone in zones}
    return {zone: day for zone, day in today.items() if (seen := zones[zone]) is None or seen < day}


def _roll(connection: psycopg.Connection, values: Mapping[str, object]) -> int:
    # One statement, so that of two listeners only the one that moves the date also makes the tenants due.
    return connection.execute(
        """
        WITH moved AS (
            INSERT INTO dashboard.local_day AS known (timezone, local_date) VALUES (%(zone)s, %(today)s)
            ON CONFLICT (timezone) DO UPDATE SET local_date = excluded.local_date
            WHERE known.local_date < excluded.local_date
            RETURNING timezone
        )
        INSERT INTO dashboard.change (tenant_id, oldest_day, named_documents, due_at)
        SELECT
            tenant_id,
            'infinity',
            '{}',
            dashboard.next_turn(tenant_id, CASE WHEN tenant_id = ANY (%(hot)s) THEN %(hot_delay_s)s ELSE %(delay_s)s END)
        FROM dashboard.tenant JOIN moved ON moved.timezone = coalesce(tenant.timezone, 'UTC')
        WHERE tenant_id IS NOT NULL
        """,
        values,
    ).rowcount


def _zone(name: str) -> ZoneInfo:
    # A tenant whose zone does not exist lives by UTC (and its dashboard says so): see the source of the facts.
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
