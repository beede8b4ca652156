"""Whatever the rows of a tenant are: the documents behind a number sum to it, to the cent, and leave out what it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from shared.receipts import PARAMETERS, Question
from shared.snapshot import (
    ACTIVITY,
    CASH_FLOW,
    CONVERSION,
    EXPENSES,
    OVERDUE,
    PENDING,
    PROFIT,
    REVENUE,
    Metric,
    Overview,
    Snapshot,
    Unconverted,
)
from tests.integration.test_batch_equals_recount import Business, businesses, moments, rates_of_everyone, write
from workers.audit.recount.books import open_books, read_rows
from workers.audit.recount.fates import ledger_of
from workers.audit.recount.receivables import days_late
from workers.kpi.dashboard import dashboard
from workers.receipts.changes import Listed, moves
from workers.receipts.document import Document, left_out
from workers.receipts.receipt import Found, find_documents
from workers.source import Source


class Asked:
    """A tenant's dashboard at one moment, and the documents behind its numbers at the same."""

    def __init__(self, engine: Engine, tenant_id: str, now: datetime) -> None:
        self._source, self._now, self._tenant_id = Source(engine), now, tenant_id
        self._source.mend([tenant_id], now=now)
        self._source.make_totals_anew(1)
        made = dashboard(self._source.load([tenant_id], now=now).facts[tenant_id], computed_at=now)
        self.snapshot: Snapshot = made.snapshot
        self.overview: Overview = made.overview

    @property
    def metrics(self) -> dict[str, Metric]:
        return {metric.name: metric for metric in self.snapshot.metrics}

    def found(self, number: str, **narrowed: Any) -> Listed:
        found = self._find(number, **narrowed).now
        check(found, number, narrowed)
        return found

    def _find(self, number: str, **narrowed: Any) -> Found:
        found = find_documents(self._source, self._tenant_id, Question(number=number, **narrowed), now=self._now)
        assert found is not None
        return found

    def compared(self, number: str, **narrowed: Any) -> Listed:
        """The documents of the time before; the changes lead from their sum and number to those of now."""
        found = self._find(number, changes=True, **narrowed)
        assert found.compared is not None
        now, before, listed = found.now, found.compared.before, found.listed
        for of_these in (before, listed):
            check(of_these, number, narrowed)
        known = now.total is not None and before.total is not None
        assert listed.total == (now.total - before.total if known else None), (number, narrowed)  # type: ignore[operator]
        parts = moves(listed.documents)
        assert sum_of(listed.documents) == sum_of(now.documents) - sum_of(before.documents), (number, narrowed)
        assert sum_of(listed.documents) == sum(part.total or 0 for part in (parts.into, parts.out, parts.changed))
        assert len(now.documents) - len(before.documents) == parts.into.count - parts.out.count, (number, narrowed)
        return before

    def was_open(self, engine: Engine) -> None:
        """Yesterday's close of open invoices is what the independent recount says of each of them."""
        with engine.connect() as connection:
            books = open_books(read_rows(connection, self._tenant_id), self._now)
        postings = ledger_of(books).all("open_yesterday")
        before = [*self.compared("pending-invoices").documents, *self.compared("overdue-invoices").documents]
        assert {(one.id, one.currency, one.amount, one.base_amount) for one in before} == {
            (posting.document[1], posting.currency, posting.amount, posting.base) for posting in postings
        }
        late = self.compared("overdue-invoices").documents
        assert {one.id for one in late} == {one.document[1] for one in postings if days_late(books, one) > 1}
        assert sum_of(self.compared("outstanding").documents) == sum_of(before)

    def adds_up(self, wanted: Decimal | None, number: str, **narrowed: Any) -> Listed:
        found = self.found(number, **narrowed)
        assert found.total == wanted, (number, narrowed, found.documents)
        return found

    def narrows(self, whole: Listed, number: str, **asked: Any) -> None:
        """Each way to narrow the number finds those of all its documents that are so, and no others."""
        for name in sorted(PARAMETERS[number] & {"client_id", "category", "currency"}):
            for wanted in {getattr(one, name) for one in whole.documents} - {None}:
                some = [one for one in whole.documents if getattr(one, name) == wanted]
                assert self.found(number, **asked, **{name: wanted}).documents == some, (number, asked, name, wanted)


def sum_of(documents: Sequence[Document]) -> Decimal:
    return sum((one.base_amount for one in documents if one.base_amount is not None), Decimal())


def check(listed: Listed, number: str, narrowed: dict[str, Any]) -> None:
    assert listed.total in (None, sum_of(listed.documents)), (number, narrowed)
    without = [one.base_amount is None for one in listed.documents]
    assert without == sorted(without), "those without a rate come last"


def lacking(found: Listed, wanted: Iterable[Unconverted]) -> None:
    assert {(one.currency, one.amount, one.documents) for one in left_out(found.documents)} == {
        (one.currency, one.amount, one.documents) for one in wanted
    }


@settings(
    max_examples=12,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(now=moments, business=businesses, rates_for_everyone=rates_of_everyone)
def test_documents_sum_to_every_number(
    db: psycopg.Connection[Any],
    engine: Engine,
    now: datetime,
    business: Business,
    rates_for_everyone: dict[tuple[str, str, int], str],
) -> None:
    write(db, now, {"t1": business}, rates_for_everyone)
    asked = Asked(engine, "t1", now)
    metrics, overview = asked.metrics, asked.overview

    for number, name in (("daily-revenue", REVENUE), ("daily-expenses", EXPENSES), ("cash-flow", CASH_FLOW)):
        lacking(asked.adds_up(metrics[name].value, number), metrics[name].unconverted)
    for number, name in (("pending-invoices", PENDING), ("overdue-invoices", OVERDUE)):
        found = asked.adds_up(metrics[name].amount, number)  # type: ignore[arg-type]
        assert len(found.documents) == metrics[name].value
        lacking(found, metrics[name].unconverted)
    lacking(asked.found("quote-conversion"), metrics[CONVERSION].unconverted)
    active = asked.found("client-activity")
    assert len({one.client_id for one in active.documents}) == metrics[ACTIVITY].value

    for period in overview.periods:
        for number in ("revenue", "expenses", "profit", "money_in", "money_out"):
            found = asked.adds_up(getattr(period, number), number.replace("_", "-"), period=period.name)
            if number != "profit":
                lacking(found, period.unconverted.get(number, ()))
        found = asked.found("revenue", first=period.first, last=min(period.last, asked.snapshot.local_date))
        assert found.documents == asked.found("revenue", period=period.name).documents

    lacking(asked.adds_up(overview.receivables.outstanding, "outstanding"), overview.unconverted.receivables)
    for bucket in overview.receivables.ageing:
        assert len(asked.adds_up(bucket.amount, "outstanding", bucket=bucket.bucket).documents) == bucket.count
        asked.compared("outstanding", bucket=bucket.bucket)
    for debtor in overview.receivables.debtors:
        if debtor.client_id is not None:
            owed = asked.adds_up(debtor.outstanding, "outstanding", client_id=debtor.client_id)
            assert len(owed.documents) == debtor.invoices
    lacking(
        asked.adds_up(overview.receivables.customer_credit, "customer-credit"), overview.unconverted.customer_credit
    )
    lacking(asked.adds_up(overview.cash_forecast[-1].cumulative, "forecast"), overview.unconverted.cash_forecast)

    for number, name in (("daily-revenue", REVENUE), ("daily-expenses", EXPENSES), ("cash-flow", CASH_FLOW)):
        assert asked.compared(number).total == metrics[name].previous
    assert asked.compared("profit", period="today").total == metrics[PROFIT].previous
    yesterday = asked.snapshot.local_date - timedelta(days=1)
    before = asked.found("revenue", first=yesterday, last=yesterday)
    assert asked.compared("daily-revenue") == before == asked.compared("revenue", period="today")
    assert asked.compared("revenue", first=asked.snapshot.local_date, last=asked.snapshot.local_date) == before
    for period in overview.periods:
        numbers = ("revenue", "expenses", "profit", "money_in", "money_out") if period.name == "today" else ("profit",)
        for number in numbers:
            was = asked.compared(number.replace("_", "-"), period=period.name)
            assert was.total == getattr(period.previous, number), (number, period.name)
    asked.compared("quote-conversion")
    was_active = {one.client_id for one in asked.compared("client-activity").documents}
    assert len(was_active) == metrics[ACTIVITY].previous
    asked.was_open(engine)

    for number, parameters in PARAMETERS.items():
        days = {"period": "last_30_days"} if "period" in parameters else {}
        asked.narrows(asked.found(number, **days), number, **days)
