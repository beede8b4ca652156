"""The source: what a recalculation asks of PostgreSQL. The only user of SQLAlchemy besides migrations and the check."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime

import psycopg
import structlog
from sqlalchemy import Connection, Engine, exc, text

from shared.errors import InvalidData, SourceUnavailable
from shared.store import SourceState
from shared.thresholds import AlertThresholds
from workers.capture import changes
from workers.database import alone, autocommit, driver_of, one_state, plain_state
from workers.facts import DEFAULT_THRESHOLDS, Clock, Close, ShownMonths, TenantFacts
from workers.periods.load import MOST_REMEMBERED, Past
from workers.periods.mend import doubt, forget_past, mend, postpone, stale_tenants
from workers.roles import CONTRACT
from workers.source.closes import write_closes
from workers.source.columns import Missing, missing_columns
from workers.source.culprit import find_culprit
from workers.source.failures import columns_have_changed, translate_database_errors
from workers.source.fingerprint import Fingerprint, Remembered
from workers.source.months import touched_documents
from workers.source.reading import NOTHING_READ, Reading
from workers.source.reasons import reason
from workers.source.tenants import ALL_TENANTS, Opening, read_opening
from workers.unsettled.keep import keep_unsettled
from workers.unsettled.known import ENOUGH_ALLOCATIONS

log = structlog.get_logger()

EXPLAINED_FOR_S = 60.0
MOST_EXPLAINED = 1000
WRITING_DOWN_S = 1.0
NOT_WRITTEN_DOWN_FOR_S = 300.0

# Planned and not carried out; that is enough for PostgreSQL to look at rights and policies, also behind views.
_ALL_RELATIONS = text(" UNION ALL ".join(f"(SELECT 1 FROM dashboard.{name} LIMIT 0)" for name in CONTRACT))  # noqa: S608
_LOCK_TIMEOUT = text("SET LOCAL lock_timeout = '500ms'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The facts of those tenants that exist, the ids of those that do not, and the database state that says so.

    unchanged: tenants of whom the database says what the caller remembers, each with its clock; they are not in `facts`.
    fingerprints: of what it says of them, and of those in `facts` whose rows nobody has changed.
    board_revisions: of each tenant's alerts as they stand in that state. pending: the changes of all these tenants that it
    has seen. past_behind: some tenant's totals of past days are not what its documents say any more: mended, they are.
    unsettled_due: tenants whose documents that are not settled are to be written down, which makes the next load cheaper.
    """

    state: SourceState
    facts: dict[str, TenantFacts]
    unknown: frozenset[str]
    board_revisions: dict[str, int]
    unchanged: dict[str, Clock] = field(default_factory=dict)
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    pending: tuple[int, ...] = ()
    past_behind: bool = False
    unsettled_due: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a tenant cannot be computed. reason: for the operator; about: which value it is about, in the owner's words."""

    reason: str
    about: str | None = None


class Source:
    """PostgreSQL as the workers use it. Every call raises SourceUnavailable when the database is away.

    Reads have to go to one primary (or one standby): see workers/source/state.py.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        thresholds: AlertThresholds = DEFAULT_THRESHOLDS,
        most_remembered: int = MOST_REMEMBERED,
        enough_allocations: int = ENOUGH_ALLOCATIONS,
    ) -> None:
        """`thresholds`: where the alert rules begin for tenants that have none of their own. `most_remembered`: so many
        tenants' totals of past days are kept in memory. `enough_allocations`: from so many on it is written down which of a
        tenant's documents are not settled."""
        self._engine = engine
        self._missing: Missing | None = None
        self._reading = Reading(thresholds, Past(most_remembered), enough_allocations)
        self._enough_allocations = enough_allocations
        self._explained: dict[str, tuple[str, float, Explanation]] = {}
        self._not_kept: dict[str, float] = {}

    def tenant_ids(self) -> list[str]:
        """Every tenant, in the order of the ids."""
        with translate_database_errors(), self._engine.begin() as connection:
            return list(connection.execute(ALL_TENANTS).scalars())

    def load(
        self,
        tenant_ids: Sequence[str],
        *,
        now: datetime | None = None,
        unless_behind: bool = False,
        remembered: Remembered | None = None,
    ) -> Loaded:
        """Facts of all these tenants, as of one state of the database: as many statements for a thousand as for one.

        `now` (aware) decides each tenant's local day; by default it is the database's clock. Raises InvalidData when
        rows cannot be computed; where the driver cannot say whose they are, it names the first tenant. `unless_behind`: where
        some tenant's totals of past days have to be mended first nobody's facts are read, and past_behind says so.
        `remembered`: of whom the caller knows what follows from which facts; who still has those is `unchanged`.
        """
        wanted = list(dict.fromkeys(tenant_ids))
        with translate_database_errors(wanted):
            try:
                return self._load(wanted, now, unless_behind, remembered)
            except exc.DBAPIError as error:
                # The host has put another view in a table's place since the columns were looked up.
                if not columns_have_changed(error):
                    raise
                self._missing = None
                return self._load(wanted, now, unless_behind, remembered)

    def missing_columns(self) -> Missing:
        """The optional columns that the host's tables and views do not have; see workers/source/columns.py."""
        with translate_database_errors(), self._engine.begin() as connection:
            return missing_columns(connection)

    def explain(self, tenant_id: str, error: Exception) -> Explanation:
        """Why the tenant alone could not be computed: the row that it is about, unless the statement itself is wrong.

        Never raises. The same trouble is looked for once in EXPLAINED_FOR_S: a tenant that fails may be tried all the time.
        """
        said = reason(error)
        if isinstance(error, exc.ProgrammingError):
            return Explanation(reason=said)
        before, at, known = self._explained.get(tenant_id, ("", 0.0, Explanation(reason=said)))
        if before == said and time.monotonic() - at < EXPLAINED_FOR_S:
            return known
        try:
            with autocommit(self._engine) as connection:
                culprit = find_culprit(connection, tenant_id)
        except (psycopg.Error, exc.SQLAlchemyError):
            culprit = None
        found = Explanation(reason=str(culprit), about=culprit.words) if culprit else Explanation(reason=said)
        if len(self._explained) >= MOST_EXPLAINED:
            self._explained.clear()
        self._explained[tenant_id] = (said, time.monotonic(), found)
        return found

    @contextmanager
    def one_tenant(
        self, tenant_id: str, *, now: datetime | None = None
    ) -> Iterator[tuple[Connection, Opening, Missing]]:
        """A transaction that reads one state of the database, what it begins with, and which columns there are. `now`: as of
        load."""
        missing = self._known_missing()
        with translate_database_errors([tenant_id]), one_state(self._engine) as connection:
            opening = read_opening(driver_of(connection.connection), [tenant_id], missing, now)
            yield connection, opening, missing

    def mend(self, tenant_ids: Sequence[str], *, now: datetime | None = None) -> None:
        """Bring the totals of past days up to date with the changes that are pending: a load that follows finds them so.

        What a change of a past day touched is settled only after this. `now`: as of load.
        """
        with translate_database_errors(tenant_ids):
            try:
                mend(self._engine, tenant_ids, self._known_missing(), now=now)
            except exc.DBAPIError as error:
                if not columns_have_changed(error):
                    raise
                self._missing = None
                mend(self._engine, tenant_ids, self._known_missing(), now=now)

    def make_totals_anew(self, most: int) -> list[str]:
        """Make the totals of past days anew where something has changed of which nobody could say when it happened; at most
        of so many tenants, those first that wait longest. They are due then; returns them.

        Whose rows cannot be read waits behind all others."""
        with translate_database_errors(), self._engine.begin() as connection:
            stale = stale_tenants(connection, most)
        made = self._made_anew(stale) if stale else []
        if made:
            self.make_due(made)
        return made

    def _made_anew(self, tenant_ids: list[str]) -> list[str]:
        try:
            with translate_database_errors(tenant_ids):
                mend(self._engine, tenant_ids, self._known_missing(), stale_too=True)
        except (InvalidData, exc.DBAPIError) as error:
            if len(tenant_ids) > 1:
                return [made for tenant_id in tenant_ids for made in self._made_anew([tenant_id])]
            log.error("past_not_made", tenant_id=tenant_ids[0], reason=reason(error))
            with translate_database_errors(), self._engine.begin() as connection:
                postpone(connection, tenant_ids[0])
            return []
        return tenant_ids

    def keep_unsettled(self, tenant_ids: Sequence[str], *, now: datetime | None = None) -> None:
        """Write down which documents of these tenants are not settled; `now`: as of load. Where that fails it is only logged:
        a load that does not know looks through all documents. It is not tried again for NOT_WRITTEN_DOWN_FOR_S, for it may
        have taken as long as a statement may. None is begun after a while, so that no other tenant waits long: the next load
        asks for it again."""
        begun = time.monotonic()
        self._not_kept = {t: at for t, at in self._not_kept.items() if begun - at < NOT_WRITTEN_DOWN_FOR_S}
        for tenant_id in tenant_ids:
            if tenant_id in self._not_kept:
                continue
            if time.monotonic() - begun > WRITING_DOWN_S:
                return
            try:
                with translate_database_errors([tenant_id]):
                    keep_unsettled(
                        self._engine, tenant_id, self._known_missing(), enough=self._enough_allocations, now=now
                    )
            except (SourceUnavailable, InvalidData, exc.DBAPIError) as error:
                log.error("unsettled_not_kept", tenant_id=tenant_id, reason=reason(error))
                self._not_kept[tenant_id] = time.monotonic()

    def _known_missing(self) -> Missing:
        if self._missing is None:
            self._missing = self.missing_columns()
        return self._missing

    def _load(
        self, wanted: list[str], now: datetime | None, unless_behind: bool, remembered: Remembered | None
    ) -> Loaded:
        missing = self._known_missing()
        with plain_state(self._engine) as connection:
            opening = read_opening(connection, wanted, missing, now)
            has_to_wait = unless_behind and opening.behind
            read = NOTHING_READ if has_to_wait else self._reading.read(connection, opening, missing, remembered)
        return Loaded(
            state=opening.state,
            facts=read.facts,
            unchanged=read.unchanged,
            fingerprints=read.fingerprints,
            unknown=frozenset(wanted) - opening.tenants.keys(),
            board_revisions=opening.board_revisions,
            pending=opening.pending,
            past_behind=opening.behind,
            unsettled_due=read.unsettled_due,
        )

    def keep_closes(
        self,
        closes: Mapping[str, Close],
        state: SourceState,
        settled: Sequence[int] = (),
        months: Mapping[str, ShownMonths] | None = None,
    ) -> None:
        """Keep each tenant's values of its local day, and of some their closed months, as computed from `state`; older
        states change nothing. Where there is nothing to keep and to forget, nothing is asked.

        `settled`: changes to forget with it, because a snapshot that has seen them is in Redis.
        """
        if closes or settled or months:
            with (
                translate_database_errors([*closes, *(months or ())]),
                autocommit(self._engine) as connection,
                alone(connection),
            ):
                write_closes(connection, closes, months or {}, state, settled)

    def touched_documents(
        self, facts: TenantFacts, spans: Mapping[str, tuple[date, date]]
    ) -> dict[tuple[str, str], tuple[str, ...]]:
        """References of the tenant's documents that were written since its day began, by month and number.

        spans: by month, its first and last day.
        """
        with translate_database_errors([facts.tenant.tenant_id]), self._engine.begin() as connection:
            return touched_documents(connection, facts.tenant, facts.clock, spans, self._known_missing())

    def pending(self, tenant_ids: Sequence[str]) -> dict[str, list[int]]:
        """Ids of the pending changes of these tenants; see workers/capture/changes.py."""
        with translate_database_errors(), autocommit(self._engine) as connection:
            return changes.pending(connection, tenant_ids)

    def give_up(self, pending: Sequence[int]) -> None:
        """Forget these changes, though no snapshot has seen them: their tenant cannot be computed. The days of the past that
        they touched are made anew once that is possible."""
        with translate_database_errors(), self._engine.begin() as connection:
            doubt(connection, pending)
        with translate_database_errors(), autocommit(self._engine) as connection:
            changes.settle(connection, pending)

    def forget_past(self, tenant_ids: Sequence[str], pending: Sequence[int]) -> None:
        """These tenants do not exist, so what these changes of theirs touch of the past is not mended: should they come back
        their totals are made anew."""
        with translate_database_errors(tenant_ids), self._engine.begin() as connection:
            forget_past(connection, tenant_ids, pending)

    def make_due(self, tenant_ids: Sequence[str]) -> None:
        """Have these tenants computed again soon."""
        with translate_database_errors(), autocommit(self._engine) as connection:
            changes.make_due(connection, tenant_ids)

    def oldest_change(self) -> int | None:
        """Id of the pending change that has waited longest; None while nothing waits."""
        with translate_database_errors(), autocommit(self._engine) as connection:
            return changes.oldest(connection)

    def ping(self) -> float:
        """Milliseconds that the database takes to answer."""
        with translate_database_errors(), self._engine.begin() as connection:
            asked_at = time.monotonic()
            connection.execute(text("SELECT 1")).one()
            return (time.monotonic() - asked_at) * 1000

    def require_readable(self) -> None:
        """Raise SourceUnavailable when a relation is gone, or may not be read whole; a lock on one says neither."""
        try:
            with translate_database_errors(), self._engine.begin() as connection:
                connection.execute(_LOCK_TIMEOUT)
                connection.execute(_ALL_RELATIONS)
        except InvalidData as error:
            raise SourceUnavailable(error.reason) from error
        except exc.ProgrammingError as error:
            raise SourceUnavailable(str(error.orig).partition("\n")[0]) from error
        except SourceUnavailable as error:
            cause = error.__cause__
            if not isinstance(
                getattr(cause, "orig", None), psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled
            ):
                raise

    def ahead_ms(self) -> int:
        """By how much the database's clock is ahead of this machine's, in milliseconds."""
        with translate_database_errors(), self._engine.begin() as connection:
            now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return round((now.timestamp() - time.time()) * 1000)
