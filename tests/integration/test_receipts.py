"""Receipts over HTTP with a real worker: pages, files, versions, and what is asked for wrongly."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests

from shared.receipts import PARAMETERS
from tests.conftest import Services
from tests.days import today
from tests.rows import Rows, add_tenant
from tests.servers import WebServer, Worker, eventually
from tests.tokens import bearer
from tests.web_and_worker import web_and_worker

DAY = timedelta(days=1)
API = "/api/dashboard/"


class Daybook:
    """A web process and a worker over one database; nothing listens to changes, so they stay pending."""

    def __init__(self, web: WebServer, worker: Worker, db: psycopg.Connection[Any]) -> None:
        self.web, self.worker, self.db = web, worker, db

    def tenant(self, **columns: Any) -> Rows:
        return add_tenant(self.db, f"r-{uuid4().hex}", **columns)

    def get(self, rows: Rows, path: str, **query: Any) -> requests.Response:
        """The answer, asked for until it is there, as a client does."""

        def ask() -> requests.Response:
            address = self.web.url + path if path.startswith("/") else f"{self.web.url}{API}{path}"
            return requests.get(address, query, headers=bearer(rows.tenant_id), timeout=10)

        return eventually(ask, lambda answer: answer.status_code not in (202, 503), within_s=15)

    def receipt(self, rows: Rows, number: str, **query: Any) -> Any:
        answer = self.get(rows, f"receipts/{number}/", **query)
        assert answer.status_code == 200, answer.text
        return answer.json(parse_float=Decimal)

    def tasks_sent(self, name: str) -> int:
        return sum(event["event"] == "task_sent" and event["task"] == name for event in self.web.events)


@pytest.fixture(scope="module")
def daybook(services: Services) -> Iterator[Daybook]:
    with web_and_worker(services) as started:
        yield Daybook(*started)


def test_pages_hold_all_documents_the_largest_first_and_add_up(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.client("c1", name="Riverside Hotel")
    for number in range(120):
        rows.invoice(today(), 100 + number, client_id="c1", reference=f"INV-{number}")
    rows.invoice(today(), 5, currency="EUR")
    first = daybook.receipt(rows, "daily-revenue")
    pages = [first]
    while pages[-1]["next"]:
        pages.append(daybook.get(rows, pages[-1]["next"]).json(parse_float=Decimal))
    items = [item for page in pages for item in page["items"]]

    assert [len(page["items"]) for page in pages] == [50, 50, 21]
    assert {page["count"] for page in pages} == {121}
    assert sum(item["base_amount"] or 0 for item in items) == first["total"] == sum(range(100, 220))
    assert items[0] == {
        "kind": "invoice", "id": "invoice-120", "reference": "INV-119", "date": str(today()),
        "due_date": str(today() + 30 * DAY), "client": {"id": "c1", "name": "Riverside Hotel"}, "vendor": None,
        "category": None, "amount": 219, "currency": "USD", "base_amount": 219,
    }  # fmt: skip
    assert (items[-1]["currency"], items[-1]["amount"], items[-1]["base_amount"]) == ("EUR", 5, None)
    assert first["unconverted"] == [{"currency": "EUR", "amount": 5, "documents": 1}]
    snapshot = daybook.get(rows, "realtime/aggregate/").json()
    assert (first["version"], first["currency"], first["number"]) == (snapshot["version"], "USD", "daily-revenue")
    assert daybook.receipt(rows, "daily-revenue", page=9)["items"] == []


def test_what_moved_a_number_since_the_time_before(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.invoice(today() - DAY, 300, invoice_id="paid", reference="=INV-1")
    rows.payment(today(), 300, on={"paid": 300})
    rows.invoice(today(), 500, invoice_id="new")
    rows.invoice(today() - DAY, 70, invoice_id="same")
    yesterday = str(today() - DAY)

    pending = daybook.receipt(rows, "pending-invoices", changes="true")
    assert [(item["id"], item["moved"], item["base_amount"]) for item in pending["items"]] == [
        ("new", "in", 500), ("paid", "out", -300),
    ]  # fmt: skip
    assert (pending["total"], pending["value"], pending["count"], pending["next"]) == (200, 0, 2, None)
    assert pending["moved"] == {
        "in": {"count": 1, "total": 500}, "out": {"count": 1, "total": -300}, "changed": {"count": 0, "total": 0},
    }  # fmt: skip
    assert pending["before"] == {"from": yesterday, "to": yesterday, "total": 370, "count": 2, "value": 2}
    plain = daybook.receipt(rows, "pending-invoices")
    assert (plain["total"], plain["version"]) == (570, pending["version"])
    assert not {"moved", "before"} & (plain.keys() | plain["items"][0].keys())

    sales = daybook.receipt(rows, "revenue", **{"from": str(today()), "to": str(today()), "changes": "true"})
    assert (sales["total"], sales["before"]["total"], "value" in sales) == (500 - 370, 370, False)
    activity = daybook.receipt(rows, "client-activity", changes="true")
    assert (activity["value"], activity["before"]["value"]) == (0, 0)
    answer = daybook.get(rows, "receipts/pending-invoices/", changes="true", format="csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="pending-invoices-changes.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [(line["reference"], line["moved"]) for line in lines] == [("", "in"), ("'=INV-1", "out")]


def test_a_row_that_is_committed_in_between_is_in_both_or_in_neither(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.invoice(today(), 100)
    before = daybook.receipt(rows, "outstanding")
    rows.invoice(today(), 50)  # pending: nobody has computed it
    again = daybook.receipt(rows, "outstanding")
    other = daybook.receipt(rows, "pending-invoices")

    # What was made for the version that is shown still holds for it; what is made now brings the next version with it.
    assert (again["version"], again["total"]) == (before["version"], 100)
    assert (other["total"], other["value"], other["count"]) == (150, 2, 2)
    assert other["version"] != before["version"]
    snapshot = daybook.get(rows, "realtime/aggregate/").json()
    assert snapshot["version"] == other["version"]
    assert daybook.receipt(rows, "outstanding")["total"] == 150


def test_a_row_that_nobody_noted_is_computed_before_its_document_is_shown(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.invoice(today(), 100)
    before = daybook.receipt(rows, "outstanding")  # settled
    with daybook.db.transaction():
        daybook.db.execute("SET LOCAL session_replication_role = replica")
        rows.invoice(today(), 50)
    receipt = daybook.receipt(rows, "daily-revenue")
    snapshot = daybook.get(rows, "realtime/aggregate/").json()
    assert receipt["total"] == snapshot["metrics"][0]["value"] == 150
    assert receipt["version"] == snapshot["version"] != before["version"]


def test_the_same_question_about_the_same_version_is_answered_without_a_worker(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.invoice(today(), 100)
    daybook.receipt(rows, "outstanding", bucket="current")
    sent = daybook.tasks_sent("dashboard.receipt")
    assert daybook.receipt(rows, "outstanding", bucket="current")["total"] == 100
    assert daybook.tasks_sent("dashboard.receipt") == sent


def test_all_who_ask_the_same_at_once_share_one_task(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.invoice(today(), 100)
    daybook.get(rows, "realtime/aggregate/")
    before = daybook.tasks_sent("dashboard.receipt")
    daybook.worker.pause()
    try:
        with ThreadPoolExecutor(6) as pool:
            address, headers = f"{daybook.web.url}{API}receipts/outstanding/", bearer(rows.tenant_id)
            asked = pool.map(lambda _: requests.get(address, headers=headers, timeout=10).status_code, range(6))
            assert set(asked) == {202}
    finally:
        daybook.worker.resume()
    assert daybook.tasks_sent("dashboard.receipt") == before + 1
    assert daybook.receipt(rows, "outstanding")["total"] == 100


def test_a_worker_that_takes_long_is_waited_for_by_asking_again(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.invoice(today(), 100)
    daybook.get(rows, "realtime/aggregate/")
    daybook.worker.pause()
    try:
        answer = requests.get(
            f"{daybook.web.url}{API}receipts/outstanding/", headers=bearer(rows.tenant_id), timeout=10
        )
    finally:
        daybook.worker.resume()
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["status"]) == (202, "1", "queued")
    assert daybook.receipt(rows, "outstanding")["total"] == 100


def test_one_currency_of_the_forecast_is_what_it_adds_to_the_whole(daybook: Daybook) -> None:
    rows = daybook.tenant(cash_balance=1000, cash_balance_on=today() - DAY)
    rows.rate("EUR", today(), "1.5")
    rows.expense(today(), 100, vendor="Mills", due_date=today() + DAY)
    rows.expense(today(), -20, vendor="Mills", due_date=today() + DAY, currency="EUR")
    whole, euros = daybook.receipt(rows, "forecast"), daybook.receipt(rows, "forecast", currency="EUR")
    # 1000 - 100 + 20 * 1.5: the credit lessens what the vendor is owed in dollars.
    assert ([item["kind"] for item in whole["items"]], whole["total"]) == (["cash_balance", "expense", "expense"], 930)
    assert [(item["amount"], item["base_amount"]) for item in euros["items"]] == [(20, 30)]
    assert euros["total"] == 30


def test_all_documents_as_a_file_that_no_spreadsheet_takes_for_a_formula(daybook: Daybook) -> None:
    rows = daybook.tenant()
    rows.client("=1+1", name='=HYPERLINK("x")')
    for number in range(60):
        rows.invoice(today(), 10, client_id="=1+1", reference=f"+{number}")
    answer = daybook.get(rows, "receipts/daily-revenue/", format="csv")
    lines = list(csv.DictReader(io.StringIO(answer.content.decode())))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="daily-revenue.csv"'
    assert len(lines) == 60
    assert sum(Decimal(line["base_amount"]) for line in lines) == 600
    assert (lines[0]["client_id"], lines[0]["client"]) == ("'=1+1", '\'=HYPERLINK("x")')
    assert lines[0]["reference"].startswith("'+")


@pytest.mark.parametrize(
    ("number", "query", "names"),
    [
        ("nonsense", {}, "nonsense"),
        ("daily-revenue", {"bucket": "current"}, "bucket"),
        ("daily-revenue", {"period": "today"}, "period"),
        ("outstanding", {"bucket": "yesterday"}, "bucket"),
        ("overdue-invoices", {"bucket": "current"}, "bucket"),
        ("revenue", {}, "period"),
        ("revenue", {"from": "2026-03-01"}, "to"),
        ("revenue", {"period": "today", "from": "2026-03-01", "to": "2026-03-02"}, "period"),
        ("revenue", {"period": "eternity"}, "period"),
        ("revenue", {"from": "2026-03-02", "to": "2026-03-01"}, "to"),
        ("revenue", {"from": "2025-01-01", "to": "2026-01-02"}, "to"),
        ("revenue", {"from": "20260301", "to": "2026-03-02"}, "from"),
        ("revenue", {"from": "2026-02-30", "to": "2026-03-02"}, "from"),
        ("outstanding", {"page": "0"}, "page"),
        ("outstanding", {"page": "one"}, "page"),
        ("outstanding", {"format": "xml"}, "format"),
        ("outstanding", {"currency": "usd"}, "currency"),
        ("outstanding", {"client_id": ""}, "client_id"),
        ("outstanding", {"color": "red"}, "color"),
        ("outstanding", {"changes": "yes"}, "changes"),
        ("forecast", {"changes": "true"}, "changes"),
        ("customer-credit", {"changes": "true"}, "changes"),
    ],
)
def test_what_is_asked_for_wrongly_is_named(daybook: Daybook, number: str, query: dict[str, str], names: str) -> None:
    address = f"{daybook.web.url}{API}receipts/{number}/"
    answer = requests.get(address, query, headers=bearer("anybody"), timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert names in answer.json()["detail"]


def test_a_year_and_a_day_of_a_leap_year_may_be_asked_for(daybook: Daybook) -> None:
    rows = daybook.tenant()
    assert daybook.receipt(rows, "revenue", **{"from": "2024-01-01", "to": "2024-12-31"})["total"] == 0


@pytest.mark.parametrize("changes", ["true", "false"])
@pytest.mark.parametrize(("first", "last"), [("0002-01-01", "0002-12-31"), ("9998-01-02", "9998-12-31")])
def test_the_first_and_the_last_days_that_there_are_may_be_asked_for(
    daybook: Daybook, first: str, last: str, changes: str
) -> None:
    assert daybook.receipt(daybook.tenant(), "revenue", **{"from": first, "to": last, "changes": changes})["total"] == 0


def test_documents_of_others_are_nobodys(daybook: Daybook) -> None:
    rows, other = daybook.tenant(), daybook.tenant()
    rows.invoice(today(), 100)
    assert daybook.receipt(rows, "outstanding")["total"] == 100
    assert daybook.receipt(other, "outstanding")["total"] == 0
    assert requests.get(f"{daybook.web.url}{API}receipts/outstanding/", timeout=10).status_code == 401
    nobody = Rows(daybook.db, f"nobody-{uuid4().hex}", "USD")
    assert daybook.get(nobody, "receipts/outstanding/").status_code == 404


def test_every_number_is_told_of_a_tenant_without_data(daybook: Daybook) -> None:
    rows = daybook.tenant()
    for number, parameters in PARAMETERS.items():
        days = {"period": "month_to_date"} if "period" in parameters else {}
        answer = daybook.receipt(rows, number, **days)
        assert (answer["total"], answer["count"], answer["items"], answer["next"]) == (0, 0, [], None), number
        assert "changes" not in parameters or daybook.receipt(rows, number, **days, changes="true")["total"] == 0
