"""Two lists of documents, and what made the difference between them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.receipts import Moves, Part
from workers.receipts.changes import Listed, changes, moves
from workers.receipts.document import Document, as_csv


def document(
    name: str, amount: str, base: str | None = "same", currency: str = "USD", kind: str = "invoice"
) -> Document:
    own = Decimal(amount)
    worth = own if base == "same" else None if base is None else Decimal(base)
    return Document(kind=kind, id=name, amount=own, currency=currency, base_amount=worth)


def listed(*documents: Document) -> Listed:
    converted = [one.base_amount for one in documents if one.base_amount is not None]
    return Listed(documents=documents, total=sum(converted, Decimal()) if converted or not documents else None)


def told(found: Listed) -> list[tuple[str | None, str | None, Decimal, Decimal | None]]:
    return [(one.id, one.moved, one.amount, one.base_amount) for one in found.documents]


def test_documents_come_go_and_change_the_largest_first() -> None:
    found = changes(
        listed(document("new", "10"), document("part", "40"), document("same", "5")),
        listed(document("gone", "70"), document("part", "60"), document("same", "5")),
    )
    assert told(found) == [("gone", "out", -70, -70), ("part", "changed", -20, -20), ("new", "in", 10, 10)]
    assert found.total == 55 - 135
    assert moves(found.documents) == Moves(
        into=Part(count=1, total=Decimal(10)),
        out=Part(count=1, total=Decimal(-70)),
        changed=Part(count=1, total=Decimal(-20)),
    )


@pytest.mark.parametrize(
    ("now", "before", "amount", "base"),
    [
        (("100", "110"), ("100", "108"), "0", "2"),  # the rate moved
        (("100", None), ("100", "108"), "0", "-108"),  # none is known any more
        (("100", "108"), ("100", None), "0", "108"),
        (("60", None), ("100", None), "-40", None),  # none is known: the sum does not change
    ],
)
def test_a_balance_changes_with_its_rate(
    now: tuple[str, str | None], before: tuple[str, str | None], amount: str, base: str | None
) -> None:
    euros, euros_then = document("e", *now, currency="EUR"), document("e", *before, currency="EUR")
    found = changes(listed(euros), listed(euros_then))
    assert told(found) == [("e", "changed", Decimal(amount), None if base is None else Decimal(base))]


def test_what_is_not_known_on_one_side_has_no_difference() -> None:
    unknown = listed(document("francs", "10", None, "CHF"))
    assert unknown.total is None
    found = changes(unknown, listed(document("dollars", "5")))
    assert found.total is None
    assert moves(found.documents) == Moves(
        into=Part(count=1, total=None), out=Part(count=1, total=Decimal(-5)), changed=Part(count=0, total=Decimal(0))
    )


def test_documents_are_one_by_kind_id_and_currency() -> None:
    # On cash basis a payment stands once for each currency of what it paid for, and twice where some of it has no rate.
    payment = document("1", "10", kind="payment")
    euros = [document("1", "20", "22", "EUR", "payment"), document("1", "5", None, "EUR", "payment")]
    now = listed(payment, *euros)
    assert told(changes(now, now)) == []
    found = changes(now, listed(document("1", "10"), euros[0]))
    assert told(found) == [
        ("1", "out", -10, -10), ("1", "in", 10, 10), ("1", "changed", 5, 0),
    ]  # fmt: skip


def test_a_file_of_changes_says_what_became_of_each() -> None:
    lines = as_csv(changes(listed(), listed(document("=1", "10"))).documents, with_changes=True).splitlines()
    assert lines[0].endswith(",base_amount,moved")
    assert lines[1].endswith(",-10,USD,-10,out")
    assert "moved" not in as_csv([document("1", "10")])
