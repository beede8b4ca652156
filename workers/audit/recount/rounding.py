"""Rounding to a number of decimals or to a currency's minor unit: half away from zero, each amount once."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from shared.currency import exponent


def rounded(value: Fraction, places: int) -> Decimal:
    """`value` with so many decimals."""
    units = _units(value, 10**places)
    return Decimal(f"{units}E-{places}")


def to_minor_unit(amount: Fraction, currency: str) -> Fraction:
    """`amount` as money of that currency can be: whole yen, cents, thousandths of a dinar."""
    scale = 10 ** exponent(currency)
    if scale % amount.denominator == 0:
        return amount
    return Fraction(_units(amount, scale), scale)


def shown(amount: Fraction | None, currency: str) -> Decimal | None:
    """`amount` as it goes over the wire."""
    return None if amount is None else rounded(amount, exponent(currency))


def _units(value: Fraction, scale: int) -> int:
    units = (2 * abs(value.numerator) * scale + value.denominator) // (2 * value.denominator)
    return -units if value.numerator < 0 else units
