"""Other people's products mapped: exact to the cent against figures worked out by hand, fast, and in nobody's way."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from cli.hosts.applying import apply, connected, unmap
from cli.hosts.catalogue import read_catalogue
from cli.hosts.host import known_hosts
from cli.hosts.script import HostMapping, mapping_of, script
from cli.hosts.totals import compare, outside
from cli.mapping import check_mapping
from shared.errors import InvalidData
from tests.calculations import disagreements, served
from tests.conftest import TEMPLATE, Services
from tests.statements import explained, watched
from workers.database import ENGINE_SETTINGS, make_engine
from workers.kpi.dashboard import dashboard
from workers.migrate import migrate
from workers.roles import Login
from workers.source import Source

TABLES = Path(__file__).parent / "hosts"
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
LAGOON = str(uuid.UUID(int=1))
OWNER, WORKER = Login("daybook_owner"), Login("daybook_worker")


@dataclass(frozen=True)
class Hosted:
    """A host's database with its tables, rows, and mapping; `db` is a superuser's."""

    name: str
    url: str
    db: psycopg.Connection[Any]
    engine: Engine
    mapping: HostMapping
    script: str


@pytest.fixture(scope="module", params=["odoo", "invoiceshelf", "lago"])
def hosted(request: pytest.FixtureRequest, services: Services) -> Iterator[Hosted]:
    name = f"host_{uuid.uuid4().hex}"
    with psycopg.connect(services.postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}".encode())
        url = services.database_url(name)
        engine = make_engine(url)
        migrate(engine, owner=OWNER, worker=WORKER)
        with connected(url) as db:
            db.execute((TABLES / f"{request.param}.sql").read_bytes())
            catalogue = read_catalogue(db)
            columns = catalogue.schemas["public"]
            (host,) = (one for one in known_hosts() if one.is_in(columns))
            mapping = mapping_of(host, "public", columns)
            text = script(mapping, catalogue)
            assert apply(db, text).left is None
            yield Hosted(request.param, url, db, engine, mapping, text)
        engine.dispose()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def board(engine: Engine, tenant_id: str) -> dict[str, Any]:
    """The numbers of a tenant that the rows in hosts/ were made for."""
    made = dashboard(Source(engine).load([tenant_id], now=NOON).facts[tenant_id], computed_at=NOON)
    snapshot, overview = served(made.snapshot), served(made.overview)
    metrics = {metric["name"]: metric for metric in snapshot["metrics"]}
    cash = {day["date"]: day["cash"] for day in overview["series"]}
    revenue = {day["date"]: day["revenue"] for day in overview["series"]}
    return {
        "currency": snapshot["currency"],
        "revenue": metrics["Daily Revenue"]["value"],
        "revenue yesterday": revenue["2026-03-10"],
        "expenses": metrics["Daily Expenses"]["value"],
        "cash": metrics["Cash Flow"]["value"],
        "cash yesterday": cash["2026-03-10"],
        "pending": (metrics["Pending Invoices"]["value"], metrics["Pending Invoices"]["amount"]),
        "overdue": (metrics["Overdue Invoices"]["value"], metrics["Overdue Invoices"]["amount"]),
        "credit": overview["receivables"]["customer_credit"],
        "conversion": metrics["Quote Conversion"]["value"],
        "clients": metrics["Client Activity"]["value"],
        "in": {day["date"]: day["inflow"] for day in overview["cash_forecast"] if day["inflow"]},
        "out": {day["date"]: day["outflow"] for day in overview["cash_forecast"] if day["outflow"]},
        "unconverted": {one["currency"]: one["amount"] for one in overview["unconverted"]["receivables"]},
        "debtor": overview["receivables"]["debtors"][0]["name"] if "debtors" in overview["receivables"] else None,
    }


def D(amount: str) -> Decimal:  # noqa: N802 (as short as a figure)
    return Decimal(amount)


# Each figure is worked out from the rows in hosts/NAME.sql; the sums stand beside them.
FIGURES = {
    ("odoo", "1"): {
        "currency": "EUR",
        "revenue": D("981.30"),  # 1000 + 81.30 as the ledger has it - 100
        "revenue yesterday": D("200.00"),
        "expenses": D("250.00"),  # 300 - 50
        "cash": D("221.00"),  # 360 in - 20 back - 119 to the supplier; the draft and the write-off are no cash
        "cash yesterday": D("240.00"),
        "pending": (2, D("1270.00")),  # 1190 + 100 dollars at 1 / 1.25
        "overdue": (1, D("200.00")),
        "credit": D("159.00"),  # 60 of the payment + 119 of the credit note - 20 paid back
        "conversion": D("0.5000"),
        "clients": 1,
        "in": {},  # what is due on April 10th comes after the 30 days
        "out": {"2026-04-01": D("307.00")},  # 357 less the vendor's credit of 50
        "unconverted": {},
    },
    ("invoiceshelf", "1"): {
        "currency": "EUR",
        "revenue": D("992.00"),  # 1000 + 100 dollars at 0.92 - 100
        "revenue yesterday": D("100.00"),
        "expenses": D("25.00"),
        "cash": D("25.00"),  # 50 - 25
        "cash yesterday": D("109.01"),  # 119 - 9.99
        "pending": (2, D("1283.00")),  # 1190 + 100 dollars at 0.93, the day's last rate
        "overdue": (1, D("200.00")),
        "credit": D("169.00"),  # 50 paid for nothing yet + 119 of the negative invoice
        "conversion": D("0.3333"),  # one accepted, one rejected, one expired
        "clients": 2,
        "in": {"2026-04-01": D("300.00")},
        "out": {},
        "unconverted": {},
    },
    ("invoiceshelf", "2"): {
        "currency": "JPY",
        "revenue": 88000,  # kept as 8,800,000
        "revenue yesterday": 0,
        "expenses": 0,
        "cash": 0,
        "cash yesterday": 0,
        "pending": (1, 88000),
        "overdue": (0, 0),
        "credit": 0,
        "conversion": None,
        "clients": 1,
        "in": {"2026-03-31": 88000},
        "out": {},
        "unconverted": {},
    },
    ("lago", LAGOON): {
        "currency": "USD",
        "revenue": D("858.00"),  # 1000 - 45 - 70 - 27, a third of the voided credit note
        "revenue yesterday": D("950.00"),  # 1200 less a gift of 50, of which 200 is tax
        "expenses": D("300.00"),  # the self-billed invoice
        "cash": D("150.00"),  # 200 by the payment request - 50 back
        "cash yesterday": D("1700.00"),  # 700 + the top-up, late in the evening in New York
        "pending": (2, D("1100.00")),  # beside it 88,000 yen without a rate
        "overdue": (1, D("200.00")),  # 500 - 200 paid - 100 credited
        "credit": D("670.00"),  # 600 of prepaid credits + 70 of a credit note
        "conversion": None,
        "clients": 1,
        "in": {},
        "out": {"2026-04-01": D("300.00")},
        "unconverted": {"JPY": 88000},
    },
}


def test_every_number_is_what_the_rows_come_to_by_hand_and_by_the_second_calculation(hosted: Hosted) -> None:
    found = {tenant_id: board(hosted.engine, tenant_id) for name, tenant_id in FIGURES if name == hosted.name}
    for tenant_id, numbers in found.items():
        wanted = FIGURES[hosted.name, tenant_id]
        assert {name: numbers[name] for name in wanted} == wanted
    assert disagreements(hosted.engine, list(found), NOON) == {}


def test_rates_of_the_host_are_turned_into_ours(hosted: Hosted) -> None:
    """One euro bought 1.25 dollars: each company's rates are in units of its own currency."""
    found = hosted.db.execute("SELECT * FROM dashboard.fx_rate ORDER BY 1, 2, 3, 4").fetchall()
    wanted = {
        "odoo": [
            ("1", "USD", "EUR", date(2026, 3, 10), D("0.8")),  # the first one that the host has
            ("1", "USD", "EUR", date(2026, 3, 11), D("0.8")),
            ("2", "EUR", "USD", date(2026, 3, 10), D("1.25")),
            ("2", "EUR", "USD", date(2026, 3, 11), D("1.25")),
        ],
        "invoiceshelf": [("1", "USD", "EUR", date(2026, 3, 11), D("0.93"))],
        "lago": [],
    }
    assert found == wanted[hosted.name]


def test_the_hosts_own_receivables_agree_and_what_has_no_place_is_named(hosted: Hosted) -> None:
    assert [(one.differences, one.pairs > 1) for one in compare(hosted.db, hosted.mapping)] == [((), True)]
    assert {
        one.says.split(":")[0].split(" (")[0]: (one.count, one.row) for one in outside(hosted.db, hosted.mapping)
    } == {
        "odoo": {"entries on receivable accounts outside of invoices, payments and bank statements": (1, "L/3041")},
        "invoiceshelf": {"recurring invoices whose frequency is none that the forecast knows": (1, "2")},
        "lago": {
            "invoices that buy prepaid credits": (1, "LAG-18"),
            "quotes": (1, "QT-2026-0001"),
        },
    }[hosted.name]
    assert [finding for finding in check_mapping(hosted.db) if finding.counts] == []
    with hosted.db.transaction(force_rollback=True):
        broken = hosted.mapping.views["invoice"].replace("0::numeric", "7::numeric")
        hosted.db.execute(f"DROP VIEW dashboard.invoice; CREATE VIEW dashboard.invoice AS {broken}".encode())
        (one,) = compare(hosted.db, hosted.mapping)
        assert one.differences


def test_the_file_is_the_same_each_time_and_may_be_applied_again(hosted: Hosted) -> None:
    indexes = "SELECT array_agg(indexrelid ORDER BY indexrelid) FROM pg_index WHERE indisvalid"
    before = hosted.db.execute(indexes.encode()).fetchone()
    catalogue = read_catalogue(hosted.db)
    again = script(mapping_of(hosted.mapping.host, "public", catalogue.schemas["public"]), catalogue)
    assert again == hosted.script
    assert apply(hosted.db, again).left is None
    assert hosted.db.execute(indexes.encode()).fetchone() == before


def test_what_older_versions_lack_is_done_without(hosted: Hosted) -> None:
    host, columns = hosted.mapping.host, hosted.mapping.columns
    texts = "\n".join(
        [*host.views.values(), *host.parts.values(), *(one for many in host.indexes.values() for one in many)]
    )
    optional = set(re.findall(r"--\? (\w+)(?:\.(\w+))?", texts))
    assert optional
    older = {
        table: {name: kind for name, kind in names.items() if (table, name) not in optional}
        for table, names in columns.items()
        if (table, "") not in optional
    }
    mapping = mapping_of(host, "public", older)
    assert mapping.views.keys() == hosted.mapping.views.keys()
    assert mapping.views != hosted.mapping.views
    for view in mapping.views.values():
        hosted.db.execute(f"EXPLAIN {view}".encode())
    if hosted.name == "odoo":  # without the app Sales there are no quotes
        without = mapping_of(host, "public", {table: names for table, names in older.items() if table != "sale_order"})
        assert without.views.keys() == mapping.views.keys() - {"quote"}
        assert "sale_order" not in script(without, read_catalogue(hosted.db))


# As each host's own migration would: renaming and retyping what views use, and then writing.
MIGRATIONS = {
    "odoo": (
        "ALTER TABLE account_move ALTER COLUMN amount_residual TYPE numeric(20, 2)",
        "UPDATE account_move SET amount_residual = 5 WHERE id = 101",
        "UPDATE account_move SET amount_residual = 1190 WHERE id = 101",
    ),
    "invoiceshelf": (
        "ALTER TABLE invoices ALTER COLUMN due_amount TYPE numeric(20, 0)",
        "UPDATE invoices SET due_amount = due_amount + 1",
        "UPDATE invoices SET due_amount = due_amount - 1",
        "ALTER TABLE invoices ALTER COLUMN due_amount TYPE bigint",
    ),
    "lago": (
        "ALTER TABLE invoices ALTER COLUMN total_paid_amount_cents TYPE numeric",
        "UPDATE invoices SET total_paid_amount_cents = total_paid_amount_cents + 1",
        "UPDATE invoices SET total_paid_amount_cents = total_paid_amount_cents - 1",
        "ALTER TABLE invoices ALTER COLUMN total_paid_amount_cents TYPE bigint",
    ),
}


def test_the_hosts_migrations_go_on_between_unmap_and_remap(hosted: Hosted) -> None:
    definitions = "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index ORDER BY 1"
    indexes = hosted.db.execute(definitions.encode()).fetchall()
    retype, *writes = MIGRATIONS[hosted.name]
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="used by a view"):
        hosted.db.execute(retype.encode())
    assert unmap(hosted.db) == sorted(hosted.mapping.views)
    name, tenant_id = next(key for key in FIGURES if key[0] == hosted.name)
    with pytest.raises(InvalidData, match="does not exist; bin/dash remap"):
        board(hosted.engine, tenant_id)
    hosted.db.execute("TRUNCATE dashboard.change")
    for statement in (retype, *writes):
        hosted.db.execute(statement.encode())
    assert hosted.db.execute("SELECT count(*) > 0 FROM dashboard.change").fetchone() == (True,)
    hosted.db.execute("TRUNCATE dashboard.change")
    assert apply(hosted.db, hosted.script).views
    # Those that PostgreSQL has rebuilt with casts are made anew; otherwise no view's expression would be found in them.
    assert hosted.db.execute(definitions.encode()).fetchall() == indexes
    assert hosted.db.execute("SELECT DISTINCT tenant_id FROM dashboard.change").fetchall() == [("*",)]
    assert board(hosted.engine, tenant_id)["revenue"] == FIGURES[name, tenant_id]["revenue"]


# A write of each kind, and whose dashboards it makes due.
WRITES = {
    "odoo": [
        ("UPDATE account_move SET invoice_date_due = '2026-04-11' WHERE id = 101", {"1"}),
        ("UPDATE account_move SET ref = 'nobody reads this' WHERE id = 101", set()),
        ("UPDATE account_move_line SET amount_residual_currency = -61 WHERE id = 3011", {"1"}),
        ("UPDATE res_currency_rate SET rate = 1.3 WHERE id = 1", {"*"}),
    ],
    "invoiceshelf": [
        ("UPDATE invoices SET due_amount = 1 WHERE id = 1", {"1"}),
        ("UPDATE invoices SET viewed = true", set()),
        ("DELETE FROM payments WHERE id = 3", {"1"}),
        ("UPDATE company_settings SET value = 'UTC' WHERE company_id = 2 AND option = 'time_zone'", {"2"}),
    ],
    "lago": [
        ("UPDATE invoices SET total_paid_amount_cents = 1 WHERE status = 1", {LAGOON}),
        ("UPDATE payments SET provider_payment_id = NULL, status = 'y'", set()),
        ("UPDATE wallet_transactions SET remaining_amount_cents = 1", {LAGOON}),
    ],
}


def test_a_write_makes_its_tenant_due_and_no_other(hosted: Hosted) -> None:
    for statement, due in WRITES[hosted.name]:
        with hosted.db.transaction(force_rollback=True):
            hosted.db.execute("TRUNCATE dashboard.change")
            hosted.db.execute(statement.encode())
            found = {
                tenant_id for (tenant_id,) in hosted.db.execute("SELECT tenant_id FROM dashboard.change").fetchall()
            }
            assert found == due, statement


# Years of settled business of one tenant beside the others' little.
HISTORY = {
    "odoo": """
        INSERT INTO account_move (id, name, date, state, move_type, company_id, partner_id, commercial_partner_id,
            currency_id, invoice_date, invoice_date_due, amount_untaxed, amount_tax, amount_total, amount_residual,
            amount_untaxed_signed, amount_total_signed)
        SELECT 1000 + n, 'H' || n, DATE '2020-01-01' + n % 1500, 'posted', 'out_invoice', 2, 2, 2, 2,
               DATE '2020-01-01' + n % 1500, DATE '2020-02-01' + n % 1500, 100, 0, 100, 0, 100, 100
        FROM generate_series(1, 20000) n;
        INSERT INTO account_move_line (id, move_id, company_id, account_id, partner_id, currency_id, payment_id, move_name,
            parent_state, display_type, date, balance, amount_currency, amount_residual_currency, reconciled)
        SELECT 10000 + n, 1, 2, 10, 2, 2, n, 'P' || n, 'posted', 'product', DATE '2020-02-01' + n % 1500, -100, -100, 0, true
        FROM generate_series(1, 20000) n""",
    "invoiceshelf": """
        INSERT INTO invoices (id, invoice_date, due_date, invoice_number, status, paid_status, sub_total, total, tax,
                              due_amount, company_id, customer_id, exchange_rate, currency_id)
        SELECT 1000 + n, DATE '2020-01-01' + n % 1500, DATE '2020-02-01' + n % 1500, 'H' || n, 'COMPLETED', 'PAID', 100, 100,
               0, 0, 2, 3, 1, 3
        FROM generate_series(1, 20000) n;
        INSERT INTO payments (id, payment_number, payment_date, amount, invoice_id, company_id, customer_id, exchange_rate,
                              currency_id)
        SELECT 1000 + n, 'H' || n, DATE '2020-02-01' + n % 1500, 100, 7, 2, 3, 1, 3 FROM generate_series(1, 20000) n""",
    "lago": """
        INSERT INTO organizations (id, name) VALUES ('00000000-0000-0000-0000-000000000002', 'Old');
        INSERT INTO invoices (organization_id, customer_id, status, payment_status, issuing_date, currency,
                              total_amount_cents, total_paid_amount_cents)
        SELECT '00000000-0000-0000-0000-000000000002', gen_random_uuid(), 1, 1, DATE '2020-01-01' + n % 1500, 'USD', 1, 1
        FROM generate_series(1, 20000) n""",
}


def test_reading_through_the_views_costs_what_is_open_and_recent(hosted: Hosted) -> None:
    old = "00000000-0000-0000-0000-000000000002" if hosted.name == "lago" else "2"
    young = LAGOON if hosted.name == "lago" else "1"
    with hosted.db.transaction(force_rollback=True):
        for statement in HISTORY[hosted.name].split(";"):
            hosted.db.execute(statement.encode())
        hosted.db.execute("ANALYZE")
        for tenant_id in (young, old):
            for statement, plan in plans(hosted, tenant_id).items():
                if "'rebuilt' AS family" in statement:
                    continue  # on a tenant's first day alone: what today's money paid for, which hosts have no index for
                for node in nodes(plan):
                    if node["Node Type"] == "Bitmap Index Scan":
                        continue  # entries of an index; of the documents only the first is looked at
                    # Everything is found by an index or in a table of a few rows; old documents are not even looked at.
                    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    assert rows * node["Actual Loops"] < 1000, (tenant_id, node["Node Type"], statement)


def plans(hosted: Hosted, tenant_id: str) -> dict[str, dict[str, Any]]:
    """How PostgreSQL carries out each statement of a load, within the transaction that `hosted.db` is in."""
    executed: list[tuple[type[psycopg.Cursor[Any]], str, Any]] = []
    with watched(lambda cursor, statement, parameters: executed.append((type(cursor), statement, parameters))):
        Source(hosted.engine).load([FIGURES_TENANT[hosted.name]], now=NOON)
    for setting in ("plan_cache_mode", "enable_sort", "jit"):
        hosted.db.execute(f"SET LOCAL {setting} = {ENGINE_SETTINGS[setting]}".encode())
    of_loaded, of_asked = (f'{{"{one}"}}' for one in (FIGURES_TENANT[hosted.name], tenant_id))
    found = {}
    for kind, statement, parameters in executed:
        given = (
            [of_asked if one == of_loaded else one for one in parameters] if kind is psycopg.RawCursor else parameters
        )
        found[statement] = explained(kind(hosted.db), "ANALYZE", statement, given)
    return found


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The plan's nodes, all the way down."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


FIGURES_TENANT = {"odoo": "1", "invoiceshelf": "1", "lago": LAGOON}
