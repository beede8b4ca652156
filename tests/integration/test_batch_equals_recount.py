"""Whatever the rows of a few tenants are, the batch shows what the independent calculation expects of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.calculations import disagreements
from tests.rows import Rows

TABLES = (
    "tenant", "client", "invoice", "payment", "allocation", "expense", "quote", "recurring", "fx_rate", "daily_close",
)  # fmt: skip
ZONES = (
    "UTC", "America/New_York", "America/Santiago", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Tongatapu",
    "Pacific/Kiritimati", "Pacific/Pago_Pago", "Nowhere/Land",
)  # fmt: skip
BASE_CURRENCIES = ("USD", "USD", "JPY", "KWD", "XQX")
FOREIGN_CURRENCIES = ("EUR", "JPY")
INVOICE_IDS = ("i0", "i0", "i0", "i1", "i1", "i2", "i3", "missing")
VENDORS = ("v0", "v0", "v1", None)
CLIENT_IDS = ("c0", "c1", "c2", None)

# In New York, Santiago and Berlin the clock changes on some of these days; midnight passes at every hour somewhere.
moments = st.builds(
    lambda day, seconds: datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(seconds=seconds),
    st.sampled_from(["2026-03-08", "2026-11-01", "2026-09-06", "2026-04-05", "2026-03-29", "2026-06-15", "2024-02-29"]),
    st.integers(0, 86_399),
)
# Days from the UTC date of the moment; the edges of every window are likely.
edges = [edge - around for edge in (0, -28, -30, -60, -90, -180) for around in (-1, 0, 1, 2)]
days = st.one_of(st.sampled_from([0, 0, 0, -1, -1, -2]), st.sampled_from(edges), st.integers(-200, 12))
recent_days = st.sampled_from([0, 0, 0, -1, -1, -2]) | days
money = st.one_of(
    st.sampled_from(["0", "0.0001", "0.005", "100", "100", "1000", "33.33"]),
    st.integers(0, 10**9).map(lambda units: str(Decimal(units) / 10_000)),
)
signed_money = st.one_of(money, money.map(lambda amount: f"-{amount}"))
rates = st.sampled_from(["1", "1.1", "0.0067", "3.25", "0.333333333333", "151.5"])
# Most documents are in the tenant's own currency (None) and have no rate of their own.
document_currencies = st.sampled_from([None, None, None, *FOREIGN_CURRENCIES])
own_rates = st.one_of(st.none(), st.none(), rates)


def document(*, edges_of: str, **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A row of something with a currency and perhaps a rate of its own; `edges_of` names its date column."""
    common = {edges_of: recent_days, "currency": document_currencies, "base_rate": own_rates}
    return st.fixed_dictionaries(common | columns)


clients = st.sampled_from(CLIENT_IDS)
doubtful_tax = st.one_of(st.just("0"), st.just("10"), st.none(), signed_money)
statuses = st.sampled_from(["posted", "posted", "posted", "posted", "draft", "void"])
# Refunds reach credit notes too: an invoice id may be either. Others go to nothing that counts.
allocations = st.dictionaries(st.sampled_from(INVOICE_IDS), money, max_size=4)
recurring_ids = st.sampled_from([None, None, "r0", "r1"])
invoices = document(
    edges_of="issue_date",
    client_id=clients,
    kind=st.sampled_from(["invoice", "invoice", "invoice", "credit_note"]),
    recurring_id=recurring_ids,
    status=statuses,
    due_date=st.none() | days,
    total=money,
    tax=doubtful_tax,
    balance=st.one_of(st.none(), st.none(), st.none(), signed_money),
    written_off_on=st.one_of(st.none(), st.none(), st.none(), st.none(), days),
    on=allocations,
)
payments = document(
    edges_of="paid_on",
    client_id=clients,
    kind=st.sampled_from(["payment", "payment", "refund"]),
    status=st.sampled_from(["succeeded", "succeeded", "succeeded", "pending", "failed"]),
    amount=money,
    unapplied=st.one_of(st.none(), st.none(), st.none(), signed_money),
    on=allocations,
)
expenses = document(
    edges_of="expense_date",
    status=statuses,
    category=st.sampled_from(["rent", "travel", None]),
    vendor=st.sampled_from(VENDORS),
    recurring_id=recurring_ids,
    due_date=st.none() | days,
    paid_on=st.none() | days,
    total=signed_money,
    tax=doubtful_tax,
)
quotes = document(
    edges_of="issue_date",
    client_id=clients,
    status=st.sampled_from(["draft", "sent", "sent", "accepted", "declined", "expired", "converted", "void"]),
    expiry_date=st.none() | days,
    decided_on=st.none() | days,
    total=money,
)
templates = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["invoice", "expense"]),
        "next_on": st.none() | days,
        "ends_on": st.one_of(st.none(), st.none(), days),
        "amount": money,
        "currency": document_currencies,
        "interval_unit": st.sampled_from(["day", "week", "month", "year"]),
        "count": st.integers(1, 3),
        "terms": st.sampled_from([None, None, 0, 7]),
        "active": st.sampled_from([True, True, True, False]),
    }
)
closes = st.dictionaries(
    st.sampled_from([0, -1, -1, -2, -50]),
    st.fixed_dictionaries({"pending": st.integers(0, 9), "overdue": st.integers(0, 9)}),
    max_size=2,
)
rate_days = st.one_of(st.integers(-9, 1), st.integers(-9, 1), days)
exchange_rates = st.dictionaries(st.tuples(st.sampled_from(FOREIGN_CURRENCIES), rate_days), rates, max_size=6)
rates_of_everyone = st.dictionaries(
    st.tuples(st.sampled_from(FOREIGN_CURRENCIES), st.sampled_from(BASE_CURRENCIES), rate_days), rates, max_size=10
)


@dataclass(frozen=True)
class Business:
    """The rows of one tenant; dates are days from the UTC date of the moment.

    gives: "rows" as they are drawn; "balances" a host that fills `balance` and neither allocations nor `unapplied`;
    "neither" one that fills none of them.
    """

    tenant: dict[str, Any]
    invoices: Sequence[dict[str, Any]]
    payments: Sequence[dict[str, Any]]
    expenses: Sequence[dict[str, Any]]
    quotes: Sequence[dict[str, Any]]
    templates: Sequence[dict[str, Any]]
    closes: dict[int, dict[str, Any]]
    rates: dict[tuple[str, int], str]
    gives: str


businesses = st.builds(
    Business,
    st.fixed_dictionaries(
        {
            "timezone": st.sampled_from(ZONES),
            "base_currency": st.sampled_from(BASE_CURRENCIES),
            "basis": st.sampled_from(["accrual", "cash"]),
            "cash_balance": st.one_of(st.none(), signed_money),
            "cash_balance_on": st.none() | recent_days,
        }
    ),
    st.lists(invoices, max_size=8),
    st.lists(payments, max_size=8),
    st.lists(expenses, max_size=6),
    st.lists(quotes, max_size=6),
    st.lists(templates, max_size=2),
    closes,
    exchange_rates,
    st.sampled_from(["rows", "rows", "rows", "rows", "balances", "neither"]),
)


def write(
    db: psycopg.Connection[Any],
    now: datetime,
    batch: dict[str, Business],
    rates_for_everyone: dict[tuple[str, str, int], str],
) -> None:
    """Replace all rows of the database by those of the batch."""
    with db.transaction(), db.pipeline():
        for table in TABLES:
            db.execute(f"DELETE FROM dashboard.{table}")
        for tenant_id, business in batch.items():
            add(Rows(db, tenant_id, business.tenant["base_currency"]), business, now)
        for (currency, base, day), rate in rates_for_everyone.items():
            Rows(db, "*").rate(currency, now.date() + timedelta(days=day), rate, base=base)


def add(rows: Rows, business: Business, now: datetime) -> None:
    def dated(row: dict[str, Any]) -> dict[str, Any]:
        """The row with its days as dates, and without what it leaves to the tenant."""
        return {
            column: now.date() + timedelta(days=value) if type(value) is int else value
            for column, value in row.items()
            if column != "currency" or value is not None
        }

    def told(row: dict[str, Any]) -> dict[str, Any]:
        """The row with what this host tells of where money went."""
        if business.gives == "rows":
            return dated(row)
        says = {"balance": row["balance"] or "100"} if business.gives == "balances" and "balance" in row else {}
        silent: dict[str, Any] = {column: None for column in ("balance", "unapplied") if column in row}
        return dated({**row, **silent, **says, "on": {}})

    rows.insert("tenant", dated(business.tenant))
    rows.client("c0", name="Zero & Sons")
    for number, row in enumerate(business.invoices):
        columns = told(row) | {"invoice_id": f"i{number}"}
        kind, on = columns.pop("kind"), columns.pop("on")
        if kind == "credit_note":
            rows.credit_note(**columns, on=on)
        else:
            rows.invoice(**columns)
    for row in business.payments:
        rows.payment(**told(row))
    for row in business.expenses:
        rows.expense(**dated(row))
    for row in business.quotes:
        rows.quote(**dated(row))
    for number, row in enumerate(business.templates):
        columns = dict(row, recurring_id=f"r{number}")
        counts = {"interval_count": columns.pop("count"), "terms_days": columns.pop("terms")}
        rows.recurring(**dated(columns), **counts)
    for day, close in business.closes.items():
        rows.close(now.date() + timedelta(days=day), **close)
    for (currency, day), rate in business.rates.items():
        rows.rate(currency, now.date() + timedelta(days=day), rate)


@settings(
    max_examples=100,
    deadline=None,
    print_blob=True,
    # Each example clears the database before it writes to it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(now=moments, batch=st.lists(businesses, min_size=1, max_size=6), rates_for_everyone=rates_of_everyone)
def test_batch_shows_what_the_recount_expects(
    db: psycopg.Connection[Any],
    engine: Engine,
    now: datetime,
    batch: list[Business],
    rates_for_everyone: dict[tuple[str, str, int], str],
) -> None:
    tenants = {f"t{number}": business for number, business in enumerate(batch)}
    write(db, now, tenants, rates_for_everyone)

    assert disagreements(engine, list(tenants), now) == {}
