"""bin/dash map for products that nobody knows, for roles that may do a part each, and as a person types it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from cli.hosts.applying import NotApplied, apply, connected
from cli.hosts.catalogue import read_catalogue
from cli.hosts.described import BadDescription, described
from cli.hosts.script import HOSTS_PART, OUR_PART, HostMapping, mapping_of, script
from cli.hosts.totals import compare, outside
from cli.hosts.trying import with_possible_indexes
from tests.dash import called, typed
from tests.servers import inherited_environment
from workers.database import make_engine
from workers.kpi.dashboard import dashboard
from workers.migrate import migrate
from workers.roles import Login
from workers.source import Source

Db = psycopg.Connection[Any]
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)

# A product of nobody's: amounts in minor units, rows that are deleted softly, words of its own, a name that SQL reserves.
BILLING = """
CREATE SCHEMA billing;
CREATE TABLE billing.firm (id int PRIMARY KEY, label text, tz text, cur text);
CREATE TABLE billing."order" (id int PRIMARY KEY, firm int, state text, day date, due date, cur text, cents bigint,
                              tax_cents bigint, open_cents bigint, gone_at timestamptz);
CREATE TABLE billing.receipt (id int PRIMARY KEY, firm int, day date, cur text, amount numeric, spam boolean);
INSERT INTO billing.firm VALUES (1, 'One', 'Europe/Berlin', 'EUR'), (2, 'Two', 'Asia/Tokyo', 'JPY');
INSERT INTO billing."order" VALUES
    (1, 1, 'sent to them', '2026-03-11', '2026-04-01', 'EUR', 11900, 1900, 11900, NULL),
    (2, 1, 'sent to them', '2026-03-11', '2026-04-01', 'EUR', 99900, 0, 99900, '2026-03-11 10:00Z'),
    (3, 1, 'new', '2026-03-11', NULL, 'EUR', 88800, 0, 88800, NULL),
    (4, 2, 'sent to them', '2026-03-11', NULL, 'JPY', 5000, 0, 5000, NULL);
INSERT INTO billing.receipt VALUES (1, 1, '2026-03-11', 'EUR', 10.5, false), (2, 1, '2026-03-11', 'EUR', 99, true);
"""
DESCRIPTION = """
[host]
title = "Ours"
schema = "billing"

[tenant]
table = "firm"
tenant_id = "id"
name = "label"
timezone = "tz"
base_currency = "cur"

[invoice]
table = "order"
tenant_id = "firm"
invoice_id = "id"
status = { column = "state", draft = ["new"], posted = ["sent to them"], void = ["called off"] }
issue_date = "day"
due_date = "due"
currency = "cur"
minor = true
total = "cents"
tax = "tax_cents"
balance = "open_cents"
deleted = "gone_at"

[payment]
table = "receipt"
tenant_id = "firm"
payment_id = "id"
status = "='succeeded'"
paid_on = "day"
currency = "cur"
amount = "amount"
deleted = "=spam"
"""


@pytest.fixture
def billing(db: Db, engine: Engine) -> Engine:
    """The product's tables, owned by a role of its own, beside a schema dashboard with roles."""
    migrate(engine, owner=Login("daybook_owner"), worker=Login("daybook_worker"))
    db.execute(BILLING.encode())
    with db.transaction():
        if not db.execute("SELECT FROM pg_roles WHERE rolname = 'host_owner'").fetchall():
            db.execute("CREATE ROLE host_owner LOGIN")
    db.execute("ALTER SCHEMA billing OWNER TO host_owner")
    for table in ("firm", '"order"', "receipt"):
        db.execute(f"ALTER TABLE billing.{table} OWNER TO host_owner".encode())
    return engine


def numbers(engine: Engine, tenant_id: str) -> dict[str, Decimal | int | None]:
    made = dashboard(Source(engine).load([tenant_id], now=NOON).facts[tenant_id], computed_at=NOON)
    return {metric.name: metric.value for metric in made.snapshot.metrics}


def test_a_product_that_is_described_becomes_the_contract(billing: Engine, db: Db) -> None:
    catalogue = read_catalogue(db)
    columns = catalogue.schemas["billing"]
    mapping = mapping_of(described(tomllib.loads(DESCRIPTION), "billing", columns), "billing", columns)
    text = script(mapping, catalogue)
    assert apply(db, text).left is None
    found = numbers(billing, "1")
    assert (found["Daily Revenue"], found["Cash Flow"], found["Pending Invoices"]) == (100, Decimal("10.5"), 1)
    assert numbers(billing, "2")["Daily Revenue"] == 5000
    assert [one.differences for one in compare(db, mapping)] == [()]
    assert [(one.count, one.row) for one in outside(db, mapping)] == [(1, "2"), (1, "2")]
    # Open ones are found by their index, minor units or not.
    db.execute("SET enable_seqscan = off")
    plan = db.execute(
        "EXPLAIN SELECT * FROM dashboard.invoice WHERE tenant_id = '1' AND (balance IS NULL OR balance > 0)"
    ).fetchall()
    assert any("Index Scan" in line or "Bitmap" in line for (line,) in plan)
    db.execute("TRUNCATE dashboard.change")
    db.execute('UPDATE billing."order" SET open_cents = 1 WHERE id = 4')
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("2",)]


def test_what_a_description_lacks_is_told_at_once_or_asked_for(db: Db) -> None:
    db.execute(BILLING.encode())
    columns = read_catalogue(db).schemas["billing"]
    data = tomllib.loads(DESCRIPTION)
    del data["invoice"]["total"], data["tenant"]["timezone"]
    data["payment"]["colour"], data["invoice"]["due_date"], data["bill"] = "day", "deadline", {}
    data["invoice"]["status"]["open"] = ["sent"]
    with pytest.raises(BadDescription) as refused:
        described(data, "billing", columns)
    assert refused.value.problems == [
        "tenant.timezone: is missing",
        "invoice.total: is missing",
        "invoice.status: open is none of draft, posted, void",
        "invoice.due_date: order has no column deadline",
        "payment.colour: the contract has no such column",
        "there is no table bill in the contract",
    ]
    data = tomllib.loads(DESCRIPTION)
    del data["invoice"]["total"]
    asked: list[str] = []

    def answer(column: str, choices: str) -> str:
        assert "cents" in choices
        asked.append(column)
        return "cents"

    assert "cents" in described(data, "billing", columns, answer).views["invoice"]
    assert asked == ["invoice.total"]


def apply_described(db: Db, description: str) -> HostMapping:
    """The description as a mapping, applied; may be applied again."""
    catalogue = read_catalogue(db)
    columns = catalogue.schemas["billing"]
    mapping = mapping_of(described(tomllib.loads(description), "billing", columns), "billing", columns)
    mapping = with_possible_indexes(db, mapping)
    for _ in range(2):
        assert apply(db, script(mapping, catalogue)).left is None
    return mapping


def indexes(db: Db) -> list[str]:
    """Ours on the invoices' table or its parts."""
    found = db.execute(
        "SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', '') FROM pg_index"
        " JOIN pg_class ON pg_class.oid = indexrelid WHERE relname LIKE 'daybook\\_%' AND indisvalid"
        " AND indrelid <> 'billing.receipt'::regclass ORDER BY 1"
    )
    return [definition for (definition,) in found.fetchall()]


ENUM = "CREATE TYPE billing.state AS ENUM ('new', 'sent to them'); ALTER TABLE billing.\"order\" ALTER COLUMN state "
ENUM += "TYPE billing.state USING state::billing.state"
PARTITIONED = """
    ALTER TABLE billing."order" RENAME TO unparted;
    CREATE TABLE billing."order" (LIKE billing.unparted) PARTITION BY RANGE (day);
    CREATE TABLE billing."order 2026" PARTITION OF billing."order" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE billing.rest PARTITION OF billing."order" DEFAULT;
    INSERT INTO billing."order" SELECT * FROM billing.unparted;
    ALTER TABLE billing."order" OWNER TO host_owner;
"""
LONG, WIDE = "o" * 63, "ä" * 31


@pytest.mark.parametrize(
    ("changes", "edit", "made"),
    [
        ('ALTER TABLE billing."order" RENAME TO "sales-orders; our\'s"', ('"order"', '"sales-orders; our\'s"'), 3),
        (f'ALTER TABLE billing."order" RENAME TO {LONG}', ('"order"', f'"{LONG}"'), 3),
        (f'ALTER TABLE billing."order" RENAME TO {WIDE}', ('"order"', f'"{WIDE}"'), 3),
        ('ALTER TABLE billing."order" RENAME COLUMN cents TO "it\'s;"', ('"cents"', '"it\'s;"'), 3),
        (PARTITIONED, ("", ""), 9),
        ('CREATE TABLE billing.kid () INHERITS (billing."order")', ("", ""), 6),
        # Whose text, and so whose condition, is not immutable; worked out when it is read; a condition that looks elsewhere.
        (ENUM, ('deleted = "gone_at"', "where = \"x.gone_at IS NULL AND x.state::text <> 'lost'\""), 3),
        (
            'ALTER TABLE billing."order" ADD COLUMN rest bigint GENERATED ALWAYS AS (open_cents + 0) VIRTUAL',
            ('"open_cents"', '"rest"'),
            3,
        ),
        (
            "",
            ('deleted = "gone_at"', 'where = "x.gone_at IS NULL AND EXISTS (SELECT FROM billing.firm WHERE id = x.firm)"'),
            3,
        ),
    ],
)  # fmt: skip
def test_a_table_of_any_kind_and_name_is_mapped_with_the_indexes_that_it_can_have(
    billing: Engine, db: Db, changes: str, edit: tuple[str, str], made: int
) -> None:
    db.execute(changes.encode())
    mapping = apply_described(db, DESCRIPTION.replace(*edit))
    assert numbers(billing, "1")["Daily Revenue"] == 100
    assert numbers(billing, "2")["Pending Invoices"] == 1
    assert [one.differences for one in compare(db, mapping)] == [()]
    assert len(indexes(db)) == made, indexes(db)
    db.execute("TRUNCATE dashboard.change")
    for table in mapping.tables:
        db.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("billing", table)))
    assert db.execute("SELECT count(*) FROM dashboard.change WHERE tenant_id = '2'").fetchone() == (2,)


def test_many_names_with_spaces_are_wrapped_between_them(billing: Engine, db: Db) -> None:
    name = "a name that is quite long and has spaces"
    description = DESCRIPTION.replace('"receipt"', f'"{name}"').replace(
        '"firm"\ntenant_id = "id"', f'"{name} too"\ntenant_id = "id"'
    )
    db.execute(
        f'ALTER TABLE billing.receipt RENAME TO "{name}"; ALTER TABLE billing.firm RENAME TO "{name} too"'.encode()
    )
    apply_described(db, description)
    assert numbers(billing, "1")["Cash Flow"] == Decimal("10.5")


@pytest.mark.parametrize(
    ("changes", "edits"),
    [
        (
            """ALTER TABLE billing."order" ALTER COLUMN state TYPE int USING CASE state WHEN 'new' THEN 1 ELSE 2 END""",
            [('["new"]', "[1]"), ('["sent to them"]', "2")],
        ),
        (
            """ALTER TABLE billing."order" ALTER COLUMN state TYPE boolean USING state <> 'new'""",
            [('["new"]', "false"), ('["sent to them"]', "[true]")],
        ),
        ("", [('["sent to them"]', '"sent to them"')]),
        (
            """ALTER TABLE billing."order" ADD COLUMN gone boolean; UPDATE billing."order" SET gone = gone_at IS NOT NULL""",
            [('deleted = "gone_at"', 'deleted = "gone"')],
        ),
        (
            """ALTER TABLE billing."order" ADD COLUMN what text DEFAULT 'bill';
            INSERT INTO billing."order"
            VALUES (5, 1, 'sent to them', '2026-03-10', NULL, 'EUR', 500, 0, 500, NULL, 'credit')""",
            [('minor = true', 'minor = true\nkind = { column = "what", invoice = ["bill"], credit_note = ["credit"] }')],
        ),
        ("", [('tenant_id = "firm"\ninvoice', 'tenant_id = "=(x.firm + 0)"\ninvoice')]),
        (
            """ALTER TABLE billing."order" ALTER COLUMN open_cents TYPE money USING open_cents::numeric / 100""",
            [('"open_cents"', "\"=(x.open_cents::numeric * 100)::bigint\"")],
        ),
    ],
)  # fmt: skip
def test_what_is_described_in_another_way_comes_to_the_same(
    billing: Engine, db: Db, changes: str, edits: list[tuple[str, str]]
) -> None:
    db.execute(changes.encode())
    description = DESCRIPTION
    for edit in edits:
        assert edit[0] in description
        description = description.replace(*edit)
    mapping = apply_described(db, description)
    found = numbers(billing, "1")
    assert (found["Daily Revenue"], found["Pending Invoices"]) == (100, 1)
    assert [one.differences for one in compare(db, mapping)] == [()]
    db.execute("TRUNCATE dashboard.change")
    db.execute('UPDATE billing."order" SET cents = 1 WHERE id = 4')
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("2",)]


def test_what_cannot_be_meant_is_told_before_any_sql_is_made_of_it(db: Db) -> None:
    db.execute(BILLING.encode())
    data = tomllib.loads(DESCRIPTION)
    data["tenant"]["fiscal_year_start_month"] = 4
    del data["invoice"]["status"]["column"]
    data["invoice"]["due_date"] = "gone_at"
    with pytest.raises(BadDescription) as refused:
        described(data, "billing", read_catalogue(db).schemas["billing"])
    assert refused.value.problems == [
        'tenant.fiscal_year_start_month: 4 is no name of a column; a constant is an SQL expression, "=4"',
        "invoice.status: say whose words these are: column = the name of a column",
        "invoice.due_date: gone_at is a moment, and on which day it is a time zone tells: "
        "\"=(x.gone_at AT TIME ZONE 'UTC')::date\"",
    ]


def test_each_part_is_run_by_who_may_and_the_rest_is_left_for_whom_it_names(
    billing: Engine, db: Db, database_url: str
) -> None:
    catalogue = read_catalogue(db)
    columns = catalogue.schemas["billing"]
    text = script(mapping_of(described(tomllib.loads(DESCRIPTION), "billing", columns), "billing", columns), catalogue)
    assert text.index(HOSTS_PART) < text.index(OUR_PART)

    def url(role: str) -> str:
        return database_url.replace("//daybook@", f"//{role}@")

    with connected(url("daybook_worker")) as worker, pytest.raises(NotApplied, match="owns neither"):
        apply(worker, text)
    with connected(url("daybook_owner")) as owner, pytest.raises(NotApplied, match="part 1 of the file comes first"):
        apply(owner, text)
    assert db.execute("SELECT count(*) FROM pg_class WHERE relname = 'invoice' AND relkind = 'v'").fetchone() == (0,)
    with connected(url("host_owner")) as host:
        done = apply(host, text)
        assert not done.views
        assert done.left == "part 2, views and change capture: by daybook_owner"
    with connected(url("daybook_owner")) as owner:
        done = apply(owner, text)
        assert done.views
        assert done.left == "part 1, rights and indexes: by the owner of the host's tables"
    worker_engine = make_engine(url("daybook_worker"))
    assert numbers(worker_engine, "1")["Daily Revenue"] == 100
    worker_engine.dispose()


def test_tables_that_hold_rows_are_never_dropped(billing: Engine, db: Db) -> None:
    catalogue = read_catalogue(db)
    columns = catalogue.schemas["billing"]
    text = script(mapping_of(described(tomllib.loads(DESCRIPTION), "billing", columns), "billing", columns), catalogue)
    db.execute("INSERT INTO dashboard.tenant (tenant_id, base_currency) VALUES ('kept', 'EUR')")
    with pytest.raises(NotApplied, match=r"dashboard.tenant holds rows, and a view would take its place"):
        apply(db, text)
    assert db.execute("SELECT tenant_id FROM dashboard.tenant").fetchall() == [("kept",)]


def test_as_a_person_types_it(billing: Engine, db: Db, database_url: str, tmp_path: Path) -> None:
    description, output = tmp_path / "ours.toml", tmp_path / "mapping.sql"
    description.write_text(DESCRIPTION)

    def dash(*arguments: str) -> tuple[int, str, str]:
        run = typed if arguments in (("map",), ("unmap",), ("remap", str(output))) else called
        done = run(inherited_environment(), *arguments, "--database", database_url)
        return done.returncode, done.stdout, done.stderr

    map_it: Callable[..., tuple[int, str, str]] = lambda *more: dash("map", "--describe", str(description), *more)  # noqa: E731
    code, _, errors = dash("map")
    assert (code, errors.split(";")[0]) == (1, "bin/dash: no product that is known is in this database")
    (tmp_path / "bad.toml").write_text("[tenant\n")
    code, _, errors = dash("map", "--describe", str(tmp_path / "bad.toml"))
    assert (code, errors.splitlines()[0]) == (1, "bin/dash: the description of the host's tables does not do:")
    assert map_it("--output", str(output))[:2] == (
        0, f"Ours in the schema billing: tenant, invoice, payment\nreview {output}, then: bin/dash map --apply {output}\n",
    )  # fmt: skip
    written = output.read_text()
    assert map_it("--output", str(output))[0] == 0
    assert output.read_text() == written
    # Nothing was applied, and what somebody has reviewed is not written over.
    assert db.execute("SELECT count(*) FROM pg_class WHERE relname = 'invoice' AND relkind = 'v'").fetchone() == (0,)
    output.write_text(written + "-- reviewed\n")
    code, _, errors = map_it("--output", str(output))
    assert code == 1
    assert "says something else by now" in errors
    assert dash("map", "--apply", str(output))[0] == 0
    code, said, _ = map_it("--check")
    assert (code, said.splitlines()[0]) == (0, "open receivables, by order: 2 sums compared, 0 differ")
    db.execute("""UPDATE billing."order" SET state = 'lost' WHERE id = 4""")
    code, said, _ = map_it("--check")
    assert code == 1
    assert "status" in said
    assert "'lost'" in said
    db.execute("""UPDATE billing."order" SET state = 'sent to them' WHERE id = 4""")
    assert dash("unmap")[1].startswith("dropped invoice, payment, tenant;")
    assert dash("remap", str(output))[0] == 0
    assert numbers(billing, "1")["Daily Revenue"] == 100
