"""Which alerts must be shown: every rule of SPEC 4, with the tenant's thresholds, and what became of failed computations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from shared.snapshot import CASH_FLOW, CONVERSION, DASHBOARD, EXPENSES, OVERDUE, PROFIT, REVENUE, SYSTEM, Level
from shared.thresholds import AlertThresholds
from workers.audit.recount.books import DAY, Books
from workers.audit.recount.history import months
from workers.audit.recount.metrics import Metric
from workers.audit.recount.periods import Periods
from workers.audit.recount.postings import Posting
from workers.audit.recount.receivables import overdue

SUCCESS_CONFIDENCE = Decimal("0.5")
RECOVERED_FOR = timedelta(hours=1)

# In the order in which they are kept.
CLOSED = ("revenue", "expenses", "money_in", "money_out")

Shown = tuple[Level, str]


def alerts(periods: Periods, by_name: Mapping[str, Metric], defaults: AlertThresholds) -> list[Shown]:
    """(level, metric) of every rule that holds, sorted. The rules look at the values that are shown, so a loss that
    rounds to nothing is none."""
    books = periods.books
    begins = {name: getattr(defaults, name) for name in AlertThresholds.__slots__}
    begins |= {row["rule"]: row["value"] for row in books.thresholds}
    found: list[Shown] = [("warning", SYSTEM)] * books.unknown_settings
    found += _about_today(by_name, begins)
    found += _about_what_is_owed(by_name, overdue(books, periods.ledger.all("open")), begins)
    found += _about_what_comes(periods, begins)
    if _has_recovered(books):
        found.append(("info", SYSTEM))
    if not any(close["local_date"] < books.today for close in books.closes):
        found.append(("info", DASHBOARD))
    found += _about_closed_months(periods)
    return sorted(found)


def _about_today(by_name: Mapping[str, Metric], begins: Mapping[str, Decimal | None]) -> Iterator[Shown]:
    for rule, metric, level in (("profit_floor", PROFIT, "critical"), ("cash_below", CASH_FLOW, "warning")):
        floor, value = begins[rule], by_name[metric].value
        if floor is not None and value is not None and value < floor:
            yield ("critical" if level == "critical" else "warning"), metric
    earned = by_name[REVENUE]
    least = begins["revenue_growth"]
    if earned.trend == "up" and earned.confidence >= SUCCESS_CONFIDENCE and _has_grown(earned, least):
        yield "success", REVENUE


def _has_grown(earned: Metric, least_percent: Decimal | None) -> bool:
    """From nothing any rise is enough; a percentage that is not known for want of a rate is not known to be reached."""
    if least_percent is None or not earned.previous:
        return True
    return earned.change_percent is not None and earned.change_percent >= least_percent


def _about_what_is_owed(
    by_name: Mapping[str, Metric], late: Sequence[Posting], begins: Mapping[str, Decimal | None]
) -> Iterator[Shown]:
    shown, most, sum_limit = by_name[OVERDUE], begins["overdue_count"], begins["overdue_amount"]
    if most is not None and shown.value is not None and shown.value > most:
        yield "warning", OVERDUE
    if sum_limit is not None and shown.amount is not None and shown.amount > sum_limit:
        yield "warning", OVERDUE
    large = begins["large_overdue_invoice"]
    if large is not None and any(posting.base is not None and posting.base >= large for posting in late):
        yield "warning", OVERDUE


def _about_what_comes(periods: Periods, begins: Mapping[str, Decimal | None]) -> Iterator[Shown]:
    today = periods.books.today
    target, days = begins["monthly_revenue_target"], begins["quote_expiring"]
    if target is not None:
        first = today.replace(day=1)
        now, before = (periods.revenue(first, last).value for last in (today, today - DAY))
        if now is not None and now >= target and (before is None or before < target):
            yield "success", REVENUE
    if days is not None and any(
        quote["status"] == "sent"
        and quote.get("expiry_date") is not None
        and 0 <= (quote["expiry_date"] - today).days <= days
        for quote in periods.books.quotes
    ):
        yield "info", CONVERSION


def _about_closed_months(periods: Periods) -> Iterator[Shown]:
    """A closed month is not what it was when yesterday ended, in the same currency and on the same basis."""
    books = periods.books
    for row in books.shown_months:
        same = (row["base_currency"], row["basis"] == "cash") == (books.base, books.on_cash_basis)
        if not same or not any(close["local_date"] < books.today for close in books.closes):
            continue
        then = row["before"] if row["day"] >= books.today else row["months"]
        now = {month["month"]: month for month in months(periods)[1:] if month["month"] in then}
        for metric, numbers in ((REVENUE, [0]), (EXPENSES, [1]), (CASH_FLOW, [2, 3])):
            if any(_differs(now[month][CLOSED[n]], then[month][n]) for month in now for n in numbers):
                yield "info", metric


def _differs(now: Decimal | None, then: str | None) -> bool:
    return now != (None if then is None else Decimal(then))


def _has_recovered(books: Books) -> bool:
    """A computation that failed succeeded within the last hour, on this local day or across its beginning."""
    return any(
        alert["rule"] == "computation_failing"
        and alert["raised_at"] <= books.now
        and (
            alert["cleared_at"] is None
            or alert["cleared_at"] >= books.now
            or (alert["local_date"] == books.today and books.now - alert["cleared_at"] < RECOVERED_FOR)
        )
        for alert in books.alerts
    )
