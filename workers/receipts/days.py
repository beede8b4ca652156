"""Which days a question is about, and which it compares them with. Source: SPEC 4, 9."""

from __future__ import annotations

from datetime import date, timedelta

from shared.receipts import Question
from workers.facts import Tenant
from workers.kpi.days import Period, trailing
from workers.kpi.windows import Window, named_windows

# Those that are about more days than today's, without being asked.
_TRAILING_DAYS = {"quote-conversion": 90, "client-activity": 30}


def days_of(question: Question, tenant: Tenant, today: date) -> Period:
    """The days that the question is about; of a balance today, which is when it is."""
    if question.period is not None:
        return _window(question, tenant, today).period
    if question.first is not None and question.last is not None:
        return Period(question.first, question.last)
    return trailing(today, _TRAILING_DAYS.get(question.number, 1))


def days_before(question: Question, tenant: Tenant, today: date) -> Period:
    """Those that they are compared with: a period's own, else as many as they are, just before them."""
    if question.period is not None:
        previous = _window(question, tenant, today).previous
        if previous is not None:
            return previous
    days = days_of(question, tenant, today)
    last = days.first.toordinal() - 1
    return Period(date.fromordinal(max(1, last - (days.last - days.first).days)), days.first - timedelta(days=1))


def _window(question: Question, tenant: Tenant, today: date) -> Window:
    windows = named_windows(today, tenant.fiscal_year_start_month)
    return next(window for window in windows if window.name == question.period)
