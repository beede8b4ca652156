"""bin/dash check: a right mapping passes, and each mistake of a kind that hosts make is found, counted and shown."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import Engine

from cli.mapping import Finding, check_mapping
from demo.load import load_demo
from tests.conftest import TEMPLATE, Services
from tests.dash import called, typed
from tests.rows import add_tenant
from tests.servers import inherited_environment

Db = psycopg.Connection
Views = Mapping[str, tuple[Mapping[str, str], str]]

# A made-up host. Firm 1 keeps its books in euros and sells in pounds, too; firm 2 in dollars.
HOST = """
CREATE SCHEMA host;
CREATE TABLE host.firm (id int PRIMARY KEY, name text, tz text, cur text);
CREATE TABLE host.person (id int, firm int, name text);
CREATE TABLE host.bill (id int, firm int, person int, kind text, state text, issued date, due date, cur text, total numeric,
                        tax numeric, open numeric, rate numeric);
CREATE TABLE host.receipt (id int, firm int, bill int, person int, day date, cur text, amount numeric, rate numeric);
CREATE TABLE host.cost (id int, firm int, state text, day date, cur text, total numeric, tax numeric, rate numeric);
CREATE TABLE host.offer (id int, firm int, person int, state text, day date, ends date, bill int, cur text, total numeric);
CREATE TABLE host.plan (id int, firm int, cur text, amount numeric, every text, times int, upcoming date, runs boolean);
CREATE TABLE host.fx (cur text, base text, day date, rate numeric);
INSERT INTO host.firm VALUES (1, 'One', 'Europe/Berlin', 'EUR'), (2, 'Two', 'America/New_York', 'USD');
INSERT INTO host.person VALUES (1, 1, 'Ann'), (2, 2, 'Bob');
INSERT INTO host.bill VALUES
    (1, 1, 1, 'bill', 'sent', current_date, current_date + 30, 'EUR', 1190, 190, 1190, 1),
    (2, 1, 1, 'bill', 'sent', current_date - 40, current_date - 10, 'EUR', 119, 19, 0, 1),
    (3, 1, 1, 'bill', 'sent', current_date - 3, current_date + 20, 'GBP', 238, 38, 138, 1.15),
    (4, 1, 1, 'bill', 'sent', current_date - 9, current_date + 5, 'EUR', 297.5, 47.5, 97.5, 1),
    (5, 1, 1, 'credit', 'sent', current_date - 2, NULL, 'EUR', 59.5, 9.5, 59.5, 1),
    (6, 2, 2, 'bill', 'sent', current_date - 1, current_date + 30, 'USD', 50, 0, 50, 1),
    (7, 2, 2, 'bill', 'new', current_date, current_date + 30, 'USD', 80, 0, 80, 1);
INSERT INTO host.receipt VALUES
    (1, 1, 2, 1, current_date - 12, 'EUR', 119, 1), (2, 1, 3, 1, current_date - 1, 'GBP', 100, 1.16),
    (3, 1, 4, 1, current_date, 'EUR', 200, 1), (4, 2, NULL, 2, current_date, 'USD', 10, 1);
INSERT INTO host.cost VALUES
    (1, 1, 'open', current_date - 5, 'EUR', 59.5, 9.5, 1), (2, 1, 'open', current_date - 2, 'GBP', 12, 2, 1.15),
    (3, 2, 'open', current_date - 2, 'USD', 33, 0, 1);
INSERT INTO host.offer VALUES
    (1, 1, 1, 'won', current_date - 5, current_date + 20, 1, 'EUR', 1190),
    (2, 1, 1, 'out', current_date, NULL, NULL, 'EUR', 99);
INSERT INTO host.plan VALUES (1, 1, 'EUR', 99, 'month', 1, current_date + 7, true);
INSERT INTO host.fx SELECT 'GBP', 'EUR', current_date - n, 1.15 + n / 1000.0 FROM generate_series(0, 20) AS n;
INSERT INTO host.fx SELECT 'USD', 'EUR', current_date - n, 0.92 FROM generate_series(0, 20) AS n;
"""

STATUS = "CASE state WHEN 'sent' THEN 'posted' WHEN 'void' THEN 'void' ELSE 'draft' END"
VIEWS: Views = {
    "tenant": ({"tenant_id": "id::text", "name": "name", "timezone": "tz", "base_currency": "cur::char(3)",
                "fiscal_year_start_month": "1::smallint", "basis": "'accrual'::text"}, "host.firm"),
    "client": ({"tenant_id": "firm::text", "client_id": "id::text", "name": "name", "updated_at": "now()"}, "host.person"),
    "invoice": ({"tenant_id": "firm::text", "invoice_id": "id::text", "client_id": "person::text", "reference": "'R' || id",
                 "kind": "CASE kind WHEN 'credit' THEN 'credit_note' ELSE 'invoice' END", "status": STATUS,
                 "issue_date": "issued", "due_date": "due", "currency": "cur::char(3)", "total": "total::numeric(20,4)",
                 "tax": "tax::numeric(20,4)", "balance": "open::numeric(20,4)", "base_rate": "rate::numeric(24,12)",
                 "written_off_on": "NULL::date", "updated_at": "now()"}, "host.bill"),
    "payment": ({"tenant_id": "firm::text", "payment_id": "id::text", "client_id": "person::text", "kind": "'payment'::text",
                 "status": "'succeeded'::text", "paid_on": "day", "paid_at": "day::timestamptz", "currency": "cur::char(3)",
                 "amount": "amount::numeric(20,4)", "base_rate": "rate::numeric(24,12)",
                 "unapplied": "CASE WHEN bill IS NULL THEN amount ELSE 0 END", "updated_at": "now()"}, "host.receipt"),
    "allocation": ({"tenant_id": "firm::text", "allocation_id": "id::text", "source_kind": "'payment'::text",
                    "source_id": "id::text", "invoice_id": "bill::text", "amount": "amount::numeric(20,4)",
                    "allocated_on": "day"}, "host.receipt WHERE bill IS NOT NULL"),
    "expense": ({"tenant_id": "firm::text", "expense_id": "id::text", "category": "'Rent'::text", "vendor": "NULL::text",
                 "status": "'posted'::text", "expense_date": "day", "due_date": "day + 14", "paid_on": "NULL::date",
                 "currency": "cur::char(3)", "total": "total::numeric(20,4)", "tax": "tax::numeric(20,4)",
                 "base_rate": "rate::numeric(24,12)", "updated_at": "now()"}, "host.cost"),
    "quote": ({"tenant_id": "firm::text", "quote_id": "id::text", "client_id": "person::text",
               "status": "CASE state WHEN 'won' THEN 'converted' ELSE 'sent' END", "issue_date": "day", "expiry_date": "ends",
               "decided_on": "CASE state WHEN 'won' THEN day + 1 END", "invoice_id": "bill::text", "currency": "cur::char(3)",
               "total": "total::numeric(20,4)", "base_rate": "NULL::numeric(24,12)", "updated_at": "now()"}, "host.offer"),
    "recurring": ({"tenant_id": "firm::text", "recurring_id": "id::text", "kind": "'invoice'::text",
                   "currency": "cur::char(3)", "amount": "amount::numeric(20,4)", "interval_unit": "every",
                   "interval_count": "times",
                   "next_on": "upcoming", "ends_on": "NULL::date", "active": "runs", "terms_days": "14",
                   "updated_at": "now()"}, "host.plan"),
    "fx_rate": ({"tenant_id": "'*'::text", "currency": "cur::char(3)", "base_currency": "base::char(3)", "rate_date": "day",
                 "rate": "rate::numeric(24,12)"}, "host.fx"),
}  # fmt: skip
TRACKED = {
    "firm": "id", "person": "firm", "bill": "firm", "receipt": "firm", "cost": "firm", "offer": "firm", "plan": "firm",
    "fx": "*",
}  # fmt: skip


def view(table: str, rows: str | None = None, **columns: str | None) -> str:
    """SQL for the right view with these columns otherwise (None: without), or over other rows."""
    right, source = VIEWS[table]
    made = ", ".join(f"{sql} AS {name}" for name, sql in {**right, **columns}.items() if sql is not None)
    return (
        f"DROP VIEW IF EXISTS dashboard.{table}; CREATE VIEW dashboard.{table} AS SELECT {made} FROM {rows or source}"
    )


@pytest.fixture(scope="module")
def mapped_url(services: Services) -> Iterator[str]:
    """A database in which the host is mapped rightly, for all the tests of this module."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(services.postgres_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        with psycopg.connect(services.database_url(name), autocommit=True) as db:
            db.execute(HOST)
            for table in VIEWS:
                db.execute(f"DROP TABLE dashboard.{table}")
                db.execute(view(table))
            for table, tenant in TRACKED.items():
                db.execute("SELECT dashboard.track_changes(%s::regclass, %s)", [f"host.{table}", tenant])
        yield services.database_url(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def mapped(mapped_url: str) -> Iterator[Db]:
    with psycopg.connect(mapped_url, autocommit=True) as connection:
        yield connection


def wrong(db: Db, mistake: str = "") -> list[Finding]:
    """What is found wrong after the mistake, which is taken back thereafter."""
    with db.transaction(force_rollback=True):
        db.execute(mistake)
        return [found for found in check_mapping(db, longest_s=1) if found.counts]


def test_a_right_mapping_and_the_demo_have_nothing_wrong(mapped: Db, db: Db, engine: Engine) -> None:
    assert wrong(mapped) == []
    assert wrong(db) == []
    load_demo(engine)
    assert wrong(db) == []


# The mistake, the relation that it is told of, and some of the words.
MISTAKES: Mapping[str, tuple[str, str, str]] = {
    "an optional column of ours is missing": (view("invoice", updated_at=None), "invoice", "no column updated_at"),
    "a required column is missing": (view("invoice", total=None), "invoice", "no column total"),
    "the total is text": (view("invoice", total="total::text"), "invoice", "total is of type text"),
    "the total is a float": (view("invoice", total="total::float8"), "invoice", "total is of type float8"),
    "whole cents": (view("invoice", total="(total * 100)::bigint"), "invoice", "total is of type int8"),
    "the tenant is a number": (view("invoice", tenant_id="firm"), "invoice", "tenant_id is of type int4"),
    "the issue date is a moment": (view("invoice", issue_date="issued::timestamp"), "invoice", "issue_date is of type"),
    "the payment date is text": (view("payment", paid_on="day::text"), "payment", "paid_on is of type text"),
    "active is text": (view("recurring", active="'yes'::text"), "recurring", "active is of type text"),
    "the currency is a sign": (view("invoice", currency="'€'::char(3)"), "invoice", "no code of ISO 4217"),
    "the currency is small": (view("expense", currency="lower(cur)::char(3)"), "expense", "no code of ISO 4217"),
    "the currency is missing": (view("payment", currency="NULL::char(3)"), "payment", "no code of ISO 4217"),
    "a total is missing": (view("invoice", total="CASE WHEN id <> 2 THEN total END"), "invoice", "missing or no number"),
    "an amount is no number": (view("payment", amount="CASE id WHEN 1 THEN 'NaN' ELSE amount END"), "payment", "no number"),
    "a date is missing": (view("invoice", issue_date="NULL::date"), "invoice", "rows without issue_date"),
    "a status is missing": (view("expense", status="NULL::text"), "expense", "unknown words in status"),
    "nobody's rows": (view("invoice", tenant_id="NULL::text"), "invoice", "rows without tenant_id"),
    "an empty tenant": (view("tenant", tenant_id="''::text"), "tenant", "cannot be served"),
    "a tenant with a slash": (view("tenant", tenant_id="'a/' || id"), "tenant", "cannot be served"),
    "a tenant that is everyone": (view("tenant", tenant_id="'*'::text"), "tenant", "cannot be served"),
    "another column as the tenant": (view("expense", tenant_id="(firm + 100)::text"), "expense", "dashboard.tenant does not"),
    "tenants left out": (view("tenant", "host.firm WHERE id = 1"), "invoice", "dashboard.tenant does not have"),
    "a join that doubles": (view("invoice", "host.bill CROSS JOIN generate_series(1, 2)"), "invoice", "several rows have"),
    "tenants twice": (view("tenant", "host.firm CROSS JOIN generate_series(1, 2)"), "tenant", "several rows have"),
    "no row at all": (view("invoice", "host.bill WHERE false"), "invoice", "has no row"),
    "no time zone": ("UPDATE host.firm SET tz = NULL WHERE id = 1", "tenant", "without a time zone"),
    "an offset as time zone": ("UPDATE host.firm SET tz = '+02:00'", "tenant", "without a time zone"),
    "another base currency": ("UPDATE host.firm SET cur = 'CHF' WHERE id = 2", "tenant", "document is in another currency"),
    "month 0": (view("tenant", fiscal_year_start_month="0"), "tenant", "is no month"),
    "an unknown basis": (view("tenant", basis="'barter'::text"), "tenant", "unknown basis"),
    "the host's words of status": (view("invoice", status="state"), "invoice", "unknown words in status"),
    "the host's words of kind": (view("payment", kind="'RECEIPT'::text"), "payment", "unknown words in kind"),
    "the host's words of interval": ("UPDATE host.plan SET every = 'monthly'", "recurring", "unknown words in"),
    "the host's words of source": (view("allocation", source_kind="'receipt'::text"), "allocation", "unknown words in"),
    "only drafts": (view("invoice", status="'draft'::text"), "invoice", "not one row is posted"),
    "only void": (view("expense", status="'void'::text"), "expense", "not one row is posted"),
    "credit notes as negative invoices": ("UPDATE host.bill SET total = -total WHERE id = 2", "invoice", "a negative total"),
    "refunds as negative payments": ("UPDATE host.receipt SET amount = -5 WHERE id = 4", "payment", "a negative amount"),
    "expenses the other way round": (view("expense", total="-total", tax="-tax"), "expense", "every expense is negative"),
    "the tax above the total": (view("invoice", tax="tax * 100"), "invoice", "a tax greater"),
    "the balance above the total": (view("invoice", balance="open * 100"), "invoice", "a balance above"),
    "the balance turned round": (view("invoice", balance="-open"), "invoice", "a negative balance"),
    "the balance never falls": (view("invoice", balance="total"), "invoice", "other than the total less"),
    "cents in one view": (view("invoice", total="total * 100", balance="open * 100"), "invoice", "less what is allocated"),
    "divided twice": (view("invoice", total="total / 100", tax="tax / 100"), "invoice", "more decimals"),
    "cents paid": (view("payment", amount="amount / 100", unapplied="0"), "allocation", "more is allocated than they are"),
    "the year 20250": ("UPDATE host.bill SET due = '20250-01-01' WHERE id = 1", "invoice", "years away"),
    "1970": (view("payment", paid_on="DATE '1970-01-01'"), "payment", "before 1980"),
    "the date far ahead": (view("expense", expense_date="day + 4000"), "expense", "far in the future"),
    "due before issued": (view("invoice", issue_date="due", due_date="issued"), "invoice", "due before they were issued"),
    "never due": (view("invoice", due_date="NULL::date"), "invoice", "has a due date"),
    "the day of another zone": (view("payment", paid_at="day + interval '3 days'"), "payment", "different days"),
    "local time as UTC": (view("payment", paid_at="now() + interval '8 hours'"), "payment", "to come"),
    "inverted rates of documents": (view("invoice", base_rate="1 / rate"), "invoice", "the inverse"),
    "rates of the base currency": (view("expense", base_rate="2"), "expense", "base_rate other than 1"),
    "rates of zero": (view("payment", base_rate="0"), "payment", "not above 0"),
    "inverted rates on some days": ("UPDATE host.fx SET rate = 1 / rate WHERE day = current_date", "fx_rate", "inverse"),
    "rates that contradict": ("INSERT INTO host.fx VALUES ('EUR', 'USD', current_date, 0.92)", "fx_rate", "opposite"),
    "missing rates": (view("fx_rate", rate="NULL::numeric"), "fx_rate", "missing or not above 0"),
    "a link to nothing": (view("allocation", invoice_id="(bill + 100)::text"), "allocation", "an invoice that is not there"),
    "a link from nothing": (view("allocation", source_id="(id + 100)::text"), "allocation", "credit note that is not there"),
    "links in cents": (view("allocation", amount="amount * 100"), "allocation", "more is allocated than they are"),
    "more unapplied than paid": (view("payment", unapplied="amount * 2"), "payment", "more unapplied"),
    "no payments": (view("payment", "host.receipt WHERE false"), "payment", "there is not one payment"),
    "clients that are not there": (view("client", client_id="'c' || id"), "invoice", "dashboard.client does not have"),
    "quotes without their invoice": (view("quote", invoice_id="'x' || bill"), "quote", "became an invoice"),
    "quotes without a day": (view("quote", issue_date="NULL::date"), "quote", "rows without issue_date"),
    "an interval of 0": ("UPDATE host.plan SET times = 0", "recurring", "interval_count"),
    "active and never next": ("UPDATE host.plan SET upcoming = NULL", "recurring", "without next_on"),
    "a view is gone": ("DROP VIEW dashboard.invoice", "invoice", "no such table"),
    "the host drops its table": ("DROP TABLE host.bill CASCADE", "invoice", "no such table"),
    "a view that fails": (
        view("invoice", total="(CASE id WHEN 6 THEN 'n/a' ELSE total::text END)::numeric"), "invoice", "reading total fails",
    ),
    "a view that is slow": (view("invoice", "host.bill WHERE (SELECT pg_sleep(9)) IS NOT NULL"), "invoice", "takes longer"),
    "a table is not tracked": ("SELECT dashboard.untrack_changes('host.bill')", "host.bill", "not tracked"),
    "tracked by another column": ("SELECT dashboard.track_changes('host.bill', 'id')", "host.bill", "does not have"),
    "triggers are disabled": ("ALTER TABLE host.cost DISABLE TRIGGER USER", "host.cost", "triggers are disabled"),
    "an update that is not seen": (
        "SELECT dashboard.track_changes('host.bill', 'firm', '{total}')", "host.bill", "is not noted, though a view reads it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_found(mapped: Db, mistake: str) -> None:
    sql, table, words = MISTAKES[mistake]
    found = [one for one in wrong(mapped, sql) if one.table == table and words in str(one)]
    assert found, [str(one) for one in wrong(mapped, sql)]
    assert found[0].advice
    if found[0].count:
        assert found[0].example is not None


def test_an_index_that_is_missing_is_named_as_it_is_made(mapped: Db) -> None:
    many = """INSERT INTO host.cost (id, firm, state, day, cur, total, tax)
        SELECT 100 + n, 1 + n % 2, 'posted', current_date, 'EUR', 119, 19 FROM generate_series(1, 20000) AS n;"""
    try:
        (found,) = [one for one in wrong(mapped, many) if "as a whole" in one.says]
        helped = found.advice.replace("CONCURRENTLY ", "")
        assert [one for one in wrong(mapped, f"{many} {helped}") if "as a whole" in one.says] == []
    finally:
        mapped.execute("VACUUM FULL host.cost")  # what is taken back leaves its room
    assert (found.table, found.level) == ("expense", "warning")
    assert found.advice == "CREATE INDEX CONCURRENTLY ON host.cost (((firm)::text))"


def test_a_finding_is_counted_and_shows_a_row(mapped: Db) -> None:
    (found,) = wrong(mapped, "UPDATE host.firm SET tz = 'Mars/Olympus' WHERE id = 2")
    assert (found.level, found.count) == ("error", 1)
    assert "tenants without a time zone that there is: 1, such as tenant 2: timezone is 'Mars/Olympus'" in str(found)
    (found,) = wrong(mapped, view("invoice", total="CASE WHEN id <> 7 THEN total END"))
    assert found.example is not None
    assert (found.example.tenant_id, found.example.row_id, found.example.column) == ("2", "7", "total")


def test_the_command_and_the_doctor_say_it_and_fail(mapped_url: str, services: Services) -> None:
    environment = {
        **inherited_environment(), "DATABASE_URL": mapped_url, "REDIS_URL": services.redis_url, "PORT": "1",
        "JWT_SECRET_KEY": "s" * 32, "DASHBOARD_KEY_PREFIX": "check",
    }  # fmt: skip
    good = typed(environment, "check")
    assert (good.returncode, good.stdout.splitlines()[-1]) == (0, "nothing is wrong")
    with psycopg.connect(mapped_url, autocommit=True) as db:
        db.execute("UPDATE host.firm SET tz = NULL WHERE id = 1")
        try:
            bad, doctor = called(environment, "check", "--json"), called(environment, "doctor", "--json")
        finally:
            db.execute("UPDATE host.firm SET tz = 'Europe/Berlin' WHERE id = 1")
    assert (bad.returncode, doctor.returncode) == (1, 1)
    told = json.loads(bad.stdout)
    assert not told["ok"]
    assert told["findings"][0]["example"] == {"tenant_id": "1", "row_id": None, "column": "timezone", "value": None}
    lines = [one for one in json.loads(doctor.stdout)["checks"] if one["name"] == "mapping"]
    assert [one["status"] for one in lines] == ["fail", "fail"]
    assert "time zone" in lines[0]["detail"]


def test_what_failed_or_is_yet_to_come_is_no_mistake_of_the_books(db: Db) -> None:
    rows, today = add_tenant(db), datetime.now(UTC).date()
    open_one = rows.invoice(today, 100, balance=100)
    for _ in range(3):
        rows.payment(today, 100, on={open_one: 100}, status="failed", unapplied=0)
    rows.credit_note(today, 100, on={open_one: 100}, status="void", balance=0)
    paid_later = rows.invoice(today, 50, balance=50)
    rows.payment(today + timedelta(days=5), 50, on={paid_later: 50}, unapplied=0)
    paid = rows.invoice(today, 30, balance=0)
    rows.payment(today, 30, on={paid: 30}, unapplied=0)
    assert wrong(db) == []
    db.execute("UPDATE dashboard.payment SET status = 'succeeded' WHERE status = 'failed'")
    assert {one.says for one in wrong(db)} == {
        "a balance other than the total less what is allocated",
        "invoices that far more is allocated to than they are",
    }


def test_a_role_that_may_look_at_nothing_is_told_so_by_the_doctor(
    mapped_url: str, mapped: Db, services: Services
) -> None:
    environment = {
        **inherited_environment(), "DATABASE_URL": mapped_url.replace("//daybook@", "//may_nothing@"),
        "REDIS_URL": services.redis_url, "PORT": "1", "JWT_SECRET_KEY": "s" * 32, "DASHBOARD_KEY_PREFIX": "check",
    }  # fmt: skip
    mapped.execute("CREATE ROLE may_nothing LOGIN")
    try:
        mapped.execute("GRANT USAGE ON SCHEMA dashboard TO may_nothing")
        mapped.execute("GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO may_nothing")
        doctor, check = called(environment, "doctor", "--json"), called(environment, "check", "--json")
    finally:
        mapped.execute("DROP OWNED BY may_nothing; DROP ROLE may_nothing")
    failed = {one["name"]: one["detail"] for one in json.loads(doctor.stdout)["checks"] if one["status"] == "fail"}
    assert "permission denied" in failed["database"]
    assert [
        (one["table"], one["level"]) for one in json.loads(check.stdout)["findings"] if "capture" in one["table"]
    ] == [("change capture", "warning")]


def test_a_slow_view_holds_nobody_up(mapped: Db) -> None:
    began = time.monotonic()
    slow = [
        view(table, f"{VIEWS[table][1]} WHERE (SELECT pg_sleep(9)) IS NOT NULL") for table in ("payment", "expense")
    ]
    found = wrong(mapped, "; ".join(slow))
    assert {one.table for one in found if "takes longer" in one.says} == {"payment", "expense"}
    assert time.monotonic() - began < 20
