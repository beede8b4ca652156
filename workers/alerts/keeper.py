"""The keeper of alerts: takes the steps that a judgement or a command asks for, and shows the result in Redis.

PostgreSQL is the truth; a board in Redis is read from it in one statement whose state guards the write. In the common
case nothing has changed: then nothing is written; whether Redis still holds the board is known from the snapshot's writing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import redis
import structlog
from sqlalchemy import Connection, Engine, exc, text

from shared.alert_store import AlertWriter, BoardCandidate
from shared.counters import ACKNOWLEDGED, ALERTS_BY_LEVEL, ALERTS_BY_RULE, RESOLVED, Tally
from shared.errors import InvalidData
from shared.keys import Keys
from shared.store import SourceState
from shared.versions import BoardVersion
from workers.alerts import commands, tables
from workers.alerts.commands import Command
from workers.alerts.lifecycle import Change, Judgement, changes, failing
from workers.facts import KnownAlert
from workers.source.clock import zone
from workers.source.failures import translate_database_errors

log = structlog.get_logger()

T = TypeVar("T")

_MOMENT = text("SELECT now()")
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
        due = sorted(tenant_id for tenant_id, one in judged.items() if changes(known.get(tenant_id, ()), one))
        changed = self._take_steps(due, judged, state) if due else []
        # Also what Redis does not hold as `state` had it: it may have lost it.
        behind = {t for t in judged if BoardVersion(state.lineage, revisions.get(t, 0)).replaces(shown.get(t))}
        if wanted := sorted(behind.union(changed)):
            self.show(wanted)
        return changed

    def fail(self, tenant_id: str, *, since_ms: int, about: str | None = None) -> None:
        """Tell the tenant that its numbers cannot be computed, since then; what was known to hold stays.

        `about`: the value that stops them, in the owner's words.
        """
        where = self._where(tenant_id)
        if where is None:
            return
        since = datetime.fromtimestamp(since_ms / 1000, UTC)
        with translate_database_errors([tenant_id]), self._engine.begin() as connection:
            tables.lock(connection, tenant_id)
            at: datetime = connection.execute(_MOMENT).scalar_one()
            known = tables.known_alerts(connection, [tenant_id], at).get(tenant_id, [])
            day = at.astimezone(where).date()
            steps = failing(tenant_id, known, today=day, since=since, at=at, about=about)
            tables.apply(connection, {tenant_id: steps}, {tenant_id: at})
        if steps:
            self._count(steps)
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
        with translate_database_errors(tenant_ids), self._engine.begin() as connection:
            boards = tables.read_boards(connection, tenant_ids)
        self._writer.write(
            BoardCandidate(tenant_id=read.tenant_id, source=read.state, revision=read.revision, board=read.board)
            for read in boards
        )

    def remove(self, tenant_ids: Sequence[str]) -> None:
        """Tenants are gone: so are their boards."""
        self._writer.remove(tenant_ids)

    def forget_old(self) -> int:
        """Delete what has been kept for long enough; returns how many alerts."""
        with translate_database_errors(), self._engine.begin() as connection:
            return tables.forget(connection)

    def _take_steps(self, due: Sequence[str], judged: Mapping[str, Judgement], state: SourceState) -> list[str]:
        with translate_database_errors(due), self._engine.begin() as connection:
            mine = sorted(tables.lock_to_judge(connection, due, state))
            # Only now that nobody else can change them is it certain what the steps are.
            moment = max((judged[tenant_id].at for tenant_id in mine), default=datetime.now(UTC))
            known = tables.known_alerts(connection, mine, moment)
            steps = {tenant_id: changes(known.get(tenant_id, []), judged[tenant_id]) for tenant_id in mine}
            tables.apply(connection, steps, {tenant_id: judged[tenant_id].at for tenant_id in mine})
        self._count([step for taken in steps.values() for step in taken])
        return [tenant_id for tenant_id, taken in steps.items() if taken]

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
