"""The keeper of alerts: takes the steps that a judgement or a command asks for, and shows the result in Redis.

PostgreSQL is the truth; a board in Redis is read from it in one statement whose state guards the write. In the common
case nothing has changed: then nothing is written; whether Redis still holds the board is known from the snapshot's writing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import psycopg
import redis
import structlog
from sqlalchemy import Connection, Engine, exc, text

from shared.alert_store import AlertWriter
from shared.counters import ACKNOWLEDGED, ALERTS_BY_LEVEL, ALERTS_BY_RULE, RESOLVED, Tally
from shared.errors import InvalidData
from shared.keys import Keys
from shared.store import SourceState
from shared.versions import BoardVersion
from workers.alerts import commands, tables
from workers.alerts.commands import Command
from workers.alerts.lifecycle import Change, Judgement, changes, failing
from workers.alerts.tables import Known
from workers.database import autocommit
from workers.facts import KnownAlert
from workers.source.clock import zone
from workers.source.failures import translate_database_errors

log = structlog.get_logger()

T = TypeVar("T")

_TIMEZONE = text("SELECT timezone FROM dashboard.tenant WHERE tenant_id = :tenant_id")


class AlertKeeper:
    """Every call raises SourceUnavailable or StoreUnavailable when PostgreSQL or Redis is away; made again later it does
    the work."""

    def __init__(self, engine: Engine, client: redis.Redis, keys: Keys) -> None:
        self._engine = engine
        self._writer = AlertWriter(client, keys)
        self._client = client
        self._keys = keys

    def judge(
        self,
        judged: Mapping[str, Judgement],
        *,
        known: Mapping[str, Sequence[KnownAlert]],
        revisions: Mapping[str, int],
        shown: Mapping[str, BoardVersion | None],
        state: SourceState,
    ) -> list[str]:
        """Make each tenant's alerts follow from its judgement, made of `state` in which `known` and `revisions` stood.
        `shown`: the boards that Redis holds of them.

        A judgement of an older state than the last one changes nothing. Returns the tenants whose alerts changed.
        """
        loaded = {t: Known(revision=revisions.get(t, 0), alerts=known.get(t, ())) for t in judged}

        def steps_of(tenant_id: str, alerts: Sequence[KnownAlert]) -> list[Change]:
            return changes(alerts, judged[tenant_id])

        due = {tenant_id: one for tenant_id, one in loaded.items() if steps_of(tenant_id, one.alerts)}
        # Also what Redis does not hold as `state` had it: it may have lost it.
        behind = {t for t, one in loaded.items() if BoardVersion(state.lineage, one.revision).replaces(shown.get(t))}
        wanted = sorted(behind.union(due))
        if not wanted:
            return []
        at = {tenant_id: one.at for tenant_id, one in judged.items()}
        with translate_database_errors(wanted), autocommit(self._engine) as connection:
            taken = _take_steps(connection, due, steps_of, at, state)
            self._count([step for steps in taken.values() for step in steps])
            boards = tables.read_boards(connection, wanted)
        self._writer.write(boards)
        return sorted(taken)

    def fail(self, tenant_id: str, *, since_ms: int, about: str | None = None) -> None:
        """Tell the tenant that its numbers cannot be computed, since then; what was known to hold stays.

        `about`: the value that stops them, in the owner's words.
        """
        where = self._where(tenant_id)
        if where is None:
            return
        since = datetime.fromtimestamp(since_ms / 1000, UTC)
        with translate_database_errors([tenant_id]), autocommit(self._engine) as connection:
            at = tables.moment(connection)
            day = at.astimezone(where).date()
            taken = _take_steps(
                connection,
                tables.known_alerts(connection, [tenant_id], at),
                lambda _, alerts: failing(tenant_id, alerts, today=day, since=since, at=at, about=about),
                {tenant_id: at},
                None,
            )
        if taken:
            self._count(taken[tenant_id])
            self.show([tenant_id])

    def acknowledge(self, command: Command, alert_id: str) -> None:
        """Somebody has seen to the alert: it is not told again, as long as it lasts."""
        waited_s = self._command(lambda connection: commands.acknowledge(connection, command, alert_id))
        if waited_s is not None:
            tally = Tally()
            tally.observe(ACKNOWLEDGED, waited_s)
            self._add(tally)
        self.show([command.tenant_id])

    def snooze(self, command: Command, alert_id: str, until: datetime) -> None:
        """Somebody wants to be reminded at that moment (aware), if the alert still holds then."""
        self._command(lambda connection: commands.snooze(connection, command, alert_id, until))
        self.show([command.tenant_id])

    def subscribe(
        self, tenant_id: str, subject: str, levels: Sequence[str] | None, metrics: Sequence[str] | None
    ) -> None:
        """A person wants to be told of these alerts only; None: of any."""
        self._command(lambda connection: commands.subscribe(connection, tenant_id, subject, levels, metrics))
        self.show([tenant_id])

    def show(self, tenant_ids: Sequence[str]) -> None:
        """Put the tenants' boards into Redis as PostgreSQL has them now."""
        with translate_database_errors(tenant_ids), autocommit(self._engine) as connection:
            boards = tables.read_boards(connection, tenant_ids)
        self._writer.write(boards)

    def remove(self, tenant_ids: Sequence[str]) -> None:
        """Tenants are gone: so are their boards."""
        self._writer.remove(tenant_ids)

    def forget_old(self) -> int:
        """Delete what has been kept for long enough; returns how many alerts."""
        with translate_database_errors(), self._engine.begin() as connection:
            return tables.forget(connection)

    def _command(self, run: Callable[[Connection], T]) -> T:
        with translate_database_errors(), self._engine.begin() as connection:
            return run(connection)

    def _where(self, tenant_id: str) -> ZoneInfo | None:
        """The tenant's clock; UTC when its row cannot be read, None when there is no such tenant."""
        try:
            with translate_database_errors([tenant_id]), self._engine.begin() as connection:
                row = connection.execute(_TIMEZONE, {"tenant_id": tenant_id}).one_or_none()
        except (InvalidData, exc.SQLAlchemyError) as error:
            log.warning("timezone_unreadable", tenant_id=tenant_id, error=type(error).__name__)
            return ZoneInfo("UTC")
        return None if row is None else zone(row.timezone) or ZoneInfo("UTC")

    def _count(self, steps: Sequence[Change]) -> None:
        tally = Tally()
        for step in steps:
            alert = step.alert
            if step.kind == "raised":
                tally.count(ALERTS_BY_RULE, alert.rule)
                tally.count(ALERTS_BY_LEVEL, alert.level)
            elif alert.cleared_at is not None:
                tally.observe(RESOLVED, (alert.cleared_at - alert.raised_at).total_seconds())
        self._add(tally)

    def _add(self, tally: Tally) -> None:
        try:
            tally.add_to(self._client, self._keys)
        except redis.RedisError as error:
            log.warning("not_counted", error=type(error).__name__)


def _take_steps(
    connection: psycopg.Connection,
    known: Mapping[str, Known],
    steps_of: Callable[[str, Sequence[KnownAlert]], list[Change]],
    at: Mapping[str, datetime],
    state: SourceState | None,
) -> dict[str, list[Change]]:
    """Take the steps that follow from what is known; where somebody has changed a tenant's alerts meanwhile, those that
    follow from what is known by then. Returns those that were taken."""
    taken: dict[str, list[Change]] = {}
    while steps := {tenant_id: found for tenant_id, one in known.items() if (found := steps_of(tenant_id, one.alerts))}:
        revisions = {tenant_id: known[tenant_id].revision for tenant_id in steps}
        mine = tables.take_steps(connection, steps, revisions, at, state)
        taken |= {tenant_id: steps[tenant_id] for tenant_id in mine}
        refused = sorted(steps.keys() - mine)
        now_known = tables.known_alerts(connection, refused, max(at.values())) if refused else {}
        # Whose alerts are the same as before was judged by a later state.
        known = {tenant_id: one for tenant_id, one in now_known.items() if one.revision != revisions[tenant_id]}
    return taken
