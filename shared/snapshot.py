"""The wire format of a tenant's dashboard: types, encode(), content_digest() and the envelope that serving adds.

Amounts are Decimal here and JSON numbers on the wire, already rounded to the currency's minor unit. Unknown fields are
ignored when reading: during a deploy a new worker writes for an old web process.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

REVENUE = "Daily Revenue"
EXPENSES = "Daily Expenses"
PROFIT = "Daily Profit"
CASH_FLOW = "Cash Flow"
PENDING = "Pending Invoices"
OVERDUE = "Overdue Invoices"
CONVERSION = "Quote Conversion"
ACTIVITY = "Client Activity"
METRIC_NAMES = (REVENUE, EXPENSES, PROFIT, CASH_FLOW, PENDING, OVERDUE, CONVERSION, ACTIVITY)

SYSTEM = "System"
DASHBOARD = "Dashboard"

Trend = Literal["up", "down", "stable"]
Level = Literal["critical", "warning", "success", "info"]
Basis = Literal["accrual", "cash"]
Bucket = Literal["current", "1-30", "31-60", "61-90", "90+"]
PeriodName = Literal[
    "today", "yesterday", "week_to_date", "month_to_date", "last_month", "quarter_to_date", "last_quarter",
    "fiscal_year_to_date", "last_fiscal_year", "last_30_days", "last_12_months",
]  # fmt: skip
BUCKETS: tuple[Bucket, ...] = ("current", "1-30", "31-60", "61-90", "90+")

Instant = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A moment on the wire: UTC, ISO 8601 with milliseconds and Z; made by `instant`."""
Params = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
"""What an alert's message says, as a JSON object: amounts in the base currency, counts, names."""


def no_params() -> Params:
    """Nothing said as data: what an older worker wrote."""
    return msgspec.Raw(b"{}")


@lru_cache(maxsize=256)
def instant(moment: datetime) -> Instant:
    """`moment`, which must be aware, as it goes over the wire."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Part(msgspec.Struct, frozen=True, gc=False):
    """A piece of what goes over the wire, two hundred of which are a dashboard.

    Nothing in it leads back to it, so that no garbage collection need look through it.
    """


class Unconverted(Part, frozen=True, kw_only=True):
    """Money left out of a metric because no exchange rate was found: documents and their sum, in their own currency."""

    currency: str
    amount: Decimal
    documents: int


class ConfidenceFactors(Part, frozen=True, kw_only=True):
    """What a confidence is the product of; each 0..1, four decimals. `day` is 1 where it does not apply."""

    sample: Decimal
    day: Decimal
    fx: Decimal
    quality: Decimal


class Metric(Part, frozen=True, kw_only=True):
    """One of the eight metrics. `unit` tells how to read value, previous and change; null = cannot be computed.

    `previous` is what `change` compares with; `rebuilt` says that it was not kept but worked out from the documents, on the
    first day; `amount` stands beside the counts Pending and Overdue Invoices.
    """

    name: str
    value: Decimal | None
    previous: Decimal | None
    rebuilt: bool | UnsetType = UNSET
    change: Decimal | None
    change_percent: Decimal | None
    trend: Trend
    good: bool | None
    reason: str | UnsetType = UNSET
    unit: Literal["money", "count", "ratio"]
    amount: Decimal | UnsetType | None = UNSET
    unconverted: tuple[Unconverted, ...] = ()
    confidence: Decimal
    confidence_factors: ConfidenceFactors
    timestamp: Instant


class Alert(Part, frozen=True, kw_only=True):
    """A rule that holds. `id` is stable for (tenant, rule, subject, local date); `timestamp` is when it was raised.

    rule, params: what `message` says, as data, for a reader that says it in another language.
    """

    id: str
    level: Level
    message: str
    metric: str
    action_required: bool
    timestamp: Instant
    provisional: bool | UnsetType = UNSET
    rule: str = ""
    params: Params = msgspec.field(default_factory=no_params)


class CollectionsValue(Part, frozen=True, kw_only=True):
    """The two raw values of the score's collections component; null = no data."""

    overdue_share: Decimal | None
    days_over_terms: Decimal | None


class ScoreComponent(Part, frozen=True, kw_only=True):
    """One of the six parts of the score: raw value, points 0..100 (null = no data), and why in words."""

    name: Literal["profitability", "growth", "cash", "collections", "pipeline", "clients"]
    weight: Decimal
    value: Decimal | CollectionsValue | None
    points: Decimal | None
    reason: str


class Score(Part, frozen=True, kw_only=True):
    """Performance score 0..100, two decimals; null below a coverage of 0.5."""

    value: Decimal | None
    coverage: Decimal
    components: tuple[ScoreComponent, ...]


class DataIssue(Part, frozen=True, kw_only=True):
    """Something that makes the numbers provisional: a setting that cannot be used, or a currency without a rate.

    currency, since: of `missing_rate`: which one, and the first day for which a rate was looked for and not found.
    """

    code: Literal["unknown_timezone", "unknown_currency", "unknown_basis", "missing_rate"]
    detail: str
    currency: str | UnsetType = UNSET
    since: date | UnsetType = UNSET


class Snapshot(Part, frozen=True, kw_only=True):
    """One tenant's dashboard, as stored. Serving adds version, stale (see `Served`)."""

    user_id: str
    timestamp: Instant
    as_of: Instant
    computed_at: Instant
    currency: str
    timezone: str
    basis: Basis
    name: str | None
    local_date: date
    state: Literal["ok", "no_data"]
    data_issues: tuple[DataIssue, ...] = ()
    performance_score: Decimal | None
    score: Score
    metrics: tuple[Metric, ...]
    alerts: tuple[Alert, ...]


class AgeingBucket(Part, frozen=True, kw_only=True):
    """Open invoices by days overdue; `current` is not yet due. amount: base currency, null = none convertible."""

    bucket: Bucket
    count: int
    amount: Decimal | None


class CurrencyAmount(Part, frozen=True, kw_only=True):
    """Money in its own currency, never converted."""

    currency: str
    amount: Decimal


class Debtor(Part, frozen=True, kw_only=True):
    """A client with open invoices (null: those without client). oldest_due: of all open ones, null if none has a date."""

    client_id: str | None
    name: str | None
    outstanding: Decimal | None
    overdue: Decimal | None
    oldest_due: date | None
    invoices: int


class Receivables(Part, frozen=True, kw_only=True):
    """What clients owe now, in the base currency; by_currency lists the same in the invoices' own currencies.

    debtors: the ten with most overdue, then most outstanding. customer_credit: null also where it cannot be known.
    """

    outstanding: Decimal | None
    customer_credit: Decimal | None
    dso_days: Decimal | None
    ageing: tuple[AgeingBucket, ...]
    by_currency: tuple[CurrencyAmount, ...]
    debtors: tuple[Debtor, ...]
    unconverted: tuple[Unconverted, ...]


class SeriesDay(Part, frozen=True, kw_only=True):
    """One local day of flows, base currency; null = documents there, none convertible."""

    date: date
    revenue: Decimal | None
    expenses: Decimal | None
    cash: Decimal | None


class HistoryDay(Part, frozen=True, kw_only=True):
    """The last value of each balance metric on a past local day, as kept by Daybook."""

    date: date
    pending: int
    overdue: int
    conversion: Decimal | None
    active_clients: int


class TopClient(Part, frozen=True, kw_only=True):
    """A client's revenue (accrual, tax excluded) of the trailing 90 days; null = nothing convertible.

    share: of all positive rows' sum, 0..1; null for the others, and for all while a document of the block has no rate.
    """

    client_id: str | None
    name: str | None
    revenue: Decimal | None
    share: Decimal | None
    documents: int


class ForecastDay(Part, frozen=True, kw_only=True):
    """Expected cash of one coming day; null = something is expected, and none of it convertible.

    cumulative: what the accounts hold at the end of the day, as far as it can be converted; without an opening balance
    the change from today on.
    """

    date: date
    inflow: Decimal | None
    outflow: Decimal | None
    cumulative: Decimal


class QuotesOverview(Part, frozen=True, kw_only=True):
    """Quotes: the open pipeline, and the decisions of the trailing 90 days."""

    open_count: int
    open_amount: Decimal | None
    won: int
    lost: int
    conversion: Decimal | None


class ExpenseCategory(Part, frozen=True, kw_only=True):
    """Expenses of the trailing 30 days in one category (null = none given); amount null = nothing convertible.

    share: as of TopClient.
    """

    category: str | None
    amount: Decimal | None
    share: Decimal | None
    documents: int


class PeriodNumbers(Part, frozen=True, kw_only=True):
    """What the local days `from` to `to` came to, in the base currency; null = documents there, none convertible.

    money_out is positive; cash_flow is the sum of all money that converts. unconverted: by number, what it leaves out.
    """

    first: date = msgspec.field(name="from")
    last: date = msgspec.field(name="to")
    revenue: Decimal | None
    expenses: Decimal | None
    profit: Decimal | None
    money_in: Decimal | None
    money_out: Decimal | None
    cash_flow: Decimal | None
    unconverted: dict[str, tuple[Unconverted, ...]]


class ChangePercent(Part, frozen=True, kw_only=True):
    """By how much a period's numbers differ from the one before, in percent; null where that is 0, unknown or in part."""

    revenue: Decimal | None
    expenses: Decimal | None
    profit: Decimal | None
    money_in: Decimal | None
    money_out: Decimal | None
    cash_flow: Decimal | None


class NamedPeriod(PeriodNumbers, frozen=True, kw_only=True):
    """One of the eleven periods, compared with the one before it (to date: with as many days of that)."""

    name: PeriodName
    previous: PeriodNumbers
    change_percent: ChangePercent


class Month(Part, frozen=True, kw_only=True):
    """A calendar month, the current one up to today; `month` is "2026-03"."""

    month: str
    revenue: Decimal | None
    expenses: Decimal | None
    profit: Decimal | None
    money_in: Decimal | None
    money_out: Decimal | None


class LeftOut(Part, frozen=True, kw_only=True):
    """What each block of the overview misses for want of an exchange rate, over all of its rows, listed or not.

    Amounts are as the block counts them; `series`: as its three numbers count them, so a document may be in it twice.
    """

    receivables: tuple[Unconverted, ...]
    customer_credit: tuple[Unconverted, ...]
    series: tuple[Unconverted, ...]
    top_clients: tuple[Unconverted, ...]
    cash_forecast: tuple[Unconverted, ...]
    quotes: tuple[Unconverted, ...]
    expense_categories: tuple[Unconverted, ...]
    months: tuple[Unconverted, ...] = ()


class Overview(Part, frozen=True, kw_only=True):
    """The long form of the dashboard, as stored.

    periods_as_of: as of when days before the last 60 are known; null = as of the snapshot itself.
    opening_balance: what the accounts held at the end of yesterday, from which the forecast starts; null = not known.
    """

    user_id: str
    as_of: Instant
    computed_at: Instant
    currency: str
    timezone: str
    basis: Basis
    receivables: Receivables
    series: tuple[SeriesDay, ...]
    history: tuple[HistoryDay, ...]
    top_clients: tuple[TopClient, ...]
    opening_balance: Decimal | None
    cash_forecast: tuple[ForecastDay, ...]
    quotes: QuotesOverview
    expense_categories: tuple[ExpenseCategory, ...]
    periods: tuple[NamedPeriod, ...] = ()
    months: tuple[Month, ...] = ()
    periods_as_of: Instant | None = None
    unconverted: LeftOut


class Served(Snapshot, frozen=True, kw_only=True):
    """A snapshot as clients get it. A view leaves out what it hides: metrics, alerts, and the score."""

    version: str
    stale: bool
    score: Score | UnsetType = UNSET  # type: ignore[assignment]


class ServedOverview(Overview, frozen=True, kw_only=True):
    """An overview as clients get it. A view leaves out the blocks that it hides, and rows' numbers of hidden metrics."""

    version: str
    stale: bool
    receivables: Receivables | UnsetType = UNSET  # type: ignore[assignment]
    series: tuple[SeriesDay, ...] | UnsetType = UNSET  # type: ignore[assignment]
    history: tuple[HistoryDay, ...] | UnsetType = UNSET  # type: ignore[assignment]
    top_clients: tuple[TopClient, ...] | UnsetType = UNSET  # type: ignore[assignment]
    opening_balance: Decimal | UnsetType | None = UNSET  # type: ignore[assignment]
    cash_forecast: tuple[ForecastDay, ...] | UnsetType = UNSET  # type: ignore[assignment]
    quotes: QuotesOverview | UnsetType = UNSET  # type: ignore[assignment]
    expense_categories: tuple[ExpenseCategory, ...] | UnsetType = UNSET  # type: ignore[assignment]


_encoder = msgspec.json.Encoder(decimal_format="number")
_CLOCKLESS = instant(datetime.fromtimestamp(0, UTC))
# In no text can these names stand like this: a quotation mark in it is escaped.
_MOMENTS = re.compile(rb'"as_of":"[^"]*","computed_at":"[^"]*"')


def encode(body: Snapshot | Overview) -> bytes:
    """JSON bytes without version and stale. The amounts must be finite, as kpi/money.py makes them."""
    return _encoder.encode(body)


def serve(body: bytes, *, version: str, stale: bool) -> bytes:
    """The stored bytes with what only serving knows put in front; nothing is decoded or encoded again."""
    return b'{"version":"%s","stale":%s,%s' % (version.encode(), b"true" if stale else b"false", body[1:])


def overview_at(overview: bytes, *, as_of: Instant, computed_at: Instant) -> bytes:
    """An encoded overview as of another moment."""
    moments = b'"as_of":"%b","computed_at":"%b"' % (as_of.encode(), computed_at.encode())
    return _MOMENTS.sub(moments, overview, count=1)


def content_digest(snapshot: Snapshot, overview: bytes) -> str:
    """Digest of what a reader would notice: everything but timestamps and the confidences, which move with the clock.

    overview: as encoded. It is several times as long as the snapshot, so that it is not encoded twice.
    """
    still = ConfidenceFactors(sample=Decimal(), day=Decimal(), fx=Decimal(), quality=Decimal())
    metrics = tuple(
        msgspec.structs.replace(m, confidence=Decimal(), confidence_factors=still, timestamp=_CLOCKLESS)
        for m in snapshot.metrics
    )
    alerts = tuple(msgspec.structs.replace(a, timestamp=_CLOCKLESS) for a in snapshot.alerts)
    content = msgspec.structs.replace(
        snapshot,
        timestamp=_CLOCKLESS,
        as_of=_CLOCKLESS,
        computed_at=_CLOCKLESS,
        metrics=metrics,
        alerts=alerts,
    )
    digest = hashlib.blake2b(encode(content), digest_size=16)
    digest.update(overview_at(overview, as_of=_CLOCKLESS, computed_at=_CLOCKLESS))
    return digest.hexdigest()
