"""The edge cases of SPEC 4 as rows, each shown alike by the batch and by the independent calculation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import Engine

from shared.snapshot import (
    ACTIVITY,
    CASH_FLOW,
    CONVERSION,
    DASHBOARD,
    EXPENSES,
    METRIC_NAMES,
    OVERDUE,
    PENDING,
    PROFIT,
    REVENUE,
)
from tests.calculations import agreed
from tests.rows import add_tenant

DAY = timedelta(days=1)
TODAY = date(2026, 3, 11)
NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timezone", "shown_as"), [("Pacific/Tongatapu", OVERDUE), ("UTC", PENDING), ("America/New_York", PENDING)]
)
def test_invoice_due_today_is_pending_until_local_midnight(
    db: psycopg.Connection, engine: Engine, timezone: str, shown_as: str
) -> None:
    tenant = add_tenant(db, timezone=timezone)
    tenant.invoice(date(2026, 3, 1), 100, due_date=date(2026, 3, 10))

    shown = agreed(engine, "t1", datetime(2026, 3, 10, 12, 0, tzinfo=UTC))

    assert {name: shown.metrics[name].value for name in (PENDING, OVERDUE)} == {
        PENDING: shown_as == PENDING,
        OVERDUE: shown_as == OVERDUE,
    }


@pytest.mark.parametrize(
    ("timezone", "moment", "local_date", "share"),
    [
        # 8 March 05:00 to 9 March 04:00 UTC, 23 h: after 11.5 h it is half over.
        ("America/New_York", datetime(2026, 3, 8, 16, 30, tzinfo=UTC), date(2026, 3, 8), "0.5"),
        # 1 November 04:00 to 2 November 05:00 UTC, 25 h.
        ("America/New_York", datetime(2026, 11, 1, 16, 30, tzinfo=UTC), date(2026, 11, 1), "0.5"),
        # 6 September begins at 01:00 local, 04:00 UTC, and ends 23 h later.
        ("America/Santiago", datetime(2026, 9, 6, 15, 30, tzinfo=UTC), date(2026, 9, 6), "0.5"),
        ("America/Santiago", datetime(2026, 9, 6, 4, 0, tzinfo=UTC), date(2026, 9, 6), "0"),
        # 5 September began at 04:00 UTC too; one minute of 24 h is left.
        ("America/Santiago", datetime(2026, 9, 6, 3, 59, tzinfo=UTC), date(2026, 9, 5), "0.9993"),
    ],
)
def test_local_day_has_the_length_that_its_clock_gives_it(
    db: psycopg.Connection, engine: Engine, timezone: str, moment: datetime, local_date: date, share: str
) -> None:
    tenant = add_tenant(db, timezone=timezone)
    tenant.invoice(local_date, 100)

    shown = agreed(engine, "t1", moment)

    assert shown.local_date == local_date
    assert shown.metrics[REVENUE].confidence_factors.day == Decimal(share)
    assert shown.metrics[REVENUE].value == 100


def test_down_is_not_said_before_three_quarters_of_a_short_day(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db, timezone="America/New_York")
    tenant.invoice(date(2026, 3, 7), 1000)
    # 17.25 of 23 hours after 05:00 UTC.
    three_quarters = datetime(2026, 3, 8, 22, 15, tzinfo=UTC)

    early = agreed(engine, "t1", three_quarters - timedelta(seconds=1)).metrics[REVENUE]
    late = agreed(engine, "t1", three_quarters).metrics[REVENUE]

    assert (early.trend, early.reason, early.good) == ("stable", "partial_day", None)
    assert (late.trend, late.reason, late.good) == ("down", None, False)


def test_days_overdue_fall_into_their_buckets_which_sum_to_overdue(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    # Powers of two, so that the amount of a bucket tells which invoices are in it.
    for number, days in enumerate((0, 1, 30, 31, 60, 61, 90, 91)):
        tenant.invoice(TODAY - 100 * DAY, 2**number, due_date=TODAY - days * DAY)
    tenant.invoice(TODAY, 1000, due_date=None)

    shown = agreed(engine, "t1", NOON)

    buckets = {bucket: (ageing.count, ageing.amount) for bucket, ageing in shown.receivables.ageing.items()}
    assert buckets == {"current": (2, 1001), "1-30": (2, 6), "31-60": (2, 24), "61-90": (2, 96), "90+": (1, 128)}
    assert (shown.metrics[OVERDUE].value, shown.metrics[OVERDUE].amount) == (7, 6 + 24 + 96 + 128)


def test_money_paid_beyond_the_total_becomes_customer_credit(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    paid_twice = tenant.invoice(TODAY, 100)
    tenant.payment(TODAY, 250, on={paid_twice: 180})
    credited = tenant.invoice(TODAY, 100)
    tenant.payment(TODAY, 60, on={credited: 60})
    tenant.credit_note(TODAY, 100, on={credited: 100})

    receivables = agreed(engine, "t1", NOON).receivables

    assert receivables.outstanding == 0
    # 70 not allocated, 80 beyond the first total; 60 of money beyond the second, which the credit note pays in full.
    assert receivables.customer_credit == 70 + 80 + 60


def test_refund_of_allocated_money_reopens_the_invoice(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY, 100)
    tenant.payment(TODAY, 100, on={invoice: 100})
    tenant.refund(TODAY, 40, on={invoice: 40})

    shown = agreed(engine, "t1", NOON)

    assert (shown.metrics[PENDING].value, shown.metrics[PENDING].amount) == (1, 40)
    assert shown.receivables.customer_credit == 0


def test_refund_that_is_not_allocated_takes_from_credit_and_never_below_zero(
    db: psycopg.Connection, engine: Engine
) -> None:
    tenant = add_tenant(db)
    tenant.payment(TODAY, 30)
    tenant.refund(TODAY, 50)

    assert agreed(engine, "t1", NOON).receivables.customer_credit == 0


def test_draft_void_failed_and_future_money_settles_nothing_yet(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY, 100)
    tenant.payment(TODAY + DAY, 10, on={invoice: 10})
    tenant.payment(TODAY, 10, on={invoice: 10}, status="pending")
    tenant.credit_note(TODAY, 10, on={invoice: 10}, status="draft")
    tenant.credit_note(TODAY + DAY, 10, on={invoice: 10})
    void = tenant.invoice(TODAY, 100, status="void")
    tenant.payment(TODAY, 25, on={void: 25})

    shown = agreed(engine, "t1", NOON)

    assert shown.receivables.outstanding == 100
    assert shown.receivables.customer_credit == 25
    assert shown.metrics[CASH_FLOW].value == 25


def test_given_balance_wins_and_a_negative_one_counts_as_zero(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.payment(TODAY, 90, on={tenant.invoice(TODAY, 100, balance=70): 90})
    tenant.invoice(TODAY, 100, balance=-5)
    tenant.invoice(TODAY, 100, written_off_on=TODAY)
    tenant.invoice(TODAY, 100, written_off_on=TODAY + DAY)

    pending = agreed(engine, "t1", NOON).metrics[PENDING]

    assert (pending.value, pending.amount) == (2, 170)


def test_invoice_dated_in_the_future_is_open_and_an_anomaly(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY + DAY, 100)
    tenant.invoice(TODAY, 100)

    shown = agreed(engine, "t1", NOON)

    assert shown.metrics[PENDING].value == 2
    assert shown.metrics[PENDING].confidence_factors.quality == Decimal("0.5")
    assert shown.metrics[REVENUE].value == 100


def test_recurring_template_is_no_document(db: psycopg.Connection, engine: Engine) -> None:
    add_tenant(db).recurring(TODAY, 100)

    shown = agreed(engine, "t1", NOON)

    assert shown.state == "no_data"
    assert {metric.value for metric in shown.metrics.values()} == {0, None}


def test_tenant_without_data_shows_zeros_and_knows_nothing(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 100, status="draft")
    tenant.payment(TODAY, 100, status="failed")

    shown = agreed(engine, "t1", NOON)

    assert shown.state == "no_data"
    values = {name: shown.metrics[name].value for name in METRIC_NAMES}
    assert values == dict.fromkeys(METRIC_NAMES, 0) | {CONVERSION: None}
    assert {(metric.trend, metric.confidence) for metric in shown.metrics.values()} == {("stable", 0)}
    assert (shown.score.value, shown.score.coverage) == (None, 0)
    assert shown.alerts == [("info", DASHBOARD)]


@pytest.mark.parametrize(
    ("currency", "total", "served"),
    [("JPY", "88000", "88000"), ("JPY", "88000.5", "88001"), ("KWD", "1.2345", "1.235"), ("USD", "1.2345", "1.23")],
)
def test_money_has_the_decimals_of_its_currency(
    db: psycopg.Connection, engine: Engine, currency: str, total: str, served: str
) -> None:
    tenant = add_tenant(db, base_currency=currency)
    tenant.invoice(TODAY, total)

    shown = agreed(engine, "t1", NOON)

    assert (str(shown.metrics[REVENUE].value), str(shown.receivables.outstanding)) == (served, served)


def test_receivables_that_are_all_foreign_use_todays_rate_before_their_own(
    db: psycopg.Connection, engine: Engine
) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY - 20 * DAY, 100, currency="EUR", base_rate=2)
    tenant.invoice(TODAY - 20 * DAY, 100, currency="GBP", base_rate=3)
    tenant.rate("EUR", TODAY, "1.5")

    receivables = agreed(engine, "t1", NOON).receivables

    assert receivables.outstanding == 150 + 300
    assert {currency: owed.amount for currency, owed in receivables.by_currency.items()} == {"EUR": 100, "GBP": 100}


def test_receivables_without_any_rate_are_unknown_but_counted(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 100, currency="EUR")

    shown = agreed(engine, "t1", NOON)

    pending = shown.metrics[PENDING]
    assert (pending.value, pending.amount, pending.confidence) == (1, None, 0)
    assert {currency: (left.amount, left.documents) for currency, left in pending.unconverted.items()} == {
        "EUR": (100, 1)
    }
    assert shown.receivables.outstanding is None
    assert (shown.receivables.ageing["current"].amount, shown.receivables.ageing["90+"].amount) == (None, 0)
    assert shown.metrics[REVENUE].value is None
    assert shown.metrics[PROFIT].value is None


@pytest.mark.parametrize(
    ("rates", "served"),
    [
        ([(7, "1.07", False)], "107.00"),
        ([(8, "1.08", False)], None),
        ([(-1, "1.01", False)], None),
        ([(2, "1.02", False), (1, "1.01", True)], "101.00"),
        ([(1, "1.01", True), (1, "1.10", False)], "110.00"),
    ],
    ids=["seven days old", "eight days old", "of tomorrow", "the newer date wins", "its own wins on the same date"],
)
def test_newest_rate_of_the_last_seven_days_converts(
    db: psycopg.Connection, engine: Engine, rates: list[tuple[int, str, bool]], served: str | None
) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 100, currency="EUR")
    for days_old, rate, everyone in rates:
        tenant.rate("EUR", TODAY - days_old * DAY, rate, everyone=everyone)

    value = agreed(engine, "t1", NOON).metrics[REVENUE].value

    assert (None if value is None else str(value)) == served


def test_credit_note_counts_on_its_own_date_with_a_minus(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    invoice = tenant.invoice(TODAY - DAY, 110, tax=10)
    tenant.credit_note(TODAY, 55, tax=5, on={invoice: 55})

    revenue = agreed(engine, "t1", NOON).metrics[REVENUE]

    assert (revenue.value, revenue.previous, revenue.change_percent) == (-50, 100, -150)


def test_cash_basis_counts_allocated_money_without_tax_and_at_the_rate_of_its_invoice(
    db: psycopg.Connection, engine: Engine
) -> None:
    tenant = add_tenant(db, basis="cash")
    invoice = tenant.invoice(TODAY - 3 * DAY, 120, tax=20, currency="EUR")
    tenant.rate("EUR", TODAY - 3 * DAY, 2)
    tenant.rate("EUR", TODAY, 3)
    tenant.payment(TODAY, 60, on={invoice: 60}, currency="EUR")
    tenant.refund(TODAY, 12, on={invoice: 12}, currency="EUR")
    tenant.expense(TODAY - DAY, 12, tax=2, paid_on=TODAY, currency="EUR")

    shown = agreed(engine, "t1", NOON)

    # (60 − 12) × 100/120 × 2; 10 × 3; (60 − 12 − 12) × 3.
    assert [shown.metrics[name].value for name in (REVENUE, EXPENSES, CASH_FLOW)] == [80, 30, 108]


def test_vendor_credit_lowers_expenses(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.expense(TODAY, 100)
    tenant.expense(TODAY, -130)

    shown = agreed(engine, "t1", NOON)

    assert (shown.metrics[EXPENSES].value, shown.metrics[PROFIT].value) == (-30, 30)


def test_quotes_are_decided_by_answer_or_by_expiry(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.quote("accepted", TODAY - 100 * DAY, decided_on=TODAY - 89 * DAY)
    tenant.quote("converted", TODAY - 89 * DAY)
    tenant.quote("declined", TODAY - 100 * DAY, decided_on=TODAY)
    # Expired on expiry_date + 1: yesterday's expiry is decided today, today's not yet.
    tenant.quote("sent", TODAY - 100 * DAY, expiry_date=TODAY - DAY)
    tenant.quote("sent", TODAY - 100 * DAY, expiry_date=TODAY)
    tenant.quote("sent", TODAY - 100 * DAY)
    tenant.quote("draft", TODAY)
    tenant.quote("void", TODAY, decided_on=TODAY)
    # Just before the 90 days: one won, one lost.
    tenant.quote("accepted", TODAY - 90 * DAY)
    tenant.quote("expired", TODAY - 120 * DAY, expiry_date=TODAY - 91 * DAY)

    conversion = agreed(engine, "t1", NOON).metrics[CONVERSION]

    assert (conversion.value, conversion.previous, conversion.change) == (Decimal("0.5"), Decimal("0.5"), 0)


def test_clients_are_active_by_invoice_payment_or_accepted_quote(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY - 29 * DAY, 100, client_id="invoiced")
    tenant.payment(TODAY, 100, client_id="paying")
    tenant.payment(TODAY, 100, client_id="paying")
    tenant.quote("accepted", TODAY, client_id="agreeing")
    tenant.credit_note(TODAY, 100, client_id="credited")
    tenant.refund(TODAY, 100, client_id="refunded")
    tenant.quote("declined", TODAY, client_id="declining")
    tenant.invoice(TODAY, 100)
    tenant.invoice(TODAY - 30 * DAY, 100, client_id="earlier")

    activity = agreed(engine, "t1", NOON).metrics[ACTIVITY]

    assert (activity.value, activity.previous, activity.change_percent) == (3, 1, 200)
    # Five documents in the 30 days, the one without a client among them.
    assert activity.confidence_factors.sample == Decimal("0.3333")


@pytest.mark.parametrize(("overdue", "fires"), [(5, False), (6, True)])
def test_overdue_alert_fires_above_five(db: psycopg.Connection, engine: Engine, overdue: int, fires: bool) -> None:
    tenant = add_tenant(db)
    for _ in range(overdue):
        tenant.invoice(TODAY - 40 * DAY, 100)

    assert (("warning", OVERDUE) in agreed(engine, "t1", NOON).alerts) == fires


def test_open_invoices_compare_with_yesterdays_close(db: psycopg.Connection, engine: Engine) -> None:
    tenant = add_tenant(db)
    tenant.invoice(TODAY, 100)
    tenant.close(TODAY - 2 * DAY, pending=4, overdue=1)
    assert agreed(engine, "t1", NOON).metrics[PENDING].previous is None

    tenant.close(TODAY - DAY, pending=4, overdue=1)
    shown = agreed(engine, "t1", NOON)

    pending, overdue = shown.metrics[PENDING], shown.metrics[OVERDUE]
    assert (pending.previous, pending.change, pending.trend, pending.good) == (4, -3, "down", None)
    assert (overdue.previous, overdue.change, overdue.trend, overdue.good) == (1, -1, "down", True)
    assert shown.alerts == []
