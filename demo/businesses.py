"""The businesses that the demo makes up: data only. Amounts count in `typical`, the net of a usual invoice."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

SATURDAY_SUNDAY = frozenset({5, 6})
FRIDAY_SATURDAY = frozenset({4, 5})

# Invoices a working day of a business for which costs, retainers and quotes are written down; others go by its pace.
USUAL_PACE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """What a generated tenant is like.

    tax_percent: on its own sales; exports carry none. invoices_per_day: on a working day of the last 90 days; before
    them business was slower. foreign: share of the invoices in each currency. quoted: currencies that have exchange
    rates. late: days since the due dates of invoices that nobody paid. Without clients it has no documents at all.
    """

    tenant_id: str
    name: str
    timezone: str
    currency: str
    basis: str = "accrual"
    fiscal_year_start_month: int = 1
    weekend: frozenset[int] = SATURDAY_SUNDAY
    tax_percent: Decimal = Decimal(0)
    typical: Decimal = Decimal(0)
    # The smallest step of a price: businesses seldom charge odd cents.
    price_step: Decimal = Decimal(5)
    invoices_per_day: float = 0
    history_days: int = 200
    foreign: tuple[tuple[str, float], ...] = ()
    quoted: tuple[str, ...] = ()
    late: tuple[int, ...] = ()
    clients: tuple[str, ...] = ()
    anomalies: bool = False

    @property
    def pace(self) -> Decimal:
        """How busy it is, as a multiple of the usual."""
        return Decimal(self.invoices_per_day / USUAL_PACE)


# Monthly retainers: place of the client in the list, and the fee in `typical`.
RETAINERS = ((0, Decimal("1.4")), (3, Decimal("1.0")), (5, Decimal("0.8")))

CLIENTS = (
    "Northside Bakery", "Harbour Books", "Willow Dental", "Cedar Street Gym", "Bluebird Travel", "Maple Grove School",
    "Riverside Hotel", "Sunrise Yoga", "Oakwood Furniture", "Lakeside Pharmacy", "Garden Gate Florist",
    "Market Square Cafe", "Hilltop Vets", "Silver Line Logistics", "Old Mill Brewery", "Green Field Farms",
    "Castle View Realty", "Stonebridge Builders", "West End Optics", "Pine Valley Camps", "Quayside Seafood",
    "Station Road Cycles", "Corner House Theatre", "Meadow Lane Nursery",
)  # fmt: skip

DEMO = Business(
    tenant_id="demo",
    name="Harbour Lane Studio",
    timezone="America/New_York",
    currency="USD",
    tax_percent=Decimal(8),
    typical=Decimal(1900),
    invoices_per_day=USUAL_PACE,
    history_days=425,
    foreign=(("EUR", 0.12), ("GBP", 0.08)),
    quoted=("EUR", "GBP"),
    late=(3, 8, 17, 26, 41, 55, 72, 104),
    clients=CLIENTS,
)

GENERATED = (
    DEMO,
    Business(
        tenant_id="tokyo",
        name="Tokyo Paper Goods",
        timezone="Asia/Tokyo",
        currency="JPY",
        basis="cash",
        fiscal_year_start_month=4,
        tax_percent=Decimal(10),
        typical=Decimal(180_000),
        price_step=Decimal(500),
        invoices_per_day=0.8,
        foreign=(("USD", 0.1),),
        quoted=("USD",),
        late=(5, 33),
        clients=CLIENTS[:14],
        anomalies=True,
    ),
    Business(
        tenant_id="kuwait",
        name="Kuwait Trading House",
        timezone="Asia/Kuwait",
        currency="KWD",
        weekend=FRIDAY_SATURDAY,
        typical=Decimal(420),
        price_step=Decimal("0.125"),
        invoices_per_day=0.6,
        foreign=(("USD", 0.25),),
        quoted=("USD",),
        late=(2, 12, 64),
        clients=CLIENTS[4:16],
    ),
    Business(
        tenant_id="tonga",
        name="Tonga Island Supplies",
        timezone="Pacific/Tongatapu",
        currency="TOP",
        tax_percent=Decimal(15),
        typical=Decimal(1300),
        invoices_per_day=0.5,
        foreign=(("NZD", 0.2), ("AUD", 0.1)),
        quoted=("NZD", "AUD"),
        late=(1, 31, 61, 91),
        clients=CLIENTS[8:18],
    ),
    Business(
        tenant_id="berlin",
        name="Berlin Tool Works",
        timezone="Europe/Berlin",
        currency="EUR",
        tax_percent=Decimal(19),
        typical=Decimal(2600),
        invoices_per_day=0.7,
        # Nearly everything is sold abroad, and nobody has told the rate of the franc.
        foreign=(("USD", 0.5), ("GBP", 0.38), ("CHF", 0.12)),
        quoted=("USD", "GBP"),
        late=(6, 20, 47),
        clients=CLIENTS[10:],
    ),
    Business(tenant_id="empty", name="Brand New Business", timezone="Europe/London", currency="GBP"),
)
