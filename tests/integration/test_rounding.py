"""Half a minor unit is half a minor unit: exact products are not tipped over it, divisions that miss it are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from tests.calculations import agreed
from tests.rows import add_tenant

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        ("0.849999999999", "0.008"),  # 0.01 × rate = 0.00849999999999: below the half, though by less than 1e-12
        ("0.850000000000", "0.009"),
        ("0.850000000001", "0.009"),
    ],
)
def test_an_exact_product_just_below_the_half_is_rounded_down(
    db: psycopg.Connection[Any], engine: Engine, rate: str, shown: str
) -> None:
    rows = add_tenant(db, "t1", base_currency="KWD")
    rows.payment(NOW.date(), "0.01", currency="USD", base_rate=rate)

    expected = agreed(engine, "t1", NOW)

    assert expected.metrics["Cash Flow"].value == Decimal(shown)


@pytest.mark.parametrize(("paid", "shown"), [("0.0150", "0.03"), ("0.0149", "0.00")])
def test_a_third_that_is_half_a_cent_is_rounded_up_each_by_itself(
    db: psycopg.Connection[Any], engine: Engine, paid: str, shown: str
) -> None:
    rows = add_tenant(db, "t1", basis="cash")
    # Three times 0.015 × 1/3: the division has no end, each product is half a cent and becomes a whole one.
    for number in range(3):
        invoice = rows.invoice(NOW.date(), "3", tax="2", invoice_id=f"i{number}")
        rows.payment(NOW.date(), paid, on={invoice: paid})

    expected = agreed(engine, "t1", NOW)

    assert expected.metrics["Daily Revenue"].value == Decimal(shown)
