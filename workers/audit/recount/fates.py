"""From the documents outward: every document of the books, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from workers.audit.recount.books import Books, Row
from workers.audit.recount.costs import fate_of_expense
from workers.audit.recount.desk import Desk
from workers.audit.recount.expectations import expected_from_template
from workers.audit.recount.left_over import Remains
from workers.audit.recount.links import follow_links
from workers.audit.recount.money import fate_of_payment, fate_of_refund
from workers.audit.recount.offers import fate_of_quote
from workers.audit.recount.postings import Ledger, Posting
from workers.audit.recount.rates import rates_of
from workers.audit.recount.sales import fate_of_credit_note, fate_of_invoice


def ledger_of(books: Books) -> Ledger:
    """The postings of all documents."""
    rates, links = rates_of(books), follow_links(books)
    remains = Remains(links=links, rates=rates)
    remains.pay_out_notes(books.credit_notes)
    desk = Desk(books=books, rates=rates, links=links, remains=remains)
    return Ledger(_postings(desk))


def _postings(desk: Desk) -> Iterator[Posting]:
    books = desk.books
    fates: Sequence[tuple[Sequence[Row], Callable[[Desk, Row], Iterator[Posting]]]] = (
        (books.invoices, fate_of_invoice),
        (books.credit_notes, fate_of_credit_note),
        (books.payments, fate_of_payment),
        (books.refunds, fate_of_refund),
        (books.expenses, fate_of_expense),
        (books.quotes, fate_of_quote),
        (books.templates, expected_from_template),
    )
    for rows, fate in fates:
        for row in rows:
            yield from fate(desk, row)
