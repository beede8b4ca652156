"""Reads the CSV extracts of real accounting systems under demo/data: text in, typed values out, nothing guessed."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

DATA = Path(__file__).parent / "data"
RATE_STEP = Decimal("1e-12")


def read(folder: str, name: str) -> list[dict[str, str]]:
    """The records of one file, every value as text, empty where the extract has none."""
    with (DATA / folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def money(text: str) -> Decimal | None:
    """The amount, None where the extract has none."""
    return Decimal(text) if text else None


def day(text: str) -> date | None:
    """The date of `2021-01-19` or `2021-01-19 0:16:33`, as written: the extracts name no time zone."""
    return date.fromisoformat(text[:10]) if text else None


def numbered(word: str, ids: Iterable[str]) -> dict[str, str]:
    """A neutral name for each id ("Client 07"), by its place among all of them: names upstream are obfuscated."""
    ordered = sorted(set(ids), key=lambda id_: (len(id_), id_))
    width = len(str(len(ordered)))
    return {id_: f"{word} {place:0{width}d}" for place, id_ in enumerate(ordered, start=1)}
