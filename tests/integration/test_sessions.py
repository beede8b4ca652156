"""What holds in our sessions, whoever would have it otherwise: policies, settings, poolers, encodings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

from cli.local.embedded import free_port, unprivileged_account
from cli.mapping import check_mapping
from shared.errors import SourceUnavailable
from shared.keys import Keys
from tests.conftest import Services
from tests.rows import add_tenant
from tests.servers import PROJECT, eventually, inherited_environment
from workers.database import alone, autocommit, make_engine
from workers.migrate import migrate
from workers.roles import Login
from workers.session import SETTINGS
from workers.source import Source
from workers.source.failures import translate_database_errors

Db = psycopg.Connection
DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
OWNER, WORKER = Login("daybook_owner"), Login("daybook_worker")


def as_role(url: str, role: Login) -> str:
    return url.replace("//daybook@", f"//{role.name}@")


def fill(db: Db, tenant_id: str = "one") -> None:
    rows = add_tenant(db, tenant_id, timezone="America/New_York")
    rows.invoice(DAY, "1234.56", tax="34.56", balance=None)
    rows.invoice(DAY, "10", currency="EUR", base_rate="1.1")
    rows.payment(DAY, "200.5")


# Row level security.


@pytest.fixture
def worker(engine: Engine, database_url: str, db: Db) -> Iterator[Engine]:
    """The workers' engine on a database in which neither the owner of the views nor they own the host's tables."""
    migrate(engine, owner=OWNER, worker=WORKER)
    fill(db)
    for role in (OWNER, WORKER):
        db.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {role.name}")
    engine = make_engine(as_role(database_url, WORKER))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("kind", ["table", "view", "view of a view", "view at the reader's rights"])
def test_what_a_policy_would_hide_is_an_error(worker: Engine, database_url: str, db: Db, kind: str) -> None:
    source = Source(worker)
    before = source.load(["one"], now=NOON).facts["one"]
    table = "dashboard.invoice"
    if kind != "table":
        table = "public.bill"
        db.execute("ALTER TABLE dashboard.invoice RENAME TO bill; ALTER TABLE dashboard.bill SET SCHEMA public")
        db.execute(
            f"ALTER TABLE public.bill OWNER TO daybook; GRANT SELECT ON public.bill TO {OWNER.name}, {WORKER.name}"
        )
        rights = "WITH (security_invoker = true)" if "reader" in kind else ""
        with psycopg.connect(as_role(database_url, OWNER), autocommit=True) as owner:
            owner.execute("CREATE VIEW public.bills AS SELECT * FROM public.bill")
            of = "public.bills" if kind == "view of a view" else "public.bill"
            owner.execute(f"CREATE VIEW dashboard.invoice {rights} AS SELECT * FROM {of}")
    assert source.load(["one"], now=NOON).facts["one"] == before
    source.require_readable()
    db.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; CREATE POLICY large ON {table} USING (total > 100)")
    for ask in (source.require_readable, lambda: source.load(["one"], now=NOON)):
        with pytest.raises(SourceUnavailable, match="row-level security"):
            ask()
    with psycopg.connect(as_role(database_url, WORKER), autocommit=True) as connection:
        found = [one for one in check_mapping(connection) if one.counts]
    assert any(one.table == "invoice" and "BYPASSRLS" in one.advice for one in found)
    reader = WORKER if kind == "table" or "reader" in kind else OWNER
    try:
        db.execute(f"ALTER ROLE {reader.name} BYPASSRLS")
        assert source.load(["one"], now=NOON).facts["one"] == before
    finally:
        db.execute(f"ALTER ROLE {reader.name} NOBYPASSRLS")


def test_a_filtered_tenant_is_never_an_unknown_one(worker: Engine, db: Db) -> None:
    db.execute("ALTER TABLE dashboard.tenant ENABLE ROW LEVEL SECURITY")
    with pytest.raises(SourceUnavailable):
        Source(worker).load(["one"], now=NOON)


def test_a_lock_on_a_table_and_a_relation_that_is_gone_are_told_apart(worker: Engine, db: Db) -> None:
    source = Source(worker)
    with db.transaction():
        db.execute("LOCK TABLE dashboard.quote IN ACCESS EXCLUSIVE MODE")
        source.require_readable()
    db.execute("DROP TABLE dashboard.quote")
    with pytest.raises(SourceUnavailable, match="quote"):
        source.require_readable()


# Settings.

OTHERWISE = {
    "datestyle": "German, DMY", "timezone": "Asia/Tokyo", "intervalstyle": "iso_8601", "extra_float_digits": "-5",
    "default_transaction_isolation": "serializable", "default_transaction_read_only": "on", "row_security": "on",
    "bytea_output": "escape", "search_path": "nowhere", "client_encoding": "LATIN1", "statement_timeout": "1",
    "transform_null_equals": "on", "idle_in_transaction_session_timeout": "1",
}  # fmt: skip


def test_settings_of_the_database_change_nothing(engine: Engine, database_url: str, db: Db) -> None:
    fill(db)
    before = Source(engine).load(["one"], now=NOON).facts["one"]
    name = database_url.rpartition("/")[2]
    for setting, value in OTHERWISE.items():
        db.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    later = make_engine(database_url)
    source = Source(later)
    assert source.load(["one"], now=NOON).facts["one"] == before
    source.make_due(["one"])
    with later.begin() as connection:
        held = {one: connection.execute(text(f"SHOW {one}")).scalar_one().lower() for one in SETTINGS}
    timeouts = {"statement_timeout": "15s", "idle_in_transaction_session_timeout": "20s"}
    assert held == {**SETTINGS, "timezone": "utc", "datestyle": "iso, mdy", **timeouts}
    later.dispose()


def test_a_process_that_stands_still_in_a_transaction_keeps_no_lock(engine: Engine, db: Db) -> None:
    fill(db)
    rename = text("UPDATE dashboard.tenant SET name = 'mine' WHERE tenant_id = 'one'")

    def stand_still() -> None:
        with translate_database_errors(), engine.begin() as ours:
            ours.execute(text("SET LOCAL idle_in_transaction_session_timeout = 100"))
            ours.execute(rename)
            db.execute("UPDATE dashboard.tenant SET name = 'theirs' WHERE tenant_id = 'one'")
            ours.execute(rename)

    with pytest.raises(SourceUnavailable, match="IdleInTransaction"):
        stand_still()
    assert db.execute("SELECT name FROM dashboard.tenant WHERE tenant_id = 'one'").fetchone() == ("theirs",)


def test_variables_of_other_projects_in_the_shell_change_nothing(
    database_url: str, services: Services, keys: Keys, db: Db
) -> None:
    add_tenant(db, "one", name="日本")
    theirs = {
        "PGHOST": "192.0.2.1", "PGPORT": "1", "PGDATABASE": "theirs", "PGUSER": "theirs", "PGSSLMODE": "require",
        "PGCLIENTENCODING": "LATIN1", "PGTZ": "Asia/Tokyo", "PGDATESTYLE": "German", "PGOPTIONS": "-c search_path=nowhere",
        "PGSERVICE": "theirs", "PGTARGETSESSIONATTRS": "read-only", "PGCONNECT_TIMEOUT": "x",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "BROKER_URL": "redis://127.0.0.1:1/0", "RESULT_BACKEND": "nonsense",
    }  # fmt: skip
    ours = {**inherited_environment(), "DATABASE_URL": database_url, "REDIS_URL": services.redis_url,
            "JWT_SECRET_KEY": "s" * 32, "DASHBOARD_KEY_PREFIX": keys.prefix}  # fmt: skip
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen(
            ["/bin/sh", "-c", "exec celery -q -A workers worker -Q commands -c 1 --without-gossip --without-mingle"],
            cwd=PROJECT, env={**ours, **theirs, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            done = subprocess.run(
                [sys.executable, "-m", "cli.dash", "recalculate", "one"], cwd=PROJECT, env={**ours, **theirs},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        finally:
            worker.terminate()
            worker.wait(20)
        assert done.returncode == 0, (done, os.pread(log.fileno(), 5000, 0))


# Poolers.

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")


@pytest.fixture(params=["", "ignore_startup_parameters = options"])
def pooled_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The database through PgBouncer, which lends a connection of the server's for each transaction."""
    server, _, name = database_url.rpartition("/")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="daybook-pgbouncer-"))
    folder.chmod(0o755)
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{name} = host=127.0.0.1 port={server.rpartition(':')[2]} user=daybook\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = transaction\nunix_socket_dir =\n"
        f"default_pool_size = 3\n{request.param}\n"
    )
    account = unprivileged_account(Path(PGBOUNCER or ""), folder)
    pooler = subprocess.Popen(
        [*account.prefix, PGBOUNCER or "", "-q", str(folder / "pgbouncer.ini")], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, **account.popen,  # type: ignore[call-overload]
    )  # fmt: skip
    url = f"postgresql://daybook@127.0.0.1:{port}/{name}"

    def answers() -> bool:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        eventually(answers)
        yield url
    finally:
        pooler.terminate()
        pooler.wait(10)
        shutil.rmtree(folder)


@pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer on this machine")
def test_a_pooler_changes_nothing_and_keeps_nothing(pooled_url: str, engine: Engine, db: Db) -> None:
    fill(db)
    before = Source(engine).load(["one"], now=NOON).facts["one"]
    pooled = make_engine(pooled_url)
    migrate(pooled)
    source = Source(pooled)
    for _ in range(8):
        assert source.load(["one"], now=NOON).facts["one"] == before
    source.make_due(["one"])
    with pooled.begin() as connection:
        held = {
            one: connection.execute(text(f"SHOW {one}")).scalar_one() for one in ("statement_timeout", "row_security")
        }
    assert held == {"statement_timeout": "15s", "row_security": "off"}
    with autocommit(pooled) as plain, alone(plain):
        assert plain.execute("SHOW row_security").fetchone() == ("off",)
    pooled.dispose()
    # Whoever is lent the connection next finds nothing of ours.
    with psycopg.connect(pooled_url, autocommit=True) as host:
        assert host.execute("SHOW row_security").fetchone() == ("on",)
        assert host.execute("SHOW statement_timeout").fetchone() == ("0",)


# Encodings.


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_of_another_encoding_is_read_the_same(services: Services, encoding: str) -> None:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(services.postgres_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        engine = make_engine(services.database_url(name))
        try:
            migrate(engine)
            word = "日本" if encoding == "EUC_JP" else "Zoë"
            with psycopg.connect(services.database_url(name), autocommit=True, client_encoding="UTF8") as db:
                fill(db, word)
                assert [one for one in check_mapping(db) if one.counts] == []
            source = Source(engine)
            assert source.tenant_ids() == [word]
            assert source.load([word], now=NOON).facts[word].invoices
        finally:
            engine.dispose()
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
