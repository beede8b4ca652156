"""The source: what a recalculation asks of PostgreSQL. The only user of SQLAlchemy besides migrations and the check."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Engine, exc, text

from shared.store import SourceState
from shared.thresholds import AlertThresholds
from workers.capture import changes
from workers.database import one_state
from workers.facts import (
    DEFAULT_THRESHOLDS,
    AllocationGroup,
    CashSinceGroup,
    ClientActivity,
    ClientGroup,
    Close,
    CreditGroup,
    ExpenseGroup,
    IncomingGroup,
    InvoiceGroup,
    KnownAlert,
    OpenInvoiceGroup,
    PayableGroup,
    PaymentGroup,
    QuoteGroup,
    Recurring,
    SettlementGroup,
    Tenant,
    TenantFacts,
)
from workers.source.activity import ACTIVITY
from workers.source.alerts import read_known, read_thresholds
from workers.source.balances import BALANCES, FOLLOWED_BALANCES
from workers.source.batch import Batch, Groups, Statement
from workers.source.clock import clock
from workers.source.closes import CLOSES, write_closes
from workers.source.columns import Missing, missing_columns
from workers.source.expenses import EXPENSES, PAID_EXPENSES, PAYABLES
from workers.source.failures import columns_have_changed, translate_database_errors
from workers.source.invoices import INVOICES
from workers.source.payments import CASH_SINCE, PAYMENTS
from workers.source.quotes import QUOTES
from workers.source.recurring import RECURRING
from workers.source.revenue import CASH_REVENUE
from workers.source.state import read_state
from workers.source.tenants import ALL_TENANTS, read_tenants, with_links

# Each statement, and the fields of TenantFacts that it answers with what each of their rows becomes.
FAMILIES: tuple[tuple[Statement, Mapping[str, type[Any]]], ...] = (
    (INVOICES, {"invoices": InvoiceGroup, "clients": ClientGroup}),
    (CASH_REVENUE, {"allocations": AllocationGroup, "settlements": SettlementGroup}),
    (PAYMENTS, {"payments": PaymentGroup}),
    (EXPENSES, {"expenses": ExpenseGroup}),
    (PAID_EXPENSES, {"paid_expenses": ExpenseGroup}),
    (BALANCES, {"open_invoices": OpenInvoiceGroup, "incoming": IncomingGroup, "credits": CreditGroup}),
    (FOLLOWED_BALANCES, {"open_invoices": OpenInvoiceGroup, "incoming": IncomingGroup, "credits": CreditGroup}),
    (PAYABLES, {"payables": PayableGroup}),
    (CASH_SINCE, {"cash_since": CashSinceGroup}),
    (QUOTES, {"quotes": QuoteGroup}),
    (RECURRING, {"recurring": Recurring}),
    (CLOSES, {"closes": Close}),
)

# Statements that concern only some of the tenants, and of a batch without any of these are not asked at all.
CONCERNS: Mapping[Statement, Callable[[Batch, Tenant], bool]] = {
    BALANCES: lambda batch, tenant: tenant.tenant_id not in batch.links_followed,
    FOLLOWED_BALANCES: lambda batch, tenant: tenant.tenant_id in batch.links_followed,
    CASH_REVENUE: lambda _, tenant: tenant.basis == "cash",
    CASH_SINCE: lambda _, tenant: tenant.cash_balance is not None and tenant.cash_balance_on is not None,
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
        self._missing: Missing | None = None

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
        with translate_database_errors(wanted):
            try:
                return self._load(wanted, now)
            except exc.DBAPIError as error:
                # The host has put another view in a table's place since the columns were looked up.
                if not columns_have_changed(error):
                    raise
                self._missing = None
                return self._load(wanted, now)

    def missing_columns(self) -> Missing:
        """The optional columns that the host's tables and views do not have; see workers/source/columns.py."""
        with translate_database_errors(), self._engine.begin() as connection:
            return missing_columns(connection)

    def _load(self, wanted: list[str], now: datetime | None) -> Loaded:
        if self._missing is None:
            self._missing = self.missing_columns()
        with one_state(self._engine) as connection:
            state, moment = read_state(connection, now)
            tenants, have_documents = read_tenants(connection, wanted, self._missing)
            clocks = {tenant.tenant_id: clock(moment, ZoneInfo(tenant.timezone)) for tenant in tenants.values()}
            batch = Batch(connection=connection, tenants=tenants, clocks=clocks, missing=self._missing)
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
    batch = with_links(batch)
    groups: defaultdict[str, Groups] = defaultdict(dict)
    for query, families in FAMILIES:
        concerns = CONCERNS.get(query)
        concerned = batch if concerns is None else batch.of(partial(concerns, batch))
        if concerned.tenants:
            for family, by_tenant in concerned.groups(query, families).items():
                groups[family] |= by_tenant
    activity = batch.groups(ACTIVITY, {"activity": ClientActivity})["activity"]
    thresholds = read_thresholds(batch, default_thresholds)
    return {
        tenant_id: TenantFacts(
            tenant=tenant,
            clock=batch.clocks[tenant_id],
            activity=activity.get(tenant_id, [ClientActivity()])[0],
            links_known=tenant_id not in batch.links_unknown,
            has_documents=have_documents[tenant_id],
            thresholds=thresholds[tenant_id],
            alerts=alerts.get(tenant_id, ()),
            **{family: tuple(by_tenant.get(tenant_id, ())) for family, by_tenant in groups.items()},
        )
        for tenant_id, tenant in batch.tenants.items()
    }
