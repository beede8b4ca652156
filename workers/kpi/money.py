"""Decimal arithmetic: sums are exact, ratios are rounded once, at output. Source: SPEC 4, rule 5."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from shared.currency import exponent

# A numeric(20,4) at a rate of numeric(24,12) has 30 digits; the rest is room for sums of any length and for divisions.
EXACT = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])

ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)
# A third cannot be written down. What divisions leave beyond this place could tip a half.
TRIM_PLACES = 20
RATIO_PLACES = 4
PERCENT_PLACES = 1
_STEPS = tuple(ONE.scaleb(-places) for places in range(TRIM_PLACES + 1))
_ZEROS = tuple(ZERO.scaleb(-places) for places in range(TRIM_PLACES + 1))


def exact() -> AbstractContextManager[Context]:
    """The arithmetic in which sums of amounts lose no digit."""
    return localcontext(EXACT)


def finite(amount: Decimal) -> Decimal:
    """The amount itself; raises ValueError for NaN and infinity, which no sum may swallow."""
    if not amount.is_finite():
        raise ValueError(f"not an amount: {amount}")
    return amount


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """Their sum; raises ValueError if one of them is NaN or infinite, which no sum can hide."""
    try:
        return finite(sum(amounts, ZERO))
    except InvalidOperation as error:
        raise ValueError("not amounts: infinite both ways, or no numbers") from error


def trim(amount: Decimal) -> Decimal:
    """The amount without the artefacts of division (1e-20), before rounding."""
    return finite(amount).quantize(_STEPS[TRIM_PLACES], None, EXACT)


def zero(places: int) -> Decimal:
    """Nothing, written with so many decimals: what is added to it has at least as many."""
    return _ZEROS[places]


def has_places(amount: Decimal, places: int) -> bool:
    """Whether the amount is written with exactly so many decimals, as rounding would write it."""
    return amount.same_quantum(_STEPS[places])


def rounded(amount: Decimal, places: int) -> Decimal:
    """Half up (away from zero) to `places` decimals, never a negative zero; raises ValueError for NaN and infinity."""
    if not amount:
        return _ZEROS[places]
    try:
        result = amount.quantize(_STEPS[places], None, EXACT)
    except InvalidOperation:
        finite(amount)
        raise
    # Sums of what was rounded already are mostly exact, and then there is nothing to trim. NaN is equal to nothing.
    if result != amount:
        result = trim(amount).quantize(_STEPS[places], None, EXACT)
    return result or _ZEROS[places]


def rounded_or_none(amount: Decimal | None, places: int) -> Decimal | None:
    """The same, where "cannot be computed" stays what it is."""
    return rounded(amount, places) if amount else None if amount is None else _ZEROS[places]


def quotient(amount: Decimal, places: int) -> Decimal:
    """As rounded, of what one division left: where that ends in a half it is exact, so that there is nothing to trim."""
    return amount.quantize(_STEPS[places], None, EXACT) or _ZEROS[places]


def quotient_or_none(amount: Decimal | None, places: int) -> Decimal | None:
    """The same, where "cannot be computed" stays what it is."""
    return None if amount is None else quotient(amount, places)


def all_rounded(amounts: Iterable[Decimal | None], places: int) -> list[Decimal | None]:
    """The same of many: a dashboard has hundreds of amounts, nearly all of them exact already."""
    step, zero = _STEPS[places], _ZEROS[places]
    found: list[Decimal | None] = []
    for amount in amounts:
        if not amount:
            found.append(None if amount is None else zero)
        elif (result := amount.quantize(step, None, EXACT)) == amount:
            found.append(result)
        else:
            found.append(rounded(amount, places))
    return found


def money(amount: Decimal, currency: str) -> Decimal:
    """The amount rounded to the currency's minor unit: JPY 0, USD 2, KWD 3 decimals."""
    return rounded(amount, exponent(currency))


def money_or_none(amount: Decimal | None, currency: str) -> Decimal | None:
    """The same, where "cannot be computed" stays what it is."""
    return rounded_or_none(amount, exponent(currency))


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of the currency: JPY 1, USD 0.01, KWD 0.001."""
    return _STEPS[exponent(currency)]


def formatted(amount: Decimal, currency: str) -> str:
    """The amount for a sentence, with its currency: "-1,234.50 USD", "88,000 JPY"."""
    return f"{money(amount, currency):,f} {currency}"


def formatted_percent(ratio: Decimal) -> str:
    """A ratio for a sentence: "18.0 %"."""
    return f"{quotient(ratio * HUNDRED, PERCENT_PLACES):,f} %"
