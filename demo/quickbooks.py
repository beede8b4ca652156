"""The tenant `quickbooks-demo`: documents of every kind that QuickBooks Online keeps, few and far between.

Source: demo/data/quickbooks/PROVENANCE.md. The extract covers 2017 to 2026 in some hundred records, with most of what its
documents point to left out; nothing is moved closer together or made up, so the dashboard of this tenant is a quiet one.
What could not be kept as it is, `Books.oddities` counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

from demo.extract import day, money, numbered, read
from demo.rows import (
    Allocation,
    Books,
    Client,
    Expense,
    Invoice,
    Payment,
    Quote,
    Tenant,
    balances,
    ending_on,
    newest_day,
)

TENANT_ID = "quickbooks-demo"
BASE = "USD"
TIMEZONE = "America/Los_Angeles"
QUOTE_STATUS = {"Pending": "sent", "Accepted": "accepted", "Closed": "converted", "Rejected": "declined"}
ZERO = Decimal(0)

Record = dict[str, str]


def quickbooks_books(today: date) -> Books:
    """The extract as contract rows, moved so that its newest business day is `today`."""
    return ending_on(_Extract().books, today)


class _Extract:
    """Fills the books file by file; ids carry the kind of document, for QuickBooks numbers each kind anew."""

    def __init__(self) -> None:
        self.books = Books(
            tenant=Tenant(tenant_id=TENANT_ID, name="QuickBooks extract", timezone=TIMEZONE, base_currency=BASE)
        )
        self.odd: Counter[str] = self.books.oddities
        self.invoices()
        self.credit_memos()
        self.sales_receipts()
        self.payments()
        self.refunds()
        self.quotes()
        self.expenses()
        self.clients()

    def kept(self, name: str) -> list[Record]:
        """The records of a file that were not deleted in QuickBooks."""
        records = read("quickbooks", name)
        kept = [record for record in records if record["_fivetran_deleted"] != "TRUE"]
        self.odd["deleted records skipped"] += len(records) - len(kept)
        return kept

    def total(self, record: Record, lines: dict[str, Decimal] | None = None) -> Decimal | None:
        """The amount in the header, else the sum of the lines, else None: then the document is left out."""
        total = money(record["total_amount"])
        if total is None:
            total = (lines or {}).get(record["id"])
            self.odd["documents without any amount skipped" if total is None else "amounts summed from lines"] += 1
        return total

    def dated(self, record: Record) -> date:
        """The day of the transaction, else the day on which it was entered."""
        self.odd["dated by the day of entry"] += not record["transaction_date"]
        return date.fromisoformat((record["transaction_date"] or record["created_at"])[:10])

    def invoices(self) -> None:
        for record in self.kept("invoice_data"):
            total = self.total(record)
            if total is not None:
                self.books.invoices.append(_invoice(record, "invoice", total, balance=Decimal(record["balance"])))

    def credit_memos(self) -> None:
        for record in self.kept("credit_memo_data"):
            total = self.total(record)
            if total is not None:
                self.books.invoices.append(_invoice(record, "credit-memo", total, kind="credit_note"))

    def sales_receipts(self) -> None:
        """Sold and paid at once: an invoice and its payment."""
        for record in self.kept("sales_receipt_data"):
            total = self.total(record)
            if total is not None:
                invoice = _invoice(record, "sales-receipt", total, balance=ZERO)
                payment = _payment(record, "sales-receipt", total, paid_on=invoice.issue_date)
                self.books.invoices.append(invoice)
                self.books.payments.append(payment)
                self.books.allocations.append(_allocation(payment, invoice.invoice_id, total, "0"))

    def payments(self) -> None:
        lines = defaultdict(list)
        for line in read("quickbooks", "payment_line_data"):
            lines[line["payment_id"]].append(line)
        for record in self.kept("payment_data"):
            total = self.total(record)
            if total is None:
                continue
            payment = _payment(record, "payment", total, paid_on=date.fromisoformat(record["transaction_date"]))
            self.books.payments.append(payment)
            own = lines.pop(record["id"], [])
            # Its invoice is not in the extract: the money stands as the customer's credit, as the rows imply.
            self.odd["payments without a line"] += not own
            for line in own:
                invoice_id, amount = f"invoice-{line['invoice_id']}", Decimal(line["amount"])
                self.books.allocations.append(_allocation(payment, invoice_id, amount, line["index"]))
        self.odd["payment lines without their payment"] += len(lines)
        self.settle()

    def settle(self) -> None:
        """Lower the headers' balances by payments that came in after the header was read."""
        left = balances(self.books, newest_day(self.books))
        for place, invoice in enumerate(self.books.invoices):
            if invoice.balance is not None and invoice.balance != left[invoice.invoice_id]:
                older = invoice.balance > left[invoice.invoice_id]
                self.odd["balances older than a payment" if older else "balances below what the payments leave"] += 1
                balance = min(invoice.balance, left[invoice.invoice_id])
                self.books.invoices[place] = replace(invoice, balance=balance)

    def refunds(self) -> None:
        lines = _sums("refund_receipt_line_data", "refund_id")
        for record in self.kept("refund_receipt_data"):
            total = self.total(record, lines)
            if total is not None:
                paid_on = self.dated(record)
                self.books.payments.append(_payment(record, "refund-receipt", total, kind="refund", paid_on=paid_on))

    def quotes(self) -> None:
        for record in self.kept("estimate_data"):
            total = self.total(record)
            if total is not None:
                self.books.quotes.append(
                    Quote(
                        tenant_id=TENANT_ID,
                        quote_id=f"estimate-{record['id']}",
                        client_id=record["customer_id"] or None,
                        status=QUOTE_STATUS[record["transaction_status"]],
                        issue_date=date.fromisoformat(record["transaction_date"]),
                        expiry_date=day(record["expiration_date"]),
                        decided_on=day(record["accepted_date"]),
                        currency=record["currency_id"],
                        total=total,
                        base_rate=_base_rate(record),
                    )
                )

    def expenses(self) -> None:
        bills, purchases, credits_ = self.kept("bill_data"), self.kept("purchase_data"), self.kept("vendor_credit_data")
        vendors = numbered("Supplier", (r["vendor_id"] for r in (*bills, *purchases, *credits_)))
        paid = self.bills_paid({record["id"]: Decimal(record["total_amount"]) for record in bills})
        for kind, records, lines in (
            ("bill", bills, "bill_line_data"),
            ("purchase", purchases, "purchase_line_data"),
            ("vendor-credit", credits_, None),
        ):
            sums = _sums(lines, f"{kind}_id") if lines else {}
            categories = _categories(lines, f"{kind}_id") if lines else {}
            for record in records:
                total = self.total(record, sums)
                if total is None:
                    continue
                bought_on = self.dated(record)
                self.books.expenses.append(
                    Expense(
                        tenant_id=TENANT_ID,
                        expense_id=f"{kind}-{record['id']}",
                        category=categories.get(record["id"]),
                        vendor=vendors[record["vendor_id"]],
                        expense_date=bought_on,
                        due_date=day(record.get("due_date", "")),
                        # A purchase is paid when it is made; a credit is no money.
                        paid_on={"bill": paid.get(record["id"]), "purchase": bought_on}.get(kind),
                        currency=record["currency_id"],
                        total=-total if kind == "vendor-credit" else total,
                        tax=money(record.get("total_tax", "")),
                        base_rate=_base_rate(record),
                    )
                )

    def bills_paid(self, totals: dict[str, Decimal]) -> dict[str, date]:
        """The day on which each bill was paid in full; the contract knows no partly paid expense."""
        days = {r["id"]: date.fromisoformat(r["transaction_date"]) for r in self.kept("bill_payment_data")}
        left = dict(totals)
        paid: dict[str, date] = {}
        lines = read("quickbooks", "bill_payment_line_data")
        for line in sorted(
            (r for r in lines if r["bill_payment_id"] in days), key=lambda r: days[r["bill_payment_id"]]
        ):
            bill_id = line["bill_id"]
            if bill_id not in left:
                self.odd["bill payment lines without their bill"] += 1
                continue
            left[bill_id] -= Decimal(line["amount"])
            if left[bill_id] <= 0:
                paid.setdefault(bill_id, days[line["bill_payment_id"]])
        return paid

    def clients(self) -> None:
        """Every customer of the extract, and every one that a document names: there must have been one."""
        listed = {record["id"] for record in self.kept("customer_data")}
        named = {invoice.client_id for invoice in self.books.invoices}
        named |= {payment.client_id for payment in self.books.payments}
        named |= {quote.client_id for quote in self.books.quotes}
        known = listed | {id_ for id_ in named if id_}
        self.odd["customers known from documents only"] = len(known - listed)
        self.books.clients = [
            Client(tenant_id=TENANT_ID, client_id=id_, name=name) for id_, name in numbered("Client", known).items()
        ]


def _base_rate(record: Record) -> Decimal | None:
    """QuickBooks' exchange_rate is in base units per document unit already; in base currency it means nothing."""
    return money(record["exchange_rate"]) if record["currency_id"] != BASE else None


def _invoice(
    record: Record, prefix: str, total: Decimal, *, kind: str = "invoice", balance: Decimal | None = None
) -> Invoice:
    return Invoice(
        tenant_id=TENANT_ID,
        invoice_id=f"{prefix}-{record['id']}",
        client_id=record["customer_id"] or None,
        kind=kind,
        issue_date=date.fromisoformat(record["transaction_date"]),
        due_date=day(record.get("due_date", "")),
        currency=record["currency_id"],
        total=total,
        tax=money(record["total_tax"]),
        balance=balance,
        base_rate=_base_rate(record),
    )


def _payment(record: Record, prefix: str, amount: Decimal, *, kind: str = "payment", paid_on: date) -> Payment:
    return Payment(
        tenant_id=TENANT_ID,
        payment_id=f"{prefix}-{record['id']}",
        client_id=record["customer_id"] or None,
        kind=kind,
        paid_on=paid_on,
        currency=record["currency_id"],
        amount=amount,
        base_rate=_base_rate(record),
    )


def _allocation(payment: Payment, invoice_id: str, amount: Decimal, index: str) -> Allocation:
    return Allocation(
        tenant_id=TENANT_ID,
        allocation_id=f"{payment.payment_id}-{index}",
        source_kind="payment",
        source_id=payment.payment_id,
        invoice_id=invoice_id,
        amount=amount,
        allocated_on=payment.paid_on,
    )


def _sums(file: str, key: str) -> dict[str, Decimal]:
    """What the lines of each document add up to."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in read("quickbooks", file):
        sums[line[key]] += money(line["amount"]) or ZERO
    return sums


def _categories(file: str, key: str) -> dict[str, str]:
    """The type of the account of each document's first line whose account is in the extract: names are obfuscated."""
    accounts = {r["id"]: r["account_type"] for r in read("quickbooks", "account_data")}
    found: dict[str, str] = {}
    for line in read("quickbooks", file):
        account = accounts.get(line["account_expense_account_id"])
        if account is not None:
            found.setdefault(line[key], account)
    return found
