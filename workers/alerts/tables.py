"""The alert tables in SQL. Each function takes a connection in a transaction; whoever changes a tenant locks it first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection, text

from shared.alerts import KEPT_FOR, Board, BoardAlert, Subscription
from shared.snapshot import Instant, Level, instant
from shared.store import SourceState
from workers.alerts.lifecycle import Change
from workers.facts import KnownAlert, Row
from workers.source.state import STATE, state_of

# Always in the same order, so that two batches with tenants in common cannot wait for each other. A row comes back for
# every tenant that has not yet been judged by a later state of this database.
_LOCK_TO_JUDGE = text("""
    INSERT INTO dashboard.alert_board AS board (tenant_id, lineage, state)
    SELECT tenant_id, :lineage, :state FROM unnest(CAST(:tenant_ids AS text[])) AS asked (tenant_id) ORDER BY tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET lineage = excluded.lineage, state = excluded.state
    WHERE board.lineage IS DISTINCT FROM excluded.lineage OR board.state <= excluded.state
    RETURNING tenant_id
""")

# For a command or a report of failure, which say nothing about the state of the database.
_LOCK = text("""
    INSERT INTO dashboard.alert_board AS board (tenant_id) VALUES (:tenant_id)
    ON CONFLICT (tenant_id) DO UPDATE SET revision = board.revision
""")

_RAISE_REVISION = text("UPDATE dashboard.alert_board SET revision = revision + 1 WHERE tenant_id = :tenant_id")

_KNOWN = text("""
    SELECT tenant_id, alert_id, rule, subject, local_date, level, message, metric, action_required, provisional, raised_at,
           snoozed_until, cleared_at, params
    FROM dashboard.alert
    WHERE tenant_id = ANY(CAST(:tenant_ids AS text[]))
        AND (cleared_at IS NULL OR local_date >= CAST(:today AS date) - 2 OR snoozed_until > CAST(:now AS timestamptz))
""")

# Each step, what history says of it, and that the tenant's board is another one, in one statement. An acknowledgement
# survives a reopening.
_APPLY = text("""
    WITH step AS (
        SELECT * FROM unnest(
            CAST(:tenant_ids AS text[]), CAST(:kinds AS text[]), CAST(:told AS boolean[]), CAST(:at AS timestamptz[]),
            CAST(:alert_ids AS text[]), CAST(:rules AS text[]), CAST(:subjects AS text[]), CAST(:local_dates AS date[]),
            CAST(:levels AS text[]), CAST(:messages AS text[]), CAST(:metrics AS text[]),
            CAST(:action_required AS boolean[]), CAST(:provisional AS boolean[]), CAST(:raised_at AS timestamptz[]),
            CAST(:snoozed_until AS timestamptz[]), CAST(:cleared_at AS timestamptz[]), CAST(:params AS text[])
        ) AS s (tenant_id, kind, told, at, alert_id, rule, subject, local_date, level, message, metric, action_required,
                provisional, raised_at, snoozed_until, cleared_at, params)
    ), kept AS (
        INSERT INTO dashboard.alert AS alert (tenant_id, alert_id, rule, subject, local_date, level, message, metric,
                                              action_required, provisional, raised_at, snoozed_until, cleared_at,
                                              params)
        SELECT tenant_id, alert_id, rule, subject, local_date, level, message, metric, action_required, provisional,
               raised_at, snoozed_until, cleared_at, params
        FROM step
        ON CONFLICT (tenant_id, alert_id) DO UPDATE
        SET level = excluded.level, message = excluded.message, action_required = excluded.action_required,
            provisional = excluded.provisional, cleared_at = excluded.cleared_at, params = excluded.params,
            reopened_at = CASE WHEN alert.cleared_at IS NOT NULL AND excluded.cleared_at IS NULL THEN now()
                               ELSE alert.reopened_at END
    ), revised AS (
        UPDATE dashboard.alert_board SET revision = revision + 1 WHERE tenant_id IN (SELECT tenant_id FROM step)
    )
    INSERT INTO dashboard.alert_event (tenant_id, alert_id, kind, at, level)
    SELECT tenant_id, alert_id, kind, at, level FROM step WHERE told
""")

# The boards of these tenants and the state of the database that they are of, in one statement, which sees one state.
_BOARDS = text(f"""
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
class BoardRead:
    """A tenant's board as one state of the database has it, and how often its alerts had changed by then."""

    tenant_id: str
    state: SourceState
    revision: int
    board: Board


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


def lock_to_judge(connection: Connection, tenant_ids: Sequence[str], state: SourceState) -> set[str]:
    """Those of the tenants that were not yet judged by a later state; they are the transaction's to change."""
    given = {"tenant_ids": list(tenant_ids), "lineage": state.lineage, "state": state.state}
    return set(connection.execute(_LOCK_TO_JUDGE, given).scalars())


def lock(connection: Connection, tenant_id: str) -> None:
    """Make the tenant's alerts the transaction's to change."""
    connection.execute(_LOCK, {"tenant_id": tenant_id})


def raise_revision(connection: Connection, tenant_id: str) -> None:
    """Say that the tenant's board is another one from now on."""
    connection.execute(_RAISE_REVISION, {"tenant_id": tenant_id})


def known_alerts(connection: Connection, tenant_ids: Sequence[str], at: datetime) -> dict[str, list[KnownAlert]]:
    """Alerts that could change, as they are now that the tenants are locked. Local days are within two of UTC's."""
    found: dict[str, list[KnownAlert]] = {}
    given = {"tenant_ids": list(tenant_ids), "now": at, "today": at.astimezone(UTC).date()}
    for tenant_id, *columns in connection.execute(_KNOWN, given):
        found.setdefault(tenant_id, []).append(msgspec.convert(columns, KnownAlert))
    return found


def apply(connection: Connection, steps: Mapping[str, Sequence[Change]], at: Mapping[str, datetime]) -> None:
    """Take the steps of locked tenants and write their history; a tenant with steps gets a new revision."""
    rows = [(tenant_id, step) for tenant_id, taken in steps.items() for step in taken]
    if not rows:
        return
    alerts = [step.alert for _, step in rows]
    given: dict[str, list[Any]] = {
        "tenant_ids": [tenant_id for tenant_id, _ in rows],
        "kinds": [step.kind for _, step in rows],
        "told": [step.kind != "updated" or step.relevelled for _, step in rows],
        "at": [at[tenant_id] for tenant_id, _ in rows],
        "alert_ids": [alert.alert_id for alert in alerts],
        "rules": [alert.rule for alert in alerts],
        "subjects": [alert.subject for alert in alerts],
        "local_dates": [alert.local_date for alert in alerts],
        "levels": [alert.level for alert in alerts],
        "messages": [alert.message for alert in alerts],
        "metrics": [alert.metric for alert in alerts],
        "action_required": [alert.action_required for alert in alerts],
        "provisional": [alert.provisional for alert in alerts],
        "raised_at": [alert.raised_at for alert in alerts],
        "snoozed_until": [alert.snoozed_until for alert in alerts],
        "cleared_at": [alert.cleared_at for alert in alerts],
        "params": [alert.params for alert in alerts],
    }
    connection.execute(_APPLY, given)


def read_boards(connection: Connection, tenant_ids: Sequence[str]) -> list[BoardRead]:
    """The boards of these tenants."""
    asked = {"tenant_ids": list(tenant_ids), "kept_for": KEPT_FOR}
    return [
        BoardRead(
            tenant_id=row.tenant_id,
            state=state_of(row, None)[0],
            revision=row.revision,
            board=Board(
                alerts=tuple(map(_board_alert, _alert_rows.decode(row.alerts))),
                subscriptions={
                    one.subject: Subscription(levels=one.levels, metrics=one.metrics)
                    for one in _subscription_rows.decode(row.subscriptions)
                },
            ),
        )
        for row in connection.execute(_BOARDS, asked)
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
