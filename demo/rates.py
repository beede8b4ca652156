"""Exchange rates for the demo: made up, near the real ones, the same on every machine for the same day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal

from demo.rows import FxRate

EVERY_TENANT = "*"
RATE_STEP = Decimal("1e-8")

# US dollars for one unit, about.
_DOLLARS = {
    "USD": 1.0,
    "EUR": 1.09,
    "GBP": 1.27,
    "CHF": 1.13,
    "JPY": 0.0067,
    "AUD": 0.66,
    "NZD": 0.60,
    "TOP": 0.425,
    "KWD": 3.26,
}


def rate(currency: str, base_currency: str, day: date) -> Decimal:
    """Base units for one unit of `currency` on `day`; 1 for the base currency itself."""
    ratio = _dollars(currency, day) / _dollars(base_currency, day)
    return Decimal(ratio).quantize(RATE_STEP)


def daily_rates(pairs: Iterable[tuple[str, str]], first: date, last: date) -> Iterator[FxRate]:
    """A rate for every tenant, (currency, base currency) pair and weekday: markets are closed at weekends."""
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    for currency, base_currency in pairs:
        for day in days:
            if day.weekday() < 5:
                yield FxRate(
                    tenant_id=EVERY_TENANT,
                    currency=currency,
                    base_currency=base_currency,
                    rate_date=day,
                    rate=rate(currency, base_currency, day),
                )


def _dollars(currency: str, day: date) -> float:
    """A slow wave and a quick one around the usual rate, 2 % and 0.4 % high, out of step between currencies."""
    if currency == "USD":
        return _DOLLARS[currency]
    step, phase = day.toordinal(), sum(currency.encode())
    return _DOLLARS[currency] * (1 + 0.02 * math.sin(step / 37 + phase) + 0.004 * math.sin(step / 5.3 + 2 * phase))
