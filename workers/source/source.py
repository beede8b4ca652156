"""The source: what a recalculation asks of PostgreSQL. The only user of SQLAlchemy besides migrations and the check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Engine, TextClause, text

from shared.store import SourceState
from shared.thresholds import AlertThresholds
from workers.capture import changes
from workers.database import one_state
from workers.facts import (
    DEFAULT_THRESHOLDS,
    AllocationGroup,
    ClientActivity,
    ClientGroup,
    Close,
    CreditGroup,
    ExpenseGroup,
    InvoiceGroup,
    KnownAlert,
    OpenInvoiceGroup,
    PayableGroup,
    PaymentGroup,
    QuoteGroup,
    Recurring,
    TenantFacts,
)
from workers.source.activity import ACTIVITY
from workers.source.alerts import read_known, read_thresholds
from workers.source.batch import Batch
from workers.source.clock import clock
from workers.source.closes import CLOSES, write_closes
from workers.source.credits import CREDITS
from workers.source.expenses import EXPENSES, PAID_EXPENSES, PAYABLES
from workers.source.failures import translate_database_errors
from workers.source.invoices import CLIENTS, INVOICES, OPEN_INVOICES
from workers.source.payments import ALLOCATIONS, PAYMENTS, SETTLEMENTS, settlement
from workers.source.quotes import QUOTES
from workers.source.rates import read_rates
from workers.source.recurring import RECURRING
from workers.source.state import read_state
from workers.source.tenants import ALL_TENANTS, read_tenants

# Field of TenantFacts → the statement that answers it, and what each of its rows becomes.
FAMILIES: Mapping[str, tuple[TextClause, Callable[..., Any]]] = {
    "invoices": (INVOICES, InvoiceGroup),
    "allocations": (ALLOCATIONS, AllocationGroup),
    "payments": (PAYMENTS, PaymentGroup),
    "settlements": (SETTLEMENTS, settlement),
    "expenses": (EXPENSES, ExpenseGroup),
    "paid_expenses": (PAID_EXPENSES, ExpenseGroup),
    "open_invoices": (OPEN_INVOICES, OpenInvoiceGroup),
    "credits": (CREDITS, CreditGroup),
    "payables": (PAYABLES, PayableGroup),
    "quotes": (QUOTES, QuoteGroup),
    "clients": (CLIENTS, ClientGroup),
    "recurring": (RECURRING, Recurring),
    "closes": (CLOSES, Close),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The facts of those tenants that exist, the ids of those that do not, and the database state that says so.

    board_revisions: of each tenant's alerts as they stand in that state.
    """

    state: SourceState
    facts: dict[str, TenantFacts]
    unknown: frozenset[str]
    board_revisions: dict[str, int]


class Source:
    """PostgreSQL as the workers use it. Every call raises SourceUnavailable when the database is away.

    Reads have to go to one primary (or one standby): see workers/source/state.py.
    """

    def __init__(self, engine: Engine, *, thresholds: AlertThresholds = DEFAULT_THRESHOLDS) -> None:
        """`thresholds`: where the alert rules begin for tenants that have none of their own."""
        self._engine = engine
        self._thresholds = thresholds

    def tenant_ids(self) -> list[str]:
        """Every tenant, in the order of the ids."""
        with translate_database_errors(), self._engine.begin() as connection:
            return list(connection.execute(ALL_TENANTS).scalars())

    def load(self, tenant_ids: Sequence[str], *, now: datetime | None = None) -> Loaded:
        """Facts of all these tenants, as of one state of the database: as many statements for a thousand as for one.

        `now` (aware) decides each tenant's local day; by default it is the database's clock. Raises InvalidData when
        rows cannot be computed; where the driver cannot say whose they are, it names the first tenant.
        """
        wanted = list(dict.fromkeys(tenant_ids))
        with translate_database_errors(wanted), one_state(self._engine) as connection:
            state, moment = read_state(connection, now)
            tenants, have_documents = read_tenants(connection, wanted)
            clocks = {tenant.tenant_id: clock(moment, ZoneInfo(tenant.timezone)) for tenant in tenants.values()}
            batch = Batch(connection=connection, tenants=tenants, clocks=clocks)
            revisions, alerts = read_known(batch) if tenants else ({}, {})
            facts = _facts(batch, have_documents, alerts, self._thresholds) if tenants else {}
        return Loaded(state=state, facts=facts, unknown=frozenset(wanted) - tenants.keys(), board_revisions=revisions)

    def keep_closes(self, closes: Mapping[str, Close], state: SourceState) -> None:
        """Keep each tenant's values of its local day, as computed from `state`; older states change nothing."""
        if closes:
            with translate_database_errors(list(closes)), self._engine.begin() as connection:
                write_closes(connection, closes, state)

    def pending(self, tenant_ids: Sequence[str]) -> dict[str, list[int]]:
        """Ids of the pending changes of these tenants; see workers/capture/changes.py."""
        with translate_database_errors(), self._autocommit() as connection:
            return changes.pending(connection, tenant_ids)

    def settle(self, settled: Sequence[int]) -> None:
        """Forget these changes: a snapshot that has seen them is in Redis."""
        with translate_database_errors(), self._autocommit() as connection:
            changes.settle(connection, settled)

    def make_due(self, tenant_ids: Sequence[str]) -> None:
        """Have these tenants computed again soon."""
        with translate_database_errors(), self._autocommit() as connection:
            changes.make_due(connection, tenant_ids)

    def oldest_change(self) -> int | None:
        """Id of the pending change that has waited longest; None while nothing waits."""
        with translate_database_errors(), self._autocommit() as connection:
            return changes.oldest(connection)

    def ping(self) -> float:
        """Milliseconds that the database takes to answer."""
        with translate_database_errors(), self._engine.begin() as connection:
            asked_at = time.monotonic()
            connection.execute(text("SELECT 1")).one()
            return (time.monotonic() - asked_at) * 1000

    def ahead_ms(self) -> int:
        """By how much the database's clock is ahead of this machine's, in milliseconds."""
        with translate_database_errors(), self._engine.begin() as connection:
            now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return round((now.timestamp() - time.time()) * 1000)

    @contextmanager
    def _autocommit(self) -> Iterator[psycopg.Connection]:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)  # noqa: S101 (for the type checker: the engine's driver)
            yield driver


def _facts(
    batch: Batch,
    have_documents: Mapping[str, bool],
    alerts: Mapping[str, tuple[KnownAlert, ...]],
    default_thresholds: AlertThresholds,
) -> dict[str, TenantFacts]:
    groups = {family: batch.groups(query, make) for family, (query, make) in FAMILIES.items()}
    activity = batch.groups(ACTIVITY, ClientActivity)
    rates = read_rates(batch, groups)
    thresholds = read_thresholds(batch, default_thresholds)
    return {
        tenant_id: TenantFacts(
            tenant=tenant,
            clock=batch.clocks[tenant_id],
            activity=activity.get(tenant_id, [ClientActivity()])[0],
            rates=rates.get(tenant_id, {}),
            has_documents=have_documents[tenant_id],
            thresholds=thresholds[tenant_id],
            alerts=alerts.get(tenant_id, ()),
            **{family: tuple(by_tenant.get(tenant_id, ())) for family, by_tenant in groups.items()},
        )
        for tenant_id, tenant in batch.tenants.items()
    }
