"""Which exchange rate an amount takes on its way to the base currency, and what to say when there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from workers.audit.recount.books import DAY, EVERYONE, Books, Row

RATE_MAX_AGE_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Base units per unit of `currency`, None if there is none; `looked_on`: the day whose rate was wanted."""

    currency: str
    value: Fraction | None
    looked_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of one tenant: its own by (currency, day) and those of everyone."""

    base: str
    today: date
    own: Mapping[tuple[str, date], Fraction]
    everyones: Mapping[tuple[str, date], Fraction]

    def of_flow(self, document: Row, day: date) -> Rate:
        """For money that moved on `day`: the document's own rate before that of the day."""
        own_rate = document.get("base_rate")
        if own_rate is not None and document["currency"] != self.base:
            return Rate(currency=document["currency"], value=Fraction(own_rate), looked_on=day)
        return self.of_day(document["currency"], day)

    def of_balance(self, document: Row, day: date | None = None) -> Rate:
        """For money that is owed now, or was as the day ended: that day's rate before the document's own."""
        day = day or self.today
        rate = self.of_day(document["currency"], day)
        own_rate = document.get("base_rate")
        if rate.value is None and own_rate is not None:
            return Rate(currency=rate.currency, value=Fraction(own_rate), looked_on=day)
        return rate

    def of_day(self, currency: str, day: date) -> Rate:
        """The newest rate of the day or the seven before it; of one date the tenant's own."""
        if currency == self.base:
            return Rate(currency=currency, value=Fraction(1), looked_on=day)
        for age in range(RATE_MAX_AGE_DAYS + 1):
            key = (currency, day - age * DAY)
            rate = self.own.get(key) or self.everyones.get(key)
            if rate is not None:
                return Rate(currency=currency, value=rate, looked_on=day)
        return Rate(currency=currency, value=None, looked_on=day)


def rates_of(books: Books) -> Rates:
    """The rates that these books know, into their base currency."""
    own: dict[tuple[str, date], Fraction] = {}
    everyones: dict[tuple[str, date], Fraction] = {}
    for row in books.rates:
        known = everyones if row["tenant_id"] == EVERYONE else own
        known[row["currency"], row["rate_date"]] = Fraction(row["rate"])
    return Rates(base=books.base, today=books.today, own=own, everyones=everyones)
