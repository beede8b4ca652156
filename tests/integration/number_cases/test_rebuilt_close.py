"""On the first day yesterday's close of the open invoices is worked out from the documents."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from shared.snapshot import OVERDUE, PENDING
from tests.integration.number_cases.board import DAY, TODAY, YESTERDAY, Db, shown
from tests.rows import Rows, add_tenant


def open_at(engine: Engine) -> tuple[tuple[object, object], tuple[object, object]]:
    """(pending, overdue) as yesterday ended, and now; both said to be rebuilt."""
    metrics = shown(engine).metrics
    pending, overdue = metrics[PENDING], metrics[OVERDUE]
    assert (pending.rebuilt, overdue.rebuilt) == (True, True)
    return (pending.previous, overdue.previous), (pending.value, overdue.value)


class Told:
    """Invoices of one tenant that tells their balances as they are now, or leaves them to be worked out."""

    def __init__(self, tenant: Rows, told: bool) -> None:
        self.tenant, self.told = tenant, told

    def invoice(self, issued_on: object, *, left: int, total: int = 100, **columns: object) -> str:
        balance = {"balance": left} if self.told else {}
        return self.tenant.invoice(issued_on, total, **balance, **columns)  # type: ignore[arg-type]

    def pay(self, invoice: str, amount: int, day: object = TODAY, kind: str = "payment") -> None:
        unapplied = {"unapplied": 0} if self.told else {}
        self.tenant.payment(day, amount, on={invoice: amount}, kind=kind, **unapplied)  # type: ignore[arg-type]


@pytest.fixture(params=[True, False], ids=["balances told", "balances worked out"])
def books(request: pytest.FixtureRequest, db: Db) -> Told:
    return Told(add_tenant(db), request.param)


def test_what_was_paid_today_was_open_yesterday(books: Told, engine: Engine) -> None:
    paid = books.invoice(YESTERDAY, left=0)
    books.pay(paid, 100)
    part = books.invoice(YESTERDAY - DAY, left=60)
    books.pay(part, 40)
    before = books.invoice(YESTERDAY - DAY, left=0)
    books.pay(before, 100, YESTERDAY)

    assert open_at(engine) == ((2, 0), (1, 0))


def test_what_is_issued_today_was_not_there_and_what_is_overdue_since_today_was_pending(
    books: Told, engine: Engine
) -> None:
    books.invoice(TODAY, left=100)
    books.invoice(TODAY + DAY, left=100)
    books.invoice(TODAY - 9 * DAY, left=100, due_date=YESTERDAY)
    books.invoice(TODAY - 9 * DAY, left=100, due_date=YESTERDAY - DAY)
    books.invoice(TODAY - 9 * DAY, left=100, due_date=None)

    assert open_at(engine) == ((2, 1), (3, 2))


def test_what_was_reopened_or_written_off_today_stood_otherwise_yesterday(books: Told, engine: Engine) -> None:
    reopened = books.invoice(TODAY - 5 * DAY, left=30)
    books.pay(reopened, 100, YESTERDAY)
    books.pay(reopened, 30, kind="refund")
    books.invoice(TODAY - 5 * DAY, left=100, written_off_on=TODAY)
    books.invoice(TODAY - 5 * DAY, left=100, written_off_on=YESTERDAY)

    assert open_at(engine) == ((1, 0), (1, 0))


def test_a_credit_note_of_today_settles_today(books: Told, engine: Engine) -> None:
    credited = books.invoice(YESTERDAY, left=0)
    balance = {"balance": 0} if books.told else {}
    books.tenant.credit_note(TODAY, 100, on={credited: 100}, **balance)

    assert open_at(engine) == ((1, 0), (0, 0))


def test_from_the_second_day_on_nothing_is_rebuilt(books: Told, engine: Engine) -> None:
    books.invoice(YESTERDAY, left=100)
    books.tenant.close(YESTERDAY - DAY, pending=4)
    missed = shown(engine).metrics[PENDING]
    books.tenant.close(YESTERDAY, pending=4)
    kept = shown(engine).metrics[PENDING]

    assert (missed.previous, missed.rebuilt, kept.previous, kept.rebuilt) == (None, None, 4, None)
