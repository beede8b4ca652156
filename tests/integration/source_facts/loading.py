"""Facts of the one tenant of a test, on one day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import Engine

from workers.facts import (
    TenantFacts,
)
from workers.source import Source

Db = psycopg.Connection[Any]
TODAY = date(2026, 3, 11)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def load_all(engine: Engine, tenant_ids: Iterable[str]) -> dict[str, TenantFacts]:
    return Source(engine).load(list(tenant_ids), now=datetime(2026, 3, 11, 12, tzinfo=UTC)).facts


def load(engine: Engine) -> TenantFacts:
    return load_all(engine, ["t1"])["t1"]


def credit(engine: Engine) -> dict[str, Decimal]:
    """What is unspent now, by currency."""
    found: dict[str, Decimal] = {}
    for group in load(engine).credits:
        found[group.currency] = found.get(group.currency, Decimal(0)) + group.amount
    return found
