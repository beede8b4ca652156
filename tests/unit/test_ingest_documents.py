"""A line of JSON is a row of the contract or is refused with a reason."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from cli.clone import ROOT
from workers.contract import REQUIRED, TABLES
from workers.ingest.documents import LONGEST_LINE, BadDocument, change
from workers.roles import CONTRACT
from workers.source.columns import OPTIONAL

INVOICE = {
    "table": "invoice",
    "tenant_id": "acme",
    "invoice_id": "1",
    "status": "posted",
    "issue_date": "2026-03-10",
    "currency": "EUR",
    "total": "119.00",
}


def line(**columns: Any) -> bytes:
    return json.dumps({**INVOICE, **columns}).encode()


def values(data: bytes) -> dict[str, Any]:
    asked = change(1, data)
    assert asked.values is not None
    return dict(zip(TABLES[asked.table].columns, asked.values, strict=True))


def test_what_reading_can_do_without_is_what_the_contract_lets_be_null() -> None:
    for table, columns in OPTIONAL.items():
        for name in columns:
            column = TABLES[table].columns[name]
            assert column.nullable or column.by_default, (table, name)
    assert set(REQUIRED) <= set(TABLES) == set(CONTRACT)


def test_the_guide_lists_every_column_and_which_of_them_may_be_null() -> None:
    listed: dict[str, dict[str, bool]] = {}
    for row in re.findall(r"^\| (\w+) \| (\w.*) \|$", (ROOT / "docs" / "integrate.md").read_text(), re.MULTILINE):
        plain = re.sub(r"\([^()]*\)|;.*", "", row[1])
        listed.setdefault(row[0], {name.rstrip("?"): name.endswith("?") for name in re.findall(r"\w+\??", plain)})
    for table, stated in TABLES.items():
        columns = {
            name: column.nullable for name, column in stated.columns.items() if name not in ("tenant_id", "updated_at")
        }
        assert listed[table] == columns, table


def test_a_document_is_a_row_with_every_column_in_order() -> None:
    row = values(line(client_id="c1", tax="19", updated_at="2026-03-10T12:00:00+01:00", due_date=None))
    assert row["total"] == Decimal("119.00")
    assert row["tax"] == 19
    assert row["kind"] == "invoice"
    assert row["due_date"] is None
    assert row["issue_date"] == date(2026, 3, 10)
    assert row["updated_at"] == datetime(2026, 3, 10, 11, tzinfo=UTC)


@pytest.mark.parametrize("written", ["0.1", '"0.1"', "1e-1", "0.1000000000000000000000000"])
def test_an_amount_is_exact_whether_number_or_text(written: str) -> None:
    data = line(total="?").replace(b'"?"', written.encode())
    assert values(data)["total"] == Decimal("0.1")


def test_a_number_beyond_a_floats_precision_keeps_every_digit() -> None:
    assert values(line(total="?").replace(b'"?"', b"123456789012345.6789"))["total"] == Decimal("123456789012345.6789")


def test_a_rate_keeps_the_twelve_decimals_of_its_column() -> None:
    assert values(line(base_rate="1.08230000000000003"))["base_rate"] == Decimal("1.0823")


def test_a_deletion_names_the_key_only() -> None:
    gone = change(
        7, b'{"table": "fx_rate", "delete": true, "currency": "EUR", "base_currency": "USD", "rate_date": "2026-03-10"}'
    )
    assert (gone.line, gone.values, gone.key) == (7, None, ("*", "EUR", "USD", date(2026, 3, 10)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[1]", "no JSON object"),
        (b"{", "no JSON"),
        (b'{"table": "invoice"', "no JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 90_000, "no JSON"),
        (b'{"table": "bill"}', "table must be one of tenant, client"),
        (b'{"table": ["invoice"]}', "table must be one of"),
        (line(delete="yes"), "delete must be true or false"),
        (line()[:-1] + b', "total": 1}', "a name is given twice"),
        (line(total="?").replace(b'"?"', b"NaN"), "NaN is not valid JSON"),
        (line(reference="\ud800"), "half of a character"),
        (line(reference="a\0b"), "NUL"),
        (line(reference="x" * LONGEST_LINE), "longer than"),
        (line(total=None), "total: Expected"),
        (line(total="NaN"), "total: NaN is no amount"),
        (line(total="-Infinity"), "no amount"),
        (line(total="1e16"), "no amount below"),
        (line(total="1.00001"), "more than 4 decimals"),
        (line(total="-1"), "total: -1 is below 0"),
        (line(total=True), "total: Expected"),
        (line(total="12,50"), "total: Invalid decimal"),
        (line(base_rate=0), "base_rate: 0 is no rate above 0"),
        (line(base_rate="1e-13"), "no rate above 0"),
        (line(base_rate="1e12"), "no rate below"),
        (line(base_rate="-1e17"), "base_rate: -1E+17 is no rate above 0"),
        (line(base_rate="-1e400"), "no rate above 0"),
        (line(total="?").replace(b'"?"', b"1e99999999999999999999"), "no JSON: a number has an exponent"),
        (line(total="?").replace(b'"?"', b"1e-99999999999999999999"), "no JSON: a number has an exponent"),
        (line(currency="eur"), "currency: Expected `str` matching"),
        (line(currency="EURO"), "currency:"),
        (line(currency="€"), "currency:"),
        (line(status="sent"), "status: must be one of draft, posted, void"),
        (line(issue_date="10.03.2026"), "issue_date: Invalid"),
        (line(issue_date="2026-02-30"), "issue_date: Invalid"),
        (line(created_at="2026-03-10T12:00:00"), "created_at: Expected"),
        (line(tenant_id=""), "tenant_id: Expected `str` of length >= 1"),
        (line(invoice_id="1" * 256), "invoice_id: Expected `str` of length <= 255"),
        (line(invoice_id=1), "invoice_id: Expected `str`, got `int`"),
        (line(amount=1), "has no such field `amount`"),
        (b'{"table": "client", "tenant_id": "acme"}', "misses required field `client_id`"),
        (b'{"table": "client", "delete": true, "tenant_id": "acme", "client_id": "1", "name": "A"}', "no such field `name`"),
        (b'{"table": "tenant", "tenant_id": "a", "timezone": "Berlin", "base_currency": "EUR"}', "no time zone 'Berlin'"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(BadDocument) as refused:
        change(1, data)
    assert reason in str(refused.value)
