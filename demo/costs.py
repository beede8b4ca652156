"""What a made-up business buys, and its templates of what comes again: wages, rent, retainers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from demo.businesses import RETAINERS
from demo.ledger import EARLY_SHARE, Ledger, in_cents
from demo.rows import Recurring


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Something a business buys regularly: on a weekday (Monday is 0), or on a day of the month.

    units: of `typical`, for a business of the usual pace. net_days: until it is paid. taxed: with tax on top.
    """

    category: str
    vendor: str
    units: Decimal
    weekday: int | None = None
    month_day: int | None = None
    net_days: int = 0
    taxed: bool = True
    contract: bool = False


COSTS = (
    Cost(category="Salaries", vendor="Studio payroll", units=Decimal("2.7"), weekday=1, taxed=False, contract=True),
    Cost(category="Salaries", vendor="Workshop payroll", units=Decimal("2.7"), weekday=3, taxed=False, contract=True),
    Cost(category="Advertising", vendor="Brightline Ads", units=Decimal("0.45"), weekday=0, net_days=14),
    Cost(category="Software", vendor="Cloudworks Hosting", units=Decimal("0.25"), weekday=2),
    Cost(category="Contractors", vendor="Freelance Pool", units=Decimal("0.9"), weekday=4, net_days=14),
    Cost(category="Rent", vendor="Meadow Properties", units=Decimal("1.8"), month_day=1, contract=True),
    Cost(category="Utilities", vendor="City Power", units=Decimal("0.2"), month_day=8, net_days=21),
    Cost(
        category="Insurance", vendor="Summit Insurance", units=Decimal("0.35"), month_day=12, contract=True, taxed=False
    ),
    Cost(category="Accounting", vendor="Fairview Accounting", units=Decimal("0.3"), month_day=20, net_days=30),
)
SUNDRIES = Cost(category="Office", vendor="Corner Stationery", units=Decimal("0.06"))


def buy(ledger: Ledger, chance: Random, day: date, *, early: bool) -> None:
    """The day's regular costs, and sundries on one day in four and on the newest."""
    for cost in COSTS:
        times = _times(cost, day, early=early)
        if times:
            _spend(ledger, chance, day, cost, times)
    if day == ledger.today or (not early and chance.random() < 0.25):
        _spend(ledger, chance, day, SUNDRIES, 1)


def _times(cost: Cost, day: date, *, early: bool) -> int:
    """How many times a cost falls on the day; early weekly costs come four at once, every fourth week."""
    if cost.month_day is not None:
        return int(cost.month_day == day.day)
    if cost.weekday != day.weekday():
        return 0
    return 4 * (day.toordinal() // 7 % 4 == 0) if early else 1


def _spend(ledger: Ledger, chance: Random, day: date, cost: Cost, times: int) -> None:
    jitter = Decimal(1) if cost.contract else Decimal(chance.randint(80, 120)) / 100
    share = Decimal(EARLY_SHARE) if times > 1 else Decimal(1)
    ledger.expense(
        day,
        cost.units * ledger.business.pace * jitter * times * share,
        cost.category,
        cost.vendor,
        net_days=cost.net_days,
        taxed=cost.taxed,
        recurring_id=_template_id(cost) if cost.contract else None,
    )


def _template_id(cost: Cost) -> str:
    return f"REC-{cost.vendor.upper().replace(' ', '-')}"


def plan(ledger: Ledger) -> None:
    """A template for each retainer and contract, one that has ended and one that stands still."""
    today = ledger.today
    for number, (_, units) in enumerate(RETAINERS, start=1):
        _template(
            ledger,
            f"REC-RETAINER-{number}",
            "invoice",
            units * ledger.business.pace,
            "month",
            _next(today, month_day=1),
            terms_days=14,
        )
    for cost in COSTS:
        if cost.contract:
            unit = "week" if cost.month_day is None else "month"
            next_on = _next(today, month_day=cost.month_day, weekday=cost.weekday)
            _template(ledger, _template_id(cost), "expense", cost.units * ledger.business.pace, unit, next_on)
    ended = today - timedelta(30)
    _template(ledger, "REC-ENDED", "expense", Decimal("0.1"), "month", ended, ends_on=ended)
    _template(ledger, "REC-PAUSED", "invoice", Decimal(1), "week", today + timedelta(3), active=False)


def _next(today: date, *, month_day: int | None = None, weekday: int | None = None) -> date:
    """The first day after today that is the one wanted."""
    day = today + timedelta(1)
    while day.day != month_day and day.weekday() != weekday:
        day += timedelta(1)
    return day


def _template(
    ledger: Ledger,
    recurring_id: str,
    kind: str,
    units: Decimal,
    unit: str,
    next_on: date,
    *,
    ends_on: date | None = None,
    active: bool = True,
    terms_days: int | None = None,
) -> None:
    business = ledger.business
    ledger.books.recurring.append(
        Recurring(
            tenant_id=ledger.tenant_id,
            recurring_id=recurring_id,
            kind=kind,
            currency=business.currency,
            amount=in_cents(business.typical * units, business.currency),
            interval_unit=unit,
            next_on=next_on,
            ends_on=ends_on,
            active=active,
            terms_days=terms_days,
        )
    )
