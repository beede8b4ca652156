"""What may be watched and how: expressions, everyone, columns that count, partitions; and what is said to be missed."""

from __future__ import annotations

import psycopg
import pytest

from workers.capture.gaps import capture_gaps

SHOP = """
    CREATE SCHEMA shop;
    CREATE TABLE shop.bills (id integer PRIMARY KEY, company_id integer, total numeric, memo text, seen_at timestamptz);
    CREATE TABLE shop.lines (bill_id integer, price numeric, extra json);
"""
VIEW = """
    CREATE OR REPLACE VIEW dashboard.invoice AS
    SELECT company_id::text AS tenant_id, id::text AS invoice_id, NULL::text AS client_id, 'invoice' AS kind,
           'posted' AS status, DATE '2026-03-10' AS issue_date, NULL::date AS due_date, 'USD'::char(3) AS currency,
           total, {tax} AS tax
    FROM shop.bills
"""


@pytest.fixture
def shop(db: psycopg.Connection) -> psycopg.Connection:
    """A host's own tables."""
    db.execute(SHOP)
    return db


def noted(db: psycopg.Connection) -> list[str]:
    rows = db.execute("DELETE FROM dashboard.change RETURNING tenant_id").fetchall()
    return sorted(tenant_id for (tenant_id,) in rows)


def track(db: psycopg.Connection, table: str, tenant: str, *columns: str) -> None:
    db.execute("SELECT dashboard.track_changes(%s::text::regclass, %s, %s)", [table, tenant, list(columns) or None])
    noted(db)


def details(db: psycopg.Connection) -> dict[str, str]:
    """What is missed, by table; that the tests' tables belong to a superuser is left out."""
    return {gap.table: gap.detail for gap in capture_gaps(db) if gap.table != "dashboard.note_change"}


def test_a_table_without_a_tenant_is_watched_through_a_lookup(shop: psycopg.Connection) -> None:
    shop.execute("INSERT INTO shop.bills VALUES (1, 7), (2, 8)")
    track(shop, "shop.lines", "(SELECT company_id FROM shop.bills WHERE id = bill_id)")
    shop.execute("INSERT INTO shop.lines VALUES (1, 10), (2, 20), (3, 30)")
    assert noted(shop) == ["7", "8"]
    shop.execute("UPDATE shop.lines SET bill_id = 2 WHERE bill_id = 1")
    assert noted(shop) == ["7", "8"]
    shop.execute("DELETE FROM shop.lines WHERE bill_id = 3")
    assert noted(shop) == []


def test_expressions_are_tried_when_they_are_given(shop: psycopg.Connection) -> None:
    track(shop, "shop.bills", "'company-' || changed_row.company_id")
    shop.execute("INSERT INTO shop.bills VALUES (1, 7)")
    assert noted(shop) == ["company-7"]
    for wrong in ("company_id +", "no_such(company_id)", "lower(compny)"):
        with pytest.raises(psycopg.ProgrammingError):
            track(shop, "shop.bills", wrong)
    for call in ("'shop.bills', 'company'", "'shop.bills', 'company_id', '{total,tax}'"):
        with pytest.raises(psycopg.errors.UndefinedColumn, match="has no column"):
            shop.execute(f"SELECT dashboard.track_changes({call})")


def test_an_expression_that_fails_makes_everyone_due_and_not_the_writer_fail(shop: psycopg.Connection) -> None:
    track(shop, "shop.bills", "(10 / company_id)")
    shop.execute("INSERT INTO shop.bills VALUES (1, 0)")
    assert noted(shop) == ["*"]


def test_a_table_of_everyones_is_watched_too(shop: psycopg.Connection) -> None:
    track(shop, "shop.bills", "*", "total")
    for statement, expected in (
        ("INSERT INTO shop.bills VALUES (1, 7, 10), (2, 8, 10)", ["*"]),
        ("UPDATE shop.bills SET memo = 'read'", []),
        ("UPDATE shop.bills SET total = 11", ["*"]),
        ("DELETE FROM shop.bills WHERE id = 3", []),
        ("DELETE FROM shop.bills", ["*"]),
    ):
        shop.execute(statement)
        assert noted(shop) == expected


def test_an_update_makes_due_whose_watched_columns_it_changes(shop: psycopg.Connection) -> None:
    shop.execute("INSERT INTO shop.bills VALUES (1, 7, 10), (2, 7, 20), (3, 8, 10), (4, NULL, 1)")
    track(shop, "shop.bills", "company_id", "id", "total")
    for statement, expected in (
        ("UPDATE shop.bills SET seen_at = now(), memo = 'seen'", []),
        ("UPDATE shop.bills SET total = 10.5 WHERE id = 1", ["7"]),
        ("UPDATE shop.bills SET total = total, memo = 'same'", []),
        ("UPDATE shop.bills SET company_id = 8 WHERE id = 1", ["7", "8"]),
        ("UPDATE shop.bills SET company_id = 7 WHERE id = 4", ["7"]),
        # What one row loses another gains: nothing to see in the sum, all to see in the rows.
        ("UPDATE shop.bills SET total = CASE id WHEN 1 THEN 10 ELSE 10.5 END WHERE company_id = 8", ["8"]),
        ("UPDATE shop.bills SET company_id = NULL", ["7", "8"]),
    ):
        shop.execute(statement)
        assert noted(shop) == expected, statement


def test_columns_of_any_type_are_compared(shop: psycopg.Connection) -> None:
    shop.execute("""INSERT INTO shop.lines VALUES (1, 10, '{"a": 1}')""")
    track(shop, "shop.lines", "bill_id")
    shop.execute("""UPDATE shop.lines SET extra = '{"a": 1}'""")
    assert noted(shop) == []
    shop.execute("""UPDATE shop.lines SET extra = '{"a": 2}'""")
    assert noted(shop) == ["1"]
    shop.execute("ALTER TABLE shop.lines ADD share double precision DEFAULT 0.1, DROP extra")
    noted(shop)
    shop.execute("SET extra_float_digits = -15; UPDATE shop.lines SET share = 0.1 + 1e-16")
    assert noted(shop) == ["1"]


@pytest.mark.parametrize("table", ["invoice", "payment", "expense", "quote", "client", "recurring"])
def test_updated_at_alone_does_not_count_and_every_other_column_of_the_contract_does(
    db: psycopg.Connection, table: str
) -> None:
    columns = [
        name
        for (name,) in db.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::text::regclass AND attnum > 0",
            [f"dashboard.{table}"],
        )
    ]
    (question,) = db.execute(
        "SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = 'dashboard_update' AND tgrelid = %s::text::regclass",
        [f"dashboard.{table}"],
    ).fetchone() or ("",)
    assert {name for name in columns if f"changed_row.{name}" in question} == set(columns) - {"updated_at"}


def test_without_columns_those_that_the_views_use_count(shop: psycopg.Connection) -> None:
    shop.execute("DROP TABLE dashboard.invoice")
    shop.execute(VIEW.format(tax="NULL::numeric"))
    shop.execute("INSERT INTO shop.bills VALUES (1, 7, 10)")
    track(shop, "shop.bills", "company_id")
    shop.execute("UPDATE shop.bills SET memo = 'x', seen_at = now()")
    assert noted(shop) == []
    shop.execute("UPDATE shop.bills SET total = 11")
    assert noted(shop) == ["7"]
    assert details(shop) == {}

    # The view is another one: until it is tracked again, every column counts.
    shop.execute("ALTER TABLE shop.bills ADD tax numeric")
    shop.execute(VIEW.format(tax="shop.bills.tax"))
    shop.execute("UPDATE shop.bills SET tax = 1")
    assert noted(shop) == ["7"]
    assert "have changed" in details(shop)["shop.bills"]
    track(shop, "shop.bills", "company_id")
    assert details(shop) == {}
    shop.execute("UPDATE shop.bills SET memo = 'y'")
    assert noted(shop) == []
    shop.execute("UPDATE shop.bills SET tax = 2")
    assert noted(shop) == ["7"]


@pytest.mark.parametrize("reading", ["(row_to_json(bills)->>'tax')::numeric", "shop.tax_of(id)"])
def test_where_a_view_does_not_say_what_it_reads_every_column_counts(shop: psycopg.Connection, reading: str) -> None:
    shop.execute("ALTER TABLE shop.bills ADD tax numeric")
    shop.execute(
        """CREATE FUNCTION shop.tax_of(bill integer) RETURNS numeric LANGUAGE plpgsql STABLE AS
        $$ BEGIN RETURN (SELECT tax FROM shop.bills WHERE id = bill); END $$"""
    )
    shop.execute("DROP TABLE dashboard.invoice")
    shop.execute(VIEW.format(tax=reading))
    shop.execute("INSERT INTO shop.bills VALUES (1, 7, 10)")
    track(shop, "shop.bills", "company_id")
    shop.execute("UPDATE shop.bills SET tax = 1")
    assert noted(shop) == ["7"]


def test_views_over_views_are_followed(shop: psycopg.Connection) -> None:
    shop.execute("DROP TABLE dashboard.invoice")
    shop.execute("CREATE VIEW shop.open_bills AS SELECT id, company_id, total AS amount FROM shop.bills")
    shop.execute(
        VIEW.format(tax="0::numeric").replace("total,", "amount AS total,").replace("shop.bills", "shop.open_bills")
    )
    assert details(shop)["shop.bills"] == "is read, and its changes are not tracked"
    shop.execute("INSERT INTO shop.bills VALUES (1, 7, 10)")
    track(shop, "shop.bills", "company_id")
    assert details(shop) == {}
    shop.execute("UPDATE shop.bills SET memo = 'x'")
    assert noted(shop) == []
    shop.execute("UPDATE shop.bills SET total = 11")
    assert noted(shop) == ["7"]


def test_odd_names_of_tables_and_columns_are_only_names(shop: psycopg.Connection) -> None:
    shop.execute(
        """CREATE TABLE shop."or'der %s\\" ("Fir'm %I" text, "chan%%ge\\" text, changed_row text, updated_at date)"""
    )
    shop.execute("""INSERT INTO shop."or'der %s\\" VALUES ('one', 'a', 'b')""")
    shop.execute("""SELECT dashboard.track_changes('shop."or''der %s\\"', 'Fir''m %I')""")
    for column, expected in (("updated_at", []), ("changed_row", ["one"]), ('"chan%%ge\\"', ["one"])):
        shop.execute(f"""UPDATE shop."or'der %s\\" SET {column} = '2026-03-10'""")
        assert noted(shop) == expected
    assert details(shop) == {}
    shop.execute("""SELECT dashboard.untrack_changes('shop."or''der %s\\"')""")


def test_a_virtual_column_makes_everyone_due_and_that_is_said(shop: psycopg.Connection) -> None:
    shop.execute(
        "CREATE TABLE shop.taxed (firm text, total numeric, tax numeric GENERATED ALWAYS AS (total * 0.19) VIRTUAL)"
    )
    shop.execute("INSERT INTO shop.taxed VALUES ('one', 10)")
    track(shop, "shop.taxed", "firm")
    shop.execute("UPDATE shop.taxed SET total = 20")
    assert noted(shop) == ["*"]
    assert details(shop)["shop.taxed"].startswith("tax is a virtual generated column")
    track(shop, "shop.taxed", "firm", "total")
    shop.execute("UPDATE shop.taxed SET total = 30")
    assert noted(shop) == ["one"]
    assert details(shop) == {}


def test_merge_and_copy_and_upserts_are_noted(shop: psycopg.Connection) -> None:
    track(shop, "shop.bills", "company_id")
    with shop.cursor() as cursor, cursor.copy("COPY shop.bills (id, company_id, total) FROM STDIN") as copy:
        copy.write("1\t7\t10\n2\t8\t10\n")
    assert noted(shop) == ["7", "8"]
    shop.execute(
        "INSERT INTO shop.bills VALUES (1, 7, 11), (3, 9, 1) ON CONFLICT (id) DO UPDATE SET total = excluded.total"
    )
    assert set(noted(shop)) == {"7", "9"}
    shop.execute(
        """MERGE INTO shop.bills USING (VALUES (1), (2), (4)) AS given (number) ON id = number
        WHEN MATCHED AND number = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET total = 12
        WHEN NOT MATCHED THEN INSERT (id, company_id) VALUES (number, 10)"""
    )
    assert set(noted(shop)) == {"7", "8", "10"}


def test_rows_of_a_partitioned_table_are_noted_wherever_they_are_written(shop: psycopg.Connection) -> None:
    shop.execute(
        """CREATE TABLE shop.docs (company_id text, day date, total numeric) PARTITION BY RANGE (day);
        CREATE TABLE shop.docs_2026 PARTITION OF shop.docs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        CREATE TABLE shop.docs_2027 PARTITION OF shop.docs FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')"""
    )
    said: list[str] = []
    shop.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    track(shop, "shop.docs", "company_id")
    assert any("ATTACH" in message for message in said)
    for statement, expected in (
        ("INSERT INTO shop.docs VALUES ('one', '2026-05-01', 1), ('two', '2027-05-01', 1)", ["one", "two"]),
        ("INSERT INTO shop.docs_2026 VALUES ('three', '2026-05-02', 1)", ["three"]),
        ("UPDATE shop.docs SET day = '2027-06-01' WHERE company_id = 'one'", ["one"]),
        ("UPDATE shop.docs SET total = total", []),
        ("TRUNCATE shop.docs_2026", ["*"]),
    ):
        shop.execute(statement)
        assert noted(shop) == expected, statement
    assert "ATTACH" in details(shop)["shop.docs"]
    shop.execute("CREATE TABLE shop.docs_2028 PARTITION OF shop.docs FOR VALUES FROM ('2028-01-01') TO ('2029-01-01')")
    assert details(shop)["shop.docs_2028"] == "a partition without all of its triggers"
    track(shop, "shop.docs", "company_id")
    assert "shop.docs_2028" not in details(shop)


def test_what_is_missed_is_said(shop: psycopg.Connection) -> None:
    assert details(shop) == {}
    assert "superuser daybook" in {gap.table: gap.detail for gap in capture_gaps(shop)}["dashboard.note_change"]
    track(shop, "shop.bills", "company_id")
    track(shop, "shop.lines", "(SELECT company_id FROM shop.bills WHERE id = bill_id)")
    shop.execute("ALTER TABLE shop.bills RENAME company_id TO org_id")
    shop.execute("ALTER TABLE dashboard.expense DISABLE TRIGGER USER")
    shop.execute("SELECT dashboard.untrack_changes('dashboard.quote')")
    shop.execute("DROP TABLE dashboard.payment; CREATE MATERIALIZED VIEW dashboard.payment AS SELECT 1 AS a")
    found = details(shop)
    assert found["shop.bills"] == "column changed_row.company_id does not exist: changes make everyone due"
    assert 'column "company_id" does not exist' in found["shop.lines"]
    assert found["dashboard.expense"] == "its triggers are disabled"
    assert found["dashboard.quote"] == "is read, and its changes are not tracked"
    assert "REFRESH" not in found["dashboard.payment"]
    assert "materialized view" in found["dashboard.payment"]
    assert len(found) == 5
    assert {gap.table for gap in capture_gaps(shop) if gap.lossy} == {"dashboard.expense", "dashboard.quote"}


def test_named_columns_that_leave_out_what_a_view_reads_are_said(shop: psycopg.Connection) -> None:
    shop.execute("DROP TABLE dashboard.invoice")
    shop.execute(VIEW.format(tax="0::numeric"))
    track(shop, "shop.bills", "company_id", "id", "company_id")
    assert details(shop) == {"shop.bills": "an UPDATE of total is not noted, though a view reads it"}


def test_a_question_that_no_table_asks_any_more_is_gone(shop: psycopg.Connection) -> None:
    def questions() -> set[str]:
        return {name for (name,) in shop.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'see\\_change\\_%'")}

    before = questions()
    track(shop, "shop.bills", "company_id", "total")
    tracked = questions() - before
    assert tracked
    track(shop, "shop.bills", "company_id", "total")
    assert questions() - before == tracked
    track(shop, "shop.bills", "company_id", "memo")
    assert questions() - before != tracked
    shop.execute("SELECT dashboard.untrack_changes('shop.bills')")
    assert questions() == before


def test_a_connection_that_has_asked_before_notices_that_the_table_is_another_one(shop: psycopg.Connection) -> None:
    shop.execute("ALTER TABLE shop.bills ADD changed text, ADD dashboard_changed text, ADD tg_op text")
    track(shop, "shop.bills", "company_id")
    for number, (alteration, expected) in enumerate(
        (
            ("ALTER TABLE shop.bills ALTER company_id TYPE text", "7"),
            ("ALTER TABLE shop.bills RENAME company_id TO firm", "*"),
            ("ALTER TABLE shop.bills RENAME firm TO company_id", "7"),
            ("ALTER TABLE shop.bills DROP company_id", "*"),
        )
    ):
        shop.execute("INSERT INTO shop.bills (id) VALUES (%s)", [-number])
        noted(shop)
        shop.execute(alteration.encode())
        values = f"({number + 1})" if expected == "*" else f"({number + 1}, 7)"
        columns = "(id)" if expected == "*" else "(id, company_id)"
        shop.execute(f"INSERT INTO shop.bills {columns} VALUES {values}")
        assert noted(shop) == [expected], alteration
