"""What moved a number: the documents of now beside those of a time before. Source: SPEC 9.

Without I/O: two lists in, one out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.receipts import Moved, Moves, Part
from workers.receipts.document import Document, in_order

_Name = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Documents in their order, and their sum in base units; None where that is not known."""

    documents: Sequence[Document]
    total: Decimal | None


def changes(now: Listed, before: Listed) -> Listed:
    """The documents that made the difference, each with what it adds to it; the total is now's less that of before.

    One that is in both lists with the same amounts is left out. One that lost or got its rate adds what the number had or
    has of it.
    """
    named_now, named_before = _named(now.documents), _named(before.documents)
    documents = [
        *(replace(one, moved="in") for one in _of_others(named_now, named_before)),
        *(replace(one.negative(), moved="out") for one in _of_others(named_before, named_now)),
        *(_changed(named_now[name], named_before[name]) for name in named_now.keys() & named_before.keys()),
    ]
    total = None if now.total is None or before.total is None else now.total - before.total
    return Listed(documents=in_order(one for one in documents if one.moved is not None), total=total)


def moves(documents: Iterable[Document]) -> Moves:
    """How much of the difference each kind of change made, of all documents that `changes` lists."""
    by_kind: dict[Moved | None, list[Document]] = {}
    for one in documents:
        by_kind.setdefault(one.moved, []).append(one)
    return Moves(
        into=_part(by_kind.get("in", [])), out=_part(by_kind.get("out", [])), changed=_part(by_kind.get("changed", []))
    )


def _part(documents: Sequence[Document]) -> Part:
    """As for any sum of documents: not known where there are some and none converts."""
    converted = [one.base_amount for one in documents if one.base_amount is not None]
    return Part(count=len(documents), total=sum(converted, Decimal()) if converted or not documents else None)


def _named(documents: Iterable[Document]) -> dict[_Name, list[Document]]:
    """By kind, id and currency. A payment of which some converts and some does not stands there twice."""
    named: dict[_Name, list[Document]] = {}
    for one in documents:
        named.setdefault((one.kind, one.id, one.currency), []).append(one)
    return named


def _of_others(named: dict[_Name, list[Document]], others: dict[_Name, list[Document]]) -> Iterable[Document]:
    return (one for name, documents in named.items() if name not in others for one in documents)


def _changed(now: Sequence[Document], before: Sequence[Document]) -> Document:
    """As it is now, with the difference; `moved` is None where there is none."""
    amount = sum((one.amount for one in now), Decimal()) - sum((one.amount for one in before), Decimal())
    base, base_before = _base(now), _base(before)
    if amount == 0 and base == base_before:
        return replace(now[0], moved=None)
    difference = None if base is None and base_before is None else (base or Decimal()) - (base_before or Decimal())
    return replace(now[0], amount=amount, base_amount=difference, moved="changed")


def _base(documents: Iterable[Document]) -> Decimal | None:
    converted = [one.base_amount for one in documents if one.base_amount is not None]
    return sum(converted, Decimal()) if converted else None
