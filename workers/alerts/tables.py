"""The alert tables in SQL. Whoever changes a tenant's alerts raises the revision of its board with it, under the row's lock.

A command does so in a transaction; what takes a plain connection is one statement, committed at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from msgspec import UNSET
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, text

from shared.alert_store import BoardCandidate
from shared.alerts import KEPT_FOR, Board, BoardAlert, Subscription
from shared.snapshot import Instant, Level, instant
from shared.store import SourceState
from workers.alerts.lifecycle import Change
from workers.database import alone
from workers.facts import KnownAlert, Row
from workers.query import Query
from workers.source.state import STATE, state_of

# For a command.
_LOCK = text("""
    INSERT INTO dashboard.alert_board AS board (tenant_id) VALUES (:tenant_id)
    ON CONFLICT (tenant_id) DO UPDATE SET revision = board.revision
""")

_RAISE_REVISION = text("UPDATE dashboard.alert_board SET revision = revision + 1 WHERE tenant_id = :tenant_id")

_KNOWN = Query("""
    SELECT tenant_id, coalesce(board.revision, 0), alert_id, rule, subject, local_date, level, message, metric,
           action_required, provisional, raised_at, snoozed_until, cleared_at, params
    FROM unnest(CAST(:tenant_ids AS text[])) AS asked (tenant_id)
    LEFT JOIN dashboard.alert_board AS board USING (tenant_id)
    LEFT JOIN (
        SELECT * FROM dashboard.alert
        WHERE cleared_at IS NULL OR local_date >= CAST(:today AS date) - 2 OR snoozed_until > CAST(:now AS timestamptz)
    ) AS alert USING (tenant_id)
""")

# Each step, what history says of it, and that the tenant's board is another one, in one statement: of those tenants whose
# board is still the one from which the steps follow, and whom no later state of this database has judged. They are locked
# always in the same order, so that two batches with tenants in common cannot wait for each other. An acknowledgement survives
# a reopening.
_TAKE = Query("""
    WITH step AS (
        SELECT * FROM json_to_recordset(CAST(:steps AS json)) AS s (
            tenant_id text, revision bigint, kind text, told boolean, at timestamptz, alert_id text, rule text, subject text,
            local_date date, level text, message text, metric text, action_required boolean, provisional boolean,
            raised_at timestamptz, snoozed_until timestamptz, cleared_at timestamptz, params text)
    ), mine AS (
        INSERT INTO dashboard.alert_board AS board (tenant_id, revision, lineage, state)
        SELECT DISTINCT tenant_id, revision + 1, CAST(:lineage AS text), CAST(:state AS bigint) FROM step ORDER BY tenant_id
        ON CONFLICT (tenant_id) DO UPDATE
        SET revision = excluded.revision, lineage = coalesce(excluded.lineage, board.lineage),
            state = coalesce(excluded.state, board.state)
        WHERE board.revision = excluded.revision - 1
            AND (excluded.state IS NULL OR board.lineage IS DISTINCT FROM excluded.lineage OR board.state <= excluded.state)
        RETURNING tenant_id
    ), kept AS (
        INSERT INTO dashboard.alert AS alert (tenant_id, alert_id, rule, subject, local_date, level, message, metric,
                                              action_required, provisional, raised_at, snoozed_until, cleared_at,
                                              params)
        SELECT tenant_id, alert_id, rule, subject, local_date, level, message, metric, action_required, provisional,
               raised_at, snoozed_until, cleared_at, params
        FROM step JOIN mine USING (tenant_id)
        ON CONFLICT (tenant_id, alert_id) DO UPDATE
        SET level = excluded.level, message = excluded.message, action_required = excluded.action_required,
            provisional = excluded.provisional, cleared_at = excluded.cleared_at, params = excluded.params,
            reopened_at = CASE WHEN alert.cleared_at IS NOT NULL AND excluded.cleared_at IS NULL THEN now()
                               ELSE alert.reopened_at END
    ), noted AS (
        INSERT INTO dashboard.alert_event (tenant_id, alert_id, kind, at, level)
        SELECT tenant_id, alert_id, kind, at, level FROM step JOIN mine USING (tenant_id) WHERE told
    )
    SELECT tenant_id FROM mine
""")

# The boards of these tenants and the state of the database that they are of, in one statement, which sees one state.
_BOARDS = Query(f"""
    SELECT state.*, asked.tenant_id, coalesce(board.revision, 0) AS revision,
           (SELECT coalesce(json_agg(
                json_build_array(alert_id, level, message, metric, action_required, provisional, raised_at, reopened_at,
                                 acknowledged_at, acknowledged_by, snoozed_until, cleared_at, rule, params)
                ORDER BY raised_at DESC, alert_id), '[]')
            FROM dashboard.alert
            WHERE tenant_id = asked.tenant_id
                AND (cleared_at IS NULL OR cleared_at > state.read_at - CAST(:kept_for AS interval)))::text AS alerts,
           (SELECT coalesce(json_agg(json_build_array(subject, levels, metrics)), '[]')
            FROM dashboard.subscription WHERE tenant_id = asked.tenant_id)::text AS subscriptions
    FROM ({STATE} OFFSET 0) state
    CROSS JOIN unnest(CAST(:tenant_ids AS text[])) AS asked (tenant_id)
    LEFT JOIN dashboard.alert_board board USING (tenant_id)
""")  # noqa: S608 (our own words)

_FORGET = text("""
    DELETE FROM dashboard.alert
    WHERE cleared_at < now() - CAST(:kept_for AS interval)
        OR cleared_at IS NULL AND raised_at < now() - CAST(:kept_for AS interval)
            AND NOT EXISTS (SELECT FROM dashboard.tenant WHERE tenant_id = alert.tenant_id)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a tenant's alerts, and how often they had changed by then."""

    revision: int
    alerts: Sequence[KnownAlert]


class _AlertRow(Row, frozen=True):
    alert_id: str
    level: Level
    message: str
    metric: str
    action_required: bool
    provisional: bool
    raised_at: datetime
    reopened_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    cleared_at: datetime | None
    rule: str
    params: str


class _SubscriptionRow(Row, frozen=True):
    subject: str
    levels: tuple[Any, ...] | None
    metrics: tuple[Any, ...] | None


_alert_rows = msgspec.json.Decoder(tuple[_AlertRow, ...])
_subscription_rows = msgspec.json.Decoder(tuple[_SubscriptionRow, ...])


def lock(connection: Connection, tenant_id: str) -> None:
    """Make the tenant's alerts the transaction's to change."""
    connection.execute(_LOCK, {"tenant_id": tenant_id})


def raise_revision(connection: Connection, tenant_id: str) -> None:
    """Say that the tenant's board is another one from now on."""
    connection.execute(_RAISE_REVISION, {"tenant_id": tenant_id})


def moment(connection: psycopg.Connection) -> datetime:
    """The database's clock."""
    now: datetime
    (now,) = connection.execute("SELECT now()").fetchone() or ()
    return now


def known_alerts(connection: psycopg.Connection, tenant_ids: Sequence[str], at: datetime) -> dict[str, Known]:
    """Alerts that could change, as they are now. Local days are within two of UTC's."""
    found = {tenant_id: Known(revision=0, alerts=[]) for tenant_id in tenant_ids}
    given = {"tenant_ids": list(tenant_ids), "now": at, "today": at.astimezone(UTC).date()}
    with alone(connection):
        rows = _KNOWN.run(connection, given).fetchall()
    for tenant_id, revision, *columns in rows:
        alerts = [] if columns[0] is None else [msgspec.convert(columns, KnownAlert)]
        found[tenant_id] = Known(revision=revision, alerts=[*found[tenant_id].alerts, *alerts])
    return found


def take_steps(
    connection: psycopg.Connection,
    steps: Mapping[str, Sequence[Change]],
    revisions: Mapping[str, int],
    at: Mapping[str, datetime],
    state: SourceState | None,
) -> set[str]:
    """Take the steps of those tenants whose boards still have these revisions and were not yet judged by a later state than
    `state`, and write their history; each gets a new revision. Returns the tenants. None: whatever the last one was.
    """
    rows = [
        {
            "tenant_id": tenant_id,
            "revision": revisions[tenant_id],
            "kind": step.kind,
            "told": step.kind != "updated" or step.relevelled,
            "at": at[tenant_id],
            **msgspec.structs.asdict(step.alert),
        }
        for tenant_id, taken in steps.items()
        for step in taken
    ]
    given = {
        "steps": msgspec.json.encode(rows).decode(),
        "lineage": None if state is None else state.lineage,
        "state": None if state is None else state.state,
    }
    with alone(connection):
        return {tenant_id for (tenant_id,) in _TAKE.run(connection, given)}


def read_boards(connection: psycopg.Connection, tenant_ids: Sequence[str]) -> list[BoardCandidate]:
    """The boards of these tenants, in a transaction of its own: its state has seen all that ended before."""
    asked = {"tenant_ids": list(tenant_ids), "kept_for": KEPT_FOR}
    with alone(connection):
        rows = _BOARDS.run(connection, asked, namedtuple_row).fetchall()
    return [
        BoardCandidate(
            tenant_id=row.tenant_id,
            source=state_of(row, None)[0],
            revision=row.revision,
            board=Board(
                alerts=tuple(map(_board_alert, _alert_rows.decode(row.alerts))),
                subscriptions={
                    one.subject: Subscription(levels=one.levels, metrics=one.metrics)
                    for one in _subscription_rows.decode(row.subscriptions)
                },
            ),
        )
        for row in rows
    ]


def forget(connection: Connection, *, kept_for: timedelta = KEPT_FOR) -> int:
    """Delete alerts that were cleared so long ago, with their history, and what gone tenants left; returns how many."""
    return connection.execute(_FORGET, {"kept_for": kept_for}).rowcount


def _board_alert(row: _AlertRow) -> BoardAlert:
    return BoardAlert(
        id=row.alert_id,
        level=row.level,
        message=row.message,
        metric=row.metric,
        action_required=row.action_required,
        provisional=row.provisional or UNSET,
        raised_at=instant(row.raised_at),
        reopened=row.reopened_at is not None,
        acknowledged_at=_instant(row.acknowledged_at),
        acknowledged_by=row.acknowledged_by,
        snoozed_until=_instant(row.snoozed_until),
        cleared_at=_instant(row.cleared_at),
        rule=row.rule,
        params=msgspec.Raw(row.params),
    )


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else instant(moment)
