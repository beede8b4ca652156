"""Which currencies lack a rate for something that is shown, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from workers.audit.recount.books import DAY
from workers.audit.recount.forecast import Forecast
from workers.audit.recount.history import earliest_day
from workers.audit.recount.overview import CLIENT_DAYS, QUOTE_DAYS
from workers.audit.recount.periods import Periods
from workers.audit.recount.postings import Account, Posting, without_rate
from workers.audit.recount.score import SCORE_DAYS

# How far back the dashboard looks at each account, beside those that the periods reach back for.
DAYS_BACK: dict[Account, int] = {
    "sales": CLIENT_DAYS - 1,
    "billed": CLIENT_DAYS - 1,
    "decided": QUOTE_DAYS - 1,
    "activity": SCORE_DAYS - 1,
}
OF_PERIODS: tuple[Account, ...] = ("revenue", "expenses", "money_in", "money_out")
BALANCES: tuple[Account, ...] = ("open", "credit", "unused_note", "open_quote")


def missing_rates(periods: Periods, forecast: Forecast) -> dict[str, date]:
    """The currencies without a rate, and for each the first day for which one was looked for and not found."""
    since: dict[str, date] = {}
    for posting in without_rate([*_shown(periods), *forecast.postings]):
        currency, day = posting.rate.currency, posting.rate.looked_on
        since[currency] = min(day, since.get(currency, day))
    return since


def _shown(periods: Periods) -> Iterator[Posting]:
    today, ledger = periods.books.today, periods.ledger
    for account, days in DAYS_BACK.items():
        yield from ledger.between(account, today - days * DAY, today)
    for account in OF_PERIODS:
        yield from ledger.between(account, earliest_day(periods), today)
    for account in BALANCES:
        yield from ledger.all(account)
