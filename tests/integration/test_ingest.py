"""Lines of JSON into the tables of the contract: nothing good is lost, nothing older wins, and their tenants become due."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.currency import EXPONENTS
from tests.servers import PROJECT, eventually, inherited_environment
from workers.contract import TABLES
from workers.database import make_engine
from workers.ingest import Ingested, MayNotWrite, Refusal, ingest
from workers.migrate import migrate
from workers.roles import Login

Db = psycopg.Connection[Any]
TENANT = {"table": "tenant", "tenant_id": "acme", "timezone": "Europe/Berlin", "base_currency": "EUR"}


def invoice(invoice_id: str, total: object = 119, **columns: object) -> dict[str, object]:
    return {
        "table": "invoice", "tenant_id": "acme", "invoice_id": invoice_id, "status": "posted", "issue_date": "2026-03-10",
        "currency": "EUR", "total": total, **columns,
    }  # fmt: skip


def gone(invoice_id: str, **columns: object) -> dict[str, object]:
    return {"table": "invoice", "delete": True, "tenant_id": "acme", "invoice_id": invoice_id, **columns}


def take(engine: Engine, documents: Iterable[object], batch: int = 5000) -> tuple[Ingested, list[Refusal]]:
    refused: list[Refusal] = []
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return ingest(engine, lines, refused=refused.append, batch=batch), refused


def totals(db: Db) -> dict[str, Decimal]:
    return dict(db.execute("SELECT invoice_id::text, total::numeric FROM dashboard.invoice").fetchall())


def due(db: Db) -> list[str]:
    found = [tenant_id for (tenant_id,) in db.execute("SELECT DISTINCT tenant_id FROM dashboard.change ORDER BY 1")]
    db.execute("TRUNCATE dashboard.change")
    return found


def test_the_contract_is_what_the_tables_are(db: Db) -> None:
    for name, table in TABLES.items():
        found = db.execute(
            """
            SELECT attname, NOT attnotnull, atthasdef, typname,
                   (SELECT string_agg(pg_get_constraintdef(c.oid), ' ') FROM pg_constraint AS c
                    WHERE conrelid = attrelid AND contype = 'c' AND conkey = ARRAY[attnum])
            FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
            WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
            """,
            [f"dashboard.{name}"],
        ).fetchall()
        assert {row[0] for row in found} == set(table.columns), name
        for column, nullable, has_default, kind, checks in found:
            stated = table.columns[column]
            assert nullable == (stated.nullable and column != "updated_at"), (name, column)
            assert not stated.by_default or has_default, (name, column)
            same_kind = {"int2": "integer", "int4": "integer", "timestamptz": "timestamp", "bool": "boolean"}
            assert same_kind.get(kind, kind) == stated.kind, (name, column)
            for word in stated.words:
                assert f"'{word}'" in checks, (name, column)


def test_good_lines_are_written_bad_ones_refused_by_number_and_tenants_become_due(engine: Engine, db: Db) -> None:
    db.execute("ALTER TABLE dashboard.invoice ADD CHECK (total <> 13)")
    documents: list[object] = [TENANT, *(invoice(str(n), n) for n in range(1, 41)), b"", b"{", invoice("x", "NaN")]
    done, refused = take(engine, documents, batch=16)
    assert (done.lines, done.written, done.refused, done.unchanged) == (43, 40, 3, 0)
    assert [(one.line, one.reason.split(":")[0]) for one in refused] == [
        (14, "the database refuses it"), (43, "no JSON"), (44, "total"),
    ]  # fmt: skip
    assert refused[1].text == "{"
    assert totals(db) == {str(n): n for n in range(1, 41) if n != 13}
    assert due(db) == ["acme"]


def test_an_older_document_never_replaces_a_newer_one_and_the_same_again_changes_nothing(
    engine: Engine, db: Db
) -> None:
    old, new = "2026-03-10T12:00:00Z", "2026-03-10T12:00:01Z"
    take(engine, [TENANT, invoice("1", 1, updated_at=new), invoice("2", 2, updated_at=old)])
    due(db)
    done, _ = take(
        engine, [TENANT, invoice("1", 1, updated_at=new), invoice("1", 9, updated_at=old), gone("1", updated_at=old)]
    )
    assert (done.written, done.deleted, done.unchanged) == (0, 0, 4)
    assert due(db) == []
    # Newer ones, in one batch with what they replace and in any order.
    take(engine, [invoice("2", 3, updated_at=new), invoice("2", 4, updated_at=old), invoice("3", 5), gone("3")])
    assert totals(db) == {"1": 1, "2": 3}
    done, _ = take(engine, [gone("1", updated_at=new), gone("2"), gone("never")])
    assert (done.deleted, totals(db)) == (2, {})
    assert due(db) == ["acme"]


def test_a_good_line_stands_where_the_database_refuses_a_later_one_of_its_row(engine: Engine, db: Db) -> None:
    db.execute("ALTER TABLE dashboard.invoice ADD CHECK (total <> 13)")
    at = [f"2026-03-10T12:00:0{second}Z" for second in range(4)]
    done, refused = take(
        engine,
        [
            TENANT,
            *(invoice("1", total, updated_at=at[n]) for n, total in enumerate([1, 2, 13, 13])),
            invoice("2", 5, updated_at=at[0]), invoice("2", 13), gone("2", updated_at=at[1]),
        ],
    )  # fmt: skip
    assert totals(db) == {"1": 2}
    assert [one.line for one in refused] == [4, 5, 7]
    assert (done.written, done.deleted, done.refused, done.unchanged) == (2, 0, 3, 3)


def test_one_line_that_no_index_takes_keeps_no_other_back(engine: Engine, db: Db) -> None:
    text = "".join(chr(0x20000 + secrets.randbelow(20_000)) for _ in range(255 * 4))
    ids = [text[n * 255 : (n + 1) * 255] for n in range(4)]
    link = {"table": "allocation", "source_kind": "payment", "amount": 1}
    names = ("tenant_id", "allocation_id", "source_id", "invoice_id")
    done, refused = take(
        engine,
        [TENANT, link | dict(zip(names, ids, strict=True)), link | dict.fromkeys(names, "acme"), invoice("1", 5)],
    )
    assert (done.written, [one.line for one in refused]) == (3, [2])
    assert "index" in refused[0].reason


def test_the_mark_before_the_first_line_is_no_part_of_it(engine: Engine, db: Db) -> None:
    done, refused = take(engine, [b"\xef\xbb\xbf" + json.dumps(invoice("1", 5)).encode() + b"\r\n"])
    assert (done.written, refused) == (1, [])


def test_a_batch_that_postgresql_ends_for_another_writers_sake_is_written_anew(engine: Engine, db: Db) -> None:
    take(engine, [TENANT, invoice("1", 1), invoice("2", 2)])
    db.execute("SET deadlock_timeout = '60s'")
    with ThreadPoolExecutor(1) as pool:
        with db.transaction():
            db.execute("UPDATE dashboard.invoice SET total = 7 WHERE invoice_id = '2'")
            taking = pool.submit(take, engine, [invoice("1", 3), invoice("2", 4)])
            eventually(lambda: _waits(db))
            # Now each waits for the other, and the one that began to wait first looks for it first.
            db.execute("UPDATE dashboard.invoice SET total = 8 WHERE invoice_id = '1'")
        done, refused = taking.result(60)
    assert (done.written, refused) == (2, [])
    assert totals(db) == {"1": 3, "2": 4}


def _waits(db: Db) -> bool:
    found = db.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))", [
        db.info.backend_pid,
    ]).fetchone()  # fmt: skip
    return found is not None and found[0] > 0


def test_what_a_document_leaves_out_is_null_or_the_tables_default(engine: Engine, db: Db) -> None:
    rows = [
        invoice("1", client_id="c1", tax="19.5", balance=0),
        {"table": "recurring", "tenant_id": "acme", "recurring_id": "r", "kind": "invoice", "currency": "EUR", "amount": 5,
         "interval_unit": "month"},
        {"table": "fx_rate", "currency": "USD", "base_currency": "EUR", "rate_date": "2026-03-10", "rate": "0.92"},
    ]  # fmt: skip
    assert take(engine, rows)[0].written == 3
    assert db.execute("SELECT kind, client_id, tax::text, due_date FROM dashboard.invoice").fetchone() == (
        "invoice", "c1", "19.5000", None,
    )  # fmt: skip
    assert db.execute("SELECT interval_count, active, terms_days FROM dashboard.recurring").fetchone() == (
        1,
        True,
        None,
    )
    assert db.execute("SELECT tenant_id, rate FROM dashboard.fx_rate").fetchone() == ("*", Decimal("0.92"))
    take(engine, [invoice("1")])
    assert db.execute("SELECT client_id, tax FROM dashboard.invoice").fetchone() == (None, None)


def test_a_view_is_never_written_and_a_role_without_rights_is_told_so(
    engine: Engine, database_url: str, db: Db, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    migrate(engine, owner=Login("daybook_owner"), worker=Login("daybook_worker"))
    db.execute("DROP TABLE dashboard.invoice; CREATE VIEW dashboard.invoice AS SELECT 'a'::text AS tenant_id")
    done, refused = take(engine, [TENANT, invoice("1")])
    assert (done.written, [one.reason for one in refused]) == (
        1, ["dashboard.invoice is a view over tables of your own; write there"],
    )  # fmt: skip
    as_worker = database_url.replace("//daybook@", "//daybook_worker@")
    worker = make_engine(as_worker)
    request.addfinalizer(worker.dispose)
    db.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON dashboard.client TO daybook_worker")
    _, refused = take(worker, [TENANT])
    assert refused[0].reason.startswith("the role daybook_worker may not write dashboard.tenant; let its owner GRANT")
    db.execute("REVOKE INSERT ON dashboard.client FROM daybook_worker")
    with pytest.raises(MayNotWrite):
        take(worker, [TENANT])
    # As a person meets it: exit codes, one line on stderr, the refused lines in a file.
    file, rest = tmp_path / "rows.ndjson", tmp_path / "refused.ndjson"
    file.write_text(json.dumps(TENANT | {"name": "Acme"}) + "\n" + '{"table": "tenant"}\n')
    command = [sys.executable, "-m", "cli.dash", "ingest", str(file), "--refused", str(rest), "--database"]

    def run(url: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, url],
            cwd=PROJECT,
            env=inherited_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done_by_hand = run(database_url)
    assert (done_by_hand.returncode, done_by_hand.stdout.split(": ")[1]) == (
        1, "1 written, 0 deleted, 0 unchanged, 1 refused\n",
    )  # fmt: skip
    assert "line 2: misses required field" in done_by_hand.stderr
    assert json.loads(rest.read_text())["line"] == 2
    assert db.execute("SELECT name FROM dashboard.tenant").fetchone() == ("Acme",)
    forbidden = run(as_worker)
    assert (forbidden.returncode, forbidden.stdout) == (1, "")
    assert "bin/dash: " in forbidden.stderr


def test_minor_units_become_amounts_by_iso_4217_or_by_the_hosts_own_decimals(db: Db) -> None:
    for code, places in [*EXPONENTS.items(), ("ZZZ", 2)]:
        found = db.execute("SELECT dashboard.from_minor(-123456, %s)", [code]).fetchone()
        assert found == (Decimal(-123456).scaleb(-places),), code
    # Of every type that a host may keep a currency and an amount in; so many decimals for yen too.
    found = db.execute("""
        SELECT dashboard.from_minor(12345::integer, 'JPY'::char(3), 2), dashboard.from_minor(5, 'KWD'::varchar),
               dashboard.from_minor(5, 'EUR', 7)
    """).fetchone()
    assert found == (Decimal("123.45"), Decimal("0.005"), None)
    volatile = db.execute("SELECT count(*) FROM pg_proc WHERE proname = 'from_minor' AND provolatile <> 'i'").fetchone()
    assert volatile == (0,)
