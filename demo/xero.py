"""The tenant `xero-demo`: a year and a half of a Canadian company's invoices and bills, as Xero keeps them.

Source: demo/data/xero/PROVENANCE.md. Amounts are as found, odd ones included.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from demo.extract import RATE_STEP, day, numbered, read
from demo.rows import Allocation, Books, Client, Expense, FxRate, Invoice, Payment, Tenant, ending_on

TENANT_ID = "xero-demo"
BASE = "CAD"
TIMEZONE = "America/Toronto"
STATUS = {"PAID": "posted", "AUTHORISED": "posted", "VOIDED": "void", "DELETED": "void"}


def xero_books(today: date) -> Books:
    """The extract as contract rows, moved so that its newest business day is `today`."""
    records = read("xero", "xero_invoice_data")
    sales = [r for r in records if r["type"] == "ACCREC"]
    bills = [r for r in records if r["type"] == "ACCPAY"]
    clients = numbered("Client", (r["contact_id"] for r in sales))
    vendors = numbered("Supplier", (r["contact_id"] for r in bills))
    categories = _categories()
    books = Books(
        tenant=Tenant(
            tenant_id=TENANT_ID,
            name="Xero extract",
            timezone=TIMEZONE,
            base_currency=BASE,
            fiscal_year_start_month=int(read("xero", "xero_organization_data")[0]["financial_year_end_month"]) % 12 + 1,
        ),
        clients=[Client(tenant_id=TENANT_ID, client_id=id_, name=name) for id_, name in clients.items()],
        invoices=[_invoice(r) for r in sales],
        expenses=[_expense(r, vendors[r["contact_id"]], categories.get(r["invoice_id"])) for r in bills],
        rates=_rates(records),
    )
    for record in sales:
        if record["fully_paid_on_date"]:
            _settle(books, record)
    books.oddities["total differs from sub_total + total_tax"] = sum(
        Decimal(r["total"]) != Decimal(r["sub_total"]) + Decimal(r["total_tax"]) for r in records
    )
    return ending_on(books, today)


def _base_rate(record: dict[str, str]) -> Decimal | None:
    """Base units per document unit; Xero keeps the inverse. None in base currency, which needs none."""
    if record["currency_code"] == BASE:
        return None
    return (1 / Decimal(record["currency_rate"])).quantize(RATE_STEP)


def _invoice(record: dict[str, str]) -> Invoice:
    status = STATUS[record["status"]]
    return Invoice(
        tenant_id=TENANT_ID,
        invoice_id=record["invoice_id"],
        client_id=record["contact_id"],
        status=status,
        issue_date=date.fromisoformat(record["date"]),
        due_date=day(record["due_date"]),
        currency=record["currency_code"],
        total=Decimal(record["total"]),
        tax=Decimal(record["total_tax"]),
        balance=Decimal(record["amount_due"]) if status == "posted" else None,
        base_rate=_base_rate(record),
    )


def _settle(books: Books, record: dict[str, str]) -> None:
    """One payment for a paid invoice: the extract says when it was paid in full, not in how many parts."""
    paid_on, payment_id = date.fromisoformat(record["fully_paid_on_date"]), f"payment-{record['invoice_id']}"
    amount = Decimal(record["amount_paid"])
    books.payments.append(
        Payment(
            tenant_id=TENANT_ID,
            payment_id=payment_id,
            client_id=record["contact_id"],
            paid_on=paid_on,
            currency=record["currency_code"],
            amount=amount,
            # The extract does not tell the rate of the day paid.
            base_rate=_base_rate(record),
        )
    )
    books.allocations.append(
        Allocation(
            tenant_id=TENANT_ID,
            allocation_id=payment_id,
            source_kind="payment",
            source_id=payment_id,
            invoice_id=record["invoice_id"],
            amount=amount,
            allocated_on=paid_on,
        )
    )


def _expense(record: dict[str, str], vendor: str, category: str | None) -> Expense:
    return Expense(
        tenant_id=TENANT_ID,
        expense_id=record["invoice_id"],
        category=category,
        vendor=vendor,
        status=STATUS[record["status"]],
        expense_date=date.fromisoformat(record["date"]),
        due_date=day(record["due_date"]),
        paid_on=day(record["fully_paid_on_date"]),
        currency=record["currency_code"],
        total=Decimal(record["total"]),
        tax=Decimal(record["total_tax"]),
        base_rate=_base_rate(record),
    )


def _categories() -> dict[str, str]:
    """The account name of each document's first line that has one; two documents have lines of two accounts."""
    names = {r["code"]: r["name"] for r in read("xero", "xero_account_data")}
    categories: dict[str, str] = {}
    for line in read("xero", "xero_invoice_line_item_data"):
        if line["account_code"] in names:
            categories.setdefault(line["invoice_id"], names[line["account_code"]])
    return categories


def _rates(records: list[dict[str, str]]) -> list[FxRate]:
    """The tenant's own rates: those its foreign documents were booked at, the last booked of a day."""
    rates = {
        (r["currency_code"], date.fromisoformat(r["date"])): _base_rate(r)
        for r in sorted(records, key=lambda r: r["updated_date_utc"])
        if STATUS[r["status"]] == "posted"
    }
    return [
        FxRate(tenant_id=TENANT_ID, currency=currency, base_currency=BASE, rate_date=day_, rate=rate)
        for (currency, day_), rate in rates.items()
        if rate is not None
    ]
