"""Decimal arithmetic: exact inside, converted once, rounded once at output. Source: SPEC 4, rules 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from shared.currency import exponent

# numeric(20,4) × numeric(24,12) has 44 digits; the rest is room for sums of any length and for divisions.
EXACT = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])

ZERO = Decimal(0)
ONE = Decimal(1)
# A third cannot be written down. What a division left beyond this place is no money, but it could tip a half cent.
TRIM_PLACES = 20
RATIO_PLACES = 4
PERCENT_PLACES = 1
_STEPS = tuple(ONE.scaleb(-places) for places in range(TRIM_PLACES + 1))


def exact() -> AbstractContextManager[Context]:
    """The arithmetic in which sums and products of the database's amounts and rates lose no digit."""
    return localcontext(EXACT)


def finite(amount: Decimal) -> Decimal:
    """The amount itself; raises ValueError for NaN and infinity, which no sum may swallow."""
    if not amount.is_finite():
        raise ValueError(f"not an amount: {amount}")
    return amount


def trim(amount: Decimal) -> Decimal:
    """The amount without the artefacts of division (1e-20); for comparing, and before rounding."""
    return finite(amount).quantize(_STEPS[TRIM_PLACES], context=EXACT)


def rounded(amount: Decimal, places: int) -> Decimal:
    """Half up (away from zero) to `places` decimals, never a negative zero; raises ValueError for NaN and infinity."""
    result = trim(amount).quantize(_STEPS[places], context=EXACT)
    return result if result else result.copy_abs()


def rounded_or_none(amount: Decimal | None, places: int) -> Decimal | None:
    """The same, where "cannot be computed" stays what it is."""
    return None if amount is None else rounded(amount, places)


def money(amount: Decimal, currency: str) -> Decimal:
    """The amount rounded to the currency's minor unit: JPY 0, USD 2, KWD 3 decimals."""
    return rounded(amount, exponent(currency))


def money_or_none(amount: Decimal | None, currency: str) -> Decimal | None:
    """The same, where "cannot be computed" stays what it is."""
    return None if amount is None else money(amount, currency)


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of the currency: JPY 1, USD 0.01, KWD 0.001."""
    return _STEPS[exponent(currency)]


def formatted(amount: Decimal, currency: str) -> str:
    """The amount for a sentence, with its currency: "-1,234.50 USD", "88,000 JPY"."""
    return f"{money(amount, currency):,f} {currency}"


def formatted_percent(ratio: Decimal) -> str:
    """A ratio for a sentence: "18.0 %"."""
    return f"{rounded(ratio * 100, PERCENT_PLACES):,f} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """Turns amounts into base units, or into None where no rate is known: never assumes 1 but for the base itself.

    rates: base units per 1 unit by (currency, date), already resolved; see TenantFacts.
    """

    base: str
    today: date
    rates: Mapping[tuple[str, date], Decimal] = field(default_factory=dict)

    def flow(self, amount: Decimal, currency: str, on: date | None) -> Decimal | None:
        """A flow at the rate of its date. Raises ValueError for an amount or a rate that is no number."""
        finite(amount)
        if currency == self.base:
            return amount
        return None if on is None else self._at_rate(amount, currency, on)

    def balance(self, amount: Decimal, currency: str, own_base: Decimal | None = None) -> Decimal | None:
        """A balance at today's rate, else as the documents' own rates have it. Raises ValueError like `flow`."""
        finite(amount)
        if currency == self.base:
            return amount
        at_rate = self._at_rate(amount, currency, self.today)
        if at_rate is None and own_base is not None:
            return finite(own_base)
        return at_rate

    def knows(self, currency: str, on: date) -> bool:
        """Whether a flow of that currency and date can be converted."""
        return currency == self.base or (currency, on) in self.rates

    def _at_rate(self, amount: Decimal, currency: str, on: date) -> Decimal | None:
        rate = self.rates.get((currency, on))
        if rate is None:
            return None
        if finite(rate) <= 0:
            raise ValueError(f"not an exchange rate: {rate}")
        return amount * rate
