"""A closed month that changes is told once, on the day on which it does, with what changed it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import Engine

from shared.keys import Keys
from shared.snapshot import CASH_FLOW, EXPENSES, REVENUE
from shared.store import SnapshotReader, SnapshotWriter
from tests.days import today
from tests.rows import Rows, add_tenant
from workers.alerts import AlertKeeper
from workers.audit.recount import differences, expected
from workers.recalculate import recalculate
from workers.remembered import Memory
from workers.source import Loaded, Source

Db = psycopg.Connection[Any]
DAY = timedelta(days=1)
LAST = today().replace(day=1) - DAY
LONG_AGO = LAST.replace(day=1) - 200 * DAY


def named(day: date) -> str:
    """The month of a day as a message names it."""
    return f"{day:%B}" + ("" if day.year == today().year else f" {day.year}")


class Days(Source):
    """The source on a day of the test's choice."""

    now = datetime.now(UTC)

    def load(self, tenant_ids: Any, *, now: datetime | None = None, **asked: Any) -> Loaded:
        return super().load(tenant_ids, now=now or self.now, **asked)


class Board:
    """One tenant whose first day is over, computed as the workers do; what is shown agrees with the recount each time."""

    def __init__(self, db: Db, engine: Engine, valkey: redis.Redis, keys: Keys, **columns: Any) -> None:
        self.rows: Rows = add_tenant(db, **columns)
        self.rows.close(today() - 2 * DAY)
        self._engine, self._source = engine, Days(engine)
        self._reader, self._writer = SnapshotReader(valkey, keys), SnapshotWriter(valkey, keys)
        self._alerts, self._memory = AlertKeeper(engine, valkey, keys), Memory()

    def tomorrow(self) -> None:
        self._source.now += DAY

    def told(self) -> dict[str, dict[str, Any]]:
        """The restatements that are shown, by metric."""
        now = self._source.now
        (done,) = recalculate(
            ["t1"],
            source=self._source,
            writer=self._writer,
            alerts=self._alerts,
            memory=self._memory,
            now=lambda: self._source.now,
        )
        assert done.status in ("changed", "unchanged"), done
        stored = self._reader.read("t1")
        snapshot, overview = (
            json.loads(body or b"", parse_float=Decimal) for body in (stored.snapshot, stored.overview)
        )
        assert differences(expected(self._engine, "t1", now=now), snapshot, overview) == []
        return {alert["metric"]: alert for alert in snapshot["alerts"] if alert["rule"] == "restatement"}


@pytest.fixture
def board(db: Db, engine: Engine, valkey: redis.Redis, keys: Keys) -> Callable[..., Board]:
    return lambda **columns: Board(db, engine, valkey, keys, **columns)


def test_it_is_told_by_number_until_the_day_is_over(board: Callable[..., Board]) -> None:
    shown = board()
    shown.rows.invoice(LAST, 1000, updated_at=datetime.now(UTC) - 2 * DAY)
    assert shown.told() == {}
    shown.rows.credit_note(LAST, 450, reference="CN-1042")

    told = shown.told()
    assert {metric: alert["level"] for metric, alert in told.items()} == {REVENUE: "info"}
    assert told[REVENUE]["message"] == f"{named(LAST)} changed: revenue -450.00 USD by CN-1042."
    assert told[REVENUE]["params"] == {
        "changes": [
            {
                "month": f"{LAST:%Y-%m}", "number": "revenue", "before": 1000, "after": 550, "documents": ["CN-1042"],
                "others": False,
            }
        ],
        "more": 0, "currency": "USD",
    }  # fmt: skip
    assert shown.told() == told

    shown.tomorrow()
    assert shown.told() == {}


def test_a_change_that_is_taken_back_is_none(board: Callable[..., Board]) -> None:
    shown = board()
    shown.rows.invoice(LAST, 1000)
    shown.told()
    shown.rows.invoice(LAST, 70, invoice_id="late")
    assert shown.told().keys() == {REVENUE}
    shown.rows.db.execute("DELETE FROM dashboard.invoice WHERE invoice_id = 'late'")

    assert shown.told() == {}


def test_each_number_is_told_under_the_metric_whose_past_it_is(board: Callable[..., Board]) -> None:
    shown = board()
    shown.told()
    shown.rows.expense(LONG_AGO, 30, reference="B-1", paid_on=LAST)
    for number in range(5):
        shown.rows.payment(LAST, 10, payment_id=f"p{number}")

    told = {metric: alert["message"] for metric, alert in shown.told().items()}
    assert told == {
        EXPENSES: f"{named(LONG_AGO)} changed: expenses +30.00 USD by B-1.",
        CASH_FLOW: f"{named(LAST)} changed: money in +50.00 USD by p0 and p1 and p2 and others, money out +30.00 USD by B-1.",
    }


def test_on_cash_basis_it_is_the_payment_that_counts(board: Callable[..., Board]) -> None:
    shown = board(basis="cash")
    invoice = shown.rows.invoice(LONG_AGO, 100)
    shown.told()
    shown.rows.payment(LAST, 100, on={invoice: 100}, reference="PAY-7")

    assert shown.told()[REVENUE]["message"] == f"{named(LAST)} changed: revenue +100.00 USD by PAY-7."


def test_neither_a_first_day_nor_another_basis_nor_the_current_month_restates_anything(
    board: Callable[..., Board], db: Db
) -> None:
    shown = board()
    db.execute("DELETE FROM dashboard.daily_close")
    shown.told()
    shown.rows.invoice(LAST, 1000)
    assert shown.told() == {}, "a host may still be filling its past in"

    shown.rows.close(today() - 2 * DAY)
    assert shown.told() == {}
    shown.rows.invoice(today(), 50)
    assert shown.told() == {}
    db.execute("UPDATE dashboard.tenant SET basis = 'cash'")
    assert shown.told() == {}
