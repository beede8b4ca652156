"""What both calculations show of the one tenant of a case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import Engine

from tests.calculations import agreed
from workers.audit.recount import Expected

DAY = timedelta(days=1)
TODAY = date(2026, 3, 11)
NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
EVENING = datetime(2026, 3, 11, 21, 0, tzinfo=UTC)
YESTERDAY = TODAY - DAY

Db = psycopg.Connection[Any]
Amount = Decimal | int | str | None


def shown(engine: Engine, now: datetime = NOON) -> Expected:
    return agreed(engine, "t1", now)


def money(*amounts: str | None) -> list[Decimal | None]:
    return [None if amount is None else Decimal(amount) for amount in amounts]


def ins_and_outs(board: Expected) -> dict[int, tuple[Decimal | None, Decimal | None]]:
    """In and out of the days of the forecast on which anything is expected, by days from today."""
    days = enumerate(board.cash_forecast.values())
    return {ahead: (day.inflow, day.outflow) for ahead, day in days if (day.inflow, day.outflow) != (0, 0)}


def end_of(board: Expected) -> Decimal:
    """What the forecast arrives at."""
    return list(board.cash_forecast.values())[-1].cumulative


def left_out(board: Expected, block: str) -> dict[str, tuple[Decimal, int]]:
    return {currency: (left.amount, left.documents) for currency, left in board.unconverted[block].items()}
