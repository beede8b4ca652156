"""What clients owe now and what they have left: ageing, debtors, credit and days of sales outstanding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from shared.snapshot import BUCKETS, Bucket
from workers.audit.recount.books import DAY, Books
from workers.audit.recount.periods import Periods
from workers.audit.recount.postings import Ledger, LeftOut, Posting, left_out, total, without_rate
from workers.audit.recount.rounding import rounded, shown

SALES_DAYS = 90
DAYS_PLACES = 1
MOST_DEBTORS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """Open invoices of one bucket."""

    count: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyAmount:
    """What is owed in one currency."""

    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """A client with open invoices; client_id None: all those without client."""

    client_id: str | None
    name: str | None
    outstanding: Decimal | None
    overdue: Decimal | None
    oldest_due: date | None
    invoices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivables:
    """The block of the overview."""

    outstanding: Decimal | None
    customer_credit: Decimal | None
    dso_days: Decimal | None
    ageing: Mapping[str, Ageing]
    by_currency: Mapping[str, CurrencyAmount]
    debtors: Sequence[Debtor]
    unconverted: LeftOut


def receivables(books: Books, ledger: Ledger) -> Receivables:
    """Everything of the block, from the open invoices and what clients have left."""
    owed = ledger.all("open")
    dso = dso_days(books, ledger)
    by_currency: dict[str, Fraction] = defaultdict(Fraction)
    for posting in owed:
        by_currency[posting.currency] += posting.amount
    return Receivables(
        outstanding=shown(total(owed), books.base),
        customer_credit=shown(customer_credit(books, ledger), books.base),
        dso_days=None if dso is None else rounded(dso, DAYS_PLACES),
        ageing={bucket: _ageing(books, owed, bucket) for bucket in BUCKETS},
        by_currency={
            currency: CurrencyAmount(amount=shown(amount, currency) or Decimal())
            for currency, amount in by_currency.items()
        },
        debtors=_debtors(books, owed),
        unconverted=left_out(owed),
    )


def overdue(books: Books, owed: Sequence[Posting]) -> list[Posting]:
    """Those of the open invoices that are late."""
    return [posting for posting in owed if days_late(books, posting) > 0]


def days_late(books: Books, posting: Posting) -> int:
    """Days since an open invoice was due; 0 or less is not late, as is one without due date."""
    return 0 if posting.due_date is None else (books.today - posting.due_date).days


def customer_credit(books: Books, ledger: Ledger) -> Fraction | None:
    """What clients have left, client by client and none of them below 0; None if it cannot be known."""
    credit = ledger.all("credit")
    if books.links_unknown or total(credit) is None:
        return None
    by_client: dict[str | None, Fraction] = defaultdict(Fraction)
    for posting in credit:
        by_client[posting.client] += posting.base or 0
    return sum((max(Fraction(0), left) for left in by_client.values()), Fraction(0))


def dso_days(books: Books, ledger: Ledger) -> Fraction | None:
    """Days of sales outstanding: what is owed of invoices dated up to today, less unused credit notes, over the sales of
    the 90 days incl. today, times 90. None without sales, and while a document on either side has no rate."""
    owed = [posting for posting in ledger.all("open") if posting.issued_on and posting.issued_on <= books.today]
    unused = ledger.all("unused_note")
    billed = Periods(books=books, ledger=ledger).billed(books.today - (SALES_DAYS - 1) * DAY, books.today)
    if without_rate([*owed, *unused, *billed.postings]) or not billed.value or billed.value < 0:
        return None
    left = (total(owed) or Fraction(0)) - (total(unused) or Fraction(0))
    return max(Fraction(0), left) / billed.value * SALES_DAYS


def _ageing(books: Books, owed: Sequence[Posting], bucket: Bucket) -> Ageing:
    in_bucket = [posting for posting in owed if _bucket(days_late(books, posting)) == bucket]
    return Ageing(count=len(in_bucket), amount=shown(total(in_bucket), books.base))


def _bucket(days: int) -> Bucket:
    if days <= 0:
        return "current"
    return "1-30" if days <= 30 else "31-60" if days <= 60 else "61-90" if days <= 90 else "90+"


def _debtors(books: Books, owed: Sequence[Posting]) -> list[Debtor]:
    """The ten with most overdue, then most outstanding, then by id, the invoices without client last."""
    by_client: dict[str | None, list[Posting]] = defaultdict(list)
    for posting in owed:
        by_client[posting.client].append(posting)
    debtors = [_debtor(books, client_id, postings) for client_id, postings in by_client.items()]

    def order(debtor: Debtor) -> tuple[Decimal, Decimal, bool, str]:
        late, owes = debtor.overdue or Decimal(), debtor.outstanding or Decimal()
        return -late, -owes, debtor.client_id is None, debtor.client_id or ""

    return sorted(debtors, key=order)[:MOST_DEBTORS]


def _debtor(books: Books, client_id: str | None, owed: Sequence[Posting]) -> Debtor:
    return Debtor(
        client_id=client_id,
        name=None if client_id is None else books.client_names.get(client_id),
        outstanding=shown(total(owed), books.base),
        overdue=shown(total(overdue(books, owed)), books.base),
        oldest_due=min((posting.due_date for posting in owed if posting.due_date is not None), default=None),
        invoices=len(owed),
    )
