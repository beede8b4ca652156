"""A batch is read: what the statements answer of each tenant, who of them is as the caller remembers it, and the facts of all
others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

import psycopg

from shared.thresholds import AlertThresholds
from workers.facts import NO_ACTIVITY, Clock, RebuiltClose, Tenant, TenantFacts
from workers.periods.load import UNKNOWN_PAST, Kept, Past
from workers.source.activity import ACTIVITY
from workers.source.alerts import KNOWN, THRESHOLDS, with_own
from workers.source.balances import BALANCES, FOLLOWED_BALANCES, TOLD, UNSETTLED_BALANCES
from workers.source.batch import Answers, Batch, Groups, statement
from workers.source.books import BOOKS, READ_BOOKS, Books
from workers.source.clock import clock
from workers.source.closes import CLOSES, is_first_day
from workers.source.columns import Missing
from workers.source.expenses import EXPENSES, PAID_EXPENSES, PAYABLES, UNPAID
from workers.source.fingerprint import Fingerprint, Remembered, fingerprint
from workers.source.invoices import CLIENTS, INVOICES, RECENT_INVOICES
from workers.source.links import PAYER
from workers.source.months import SHOWN_MONTHS
from workers.source.payments import CASH_SINCE, PAYMENTS, RECENT_PAYMENTS
from workers.source.quotes import DECIDED_QUOTES, QUOTES
from workers.source.rebuilt import rebuilt_closes
from workers.source.recurring import RECURRING
from workers.source.revenue import ALLOCATIONS, CASH_REVENUE, SETTLEMENTS
from workers.source.tenants import Opening
from workers.unsettled.known import Unsettled, known_of

# Everything that is known of a batch, each table read as few times as its indexes allow. What only cash basis asks for is a
# quarter of the plan, and to set a plan up costs a tenant alone as much as to carry it out: it is left out where nobody asks.
_READ = (READ_BOOKS, RECENT_INVOICES, RECENT_PAYMENTS, DECIDED_QUOTES, UNPAID, *TOLD)
_FAMILIES = (
    BOOKS, INVOICES, CLIENTS, PAYMENTS, QUOTES, ACTIVITY, EXPENSES, PAID_EXPENSES, PAYABLES, CASH_SINCE, *BALANCES,
    RECURRING, CLOSES, SHOWN_MONTHS, KNOWN, THRESHOLDS,
)  # fmt: skip
ACCRUAL_FACTS = statement(*_READ, *_FAMILIES, payer=PAYER)
FACTS = statement(*_READ, *CASH_REVENUE, *_FAMILIES, ALLOCATIONS, SETTLEMENTS, payer=PAYER)


class Read(NamedTuple):
    """What a batch came to; each field is as of source.Loaded."""

    facts: dict[str, TenantFacts]
    unchanged: dict[str, Clock]
    fingerprints: dict[str, Fingerprint]
    unsettled_due: tuple[str, ...]


NOTHING_READ = Read({}, {}, {}, ())


@dataclass(frozen=True, slots=True)
class Reading:
    """How a process reads batches; `thresholds`, `past` and `enough_allocations` as of Source."""

    thresholds: AlertThresholds
    past: Past
    enough_allocations: int

    def read(
        self, connection: psycopg.Connection, opening: Opening, missing: Missing, remembered: Remembered | None
    ) -> Read:
        """Facts of the tenants that the opening found, in its transaction; `remembered` as of Source.load."""
        if not opening.tenants:
            return NOTHING_READ
        clocks = {t.tenant_id: clock(opening.moment, ZoneInfo(t.timezone)) for t in opening.tenants.values()}
        batch = Batch(connection=connection, tenants=opening.tenants, clocks=clocks, missing=missing)
        past = self.past.of(batch, opening.pasts)
        answers, books, unsettled = _answers(batch, self.enough_allocations)
        fingerprints = _fingerprints(batch, opening, past, answers) if remembered else {}
        unchanged = {t: clocks[t] for t, now in fingerprints.items() if remembered and now == remembered(t, clocks[t])}
        others = batch.of(lambda tenant_id: tenant_id not in unchanged)
        facts = _facts(others, answers, books, past, self.thresholds, unsettled)
        return Read(facts, unchanged, fingerprints, unsettled.due)


def _answers(batch: Batch, enough_allocations: int) -> tuple[Answers, dict[str, Books], Unsettled]:
    """What the database says of each tenant, of their books first, for what else is asked depends on that."""
    on_cash = any(tenant.basis == "cash" for tenant in batch.tenants.values())
    answers = batch.answers(FACTS if on_cash else ACCRUAL_FACTS)
    books = {t: FACTS.read(t, {"books": told["books"]})["books"][0] for t, told in answers.items()}
    followed = batch.of(lambda tenant_id: books[tenant_id].links_followed)
    unsettled = _unsettled(followed, enough_allocations)
    for query, part in (
        (UNSETTLED_BALANCES, followed.of(lambda tenant_id: tenant_id in unsettled.known)),
        (FOLLOWED_BALANCES, followed.of(lambda tenant_id: tenant_id not in unsettled.known)),
    ):
        for tenant_id, balances in part.answers(query).items() if part.tenants else ():
            answers[tenant_id] |= balances
    return answers, books, unsettled


def _fingerprints(batch: Batch, opening: Opening, past: Mapping[str, Kept], answers: Answers) -> dict[str, Fingerprint]:
    """Of those whose rows nobody has changed: of the others it is known that they will not be the same."""
    return {
        t: fingerprint(tenant, batch.clocks[t], opening.pasts.get(t), past.get(t, UNKNOWN_PAST), answers[t])
        for t, tenant in batch.tenants.items()
        if t not in opening.changed
    }


def _facts(
    batch: Batch,
    answers: Answers,
    books: Mapping[str, Books],
    past: Mapping[str, Kept],
    default_thresholds: AlertThresholds,
    unsettled: Unsettled,
) -> dict[str, TenantFacts]:
    found = {tenant_id: FACTS.read(tenant_id, answers[tenant_id]) for tenant_id in batch.tenants}
    rebuilt = rebuilt_closes(
        batch.of(lambda tenant_id: is_first_day(found[tenant_id].get("closes", ()), batch.clocks[tenant_id].today)),
        links_followed=lambda tenant_id: books[tenant_id].links_followed,
        unsettled_known=unsettled.known,
    )
    return {
        tenant_id: _of_tenant(
            tenant,
            batch.clocks[tenant_id],
            found[tenant_id],
            default_thresholds,
            past.get(tenant_id, UNKNOWN_PAST),
            rebuilt.get(tenant_id),
        )
        for tenant_id, tenant in batch.tenants.items()
    }


def _unsettled(followed: Batch, enough_allocations: int) -> Unsettled:
    if not followed.tenants:
        return Unsettled()
    todays = {tenant_id: followed.clocks[tenant_id].today for tenant_id in followed.tenants}
    return known_of(followed.connection, todays, enough_allocations)


def _of_tenant(
    tenant: Tenant,
    clock: Clock,
    families: Groups,
    thresholds: AlertThresholds,
    kept: Kept,
    rebuilt: RebuiltClose | None,
) -> TenantFacts:
    books: Books = families.pop("books")[0]
    own_thresholds = families.pop("thresholds", ())
    activity = families.pop("activity", (NO_ACTIVITY,))
    shown = families.pop("shown_months", (None,))
    return TenantFacts(
        tenant=tenant,
        clock=clock,
        activity=activity[0],
        shown_months=shown[0],
        touched={},
        links_known=books.links_known,
        has_documents=books.has_documents,
        thresholds=with_own(thresholds, own_thresholds),
        kept=kept.past,
        kept_as_of=kept.as_of,
        rebuilt=rebuilt,
        **families,
    )
