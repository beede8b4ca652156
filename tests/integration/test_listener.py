"""The listener finds what is committed, however long ago it was noted, without being woken by anyone."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from shared.keys import Keys
from shared.looked import Looked
from tests.conftest import Services
from tests.rows import add_tenant
from tests.servers import PROJECT, eventually
from workers.capture.throttle import Throttle
from workers.database import make_engine
from workers.loops.cold import MOST_ROWS, MOST_TENANTS

# What most of ten take, so that a busy machine may be slow now and then. Looked for four times a second it would be 0.17.
SOON_S = 0.1
COLD_DELAY_S = 2
JUMPING = PROJECT / "tests" / "faults" / "jumping"


@contextmanager
def running(
    services: Services, database_url: str, keys: Keys, valkey: redis.Redis, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A listener on the test's own database; it queues to nobody."""
    environment = variables | {
        "REDIS_URL": services.redis_url,
        "DATABASE_URL": database_url,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
        "DASHBOARD_COLD_DELAY": str(COLD_DELAY_S),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.listener"],
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    eventually(lambda: valkey.get(keys.listener))
    yield process
    process.terminate()
    assert process.wait(10) == 0


@pytest.fixture
def listener(
    services: Services, database_url: str, keys: Keys, valkey: redis.Redis
) -> Iterator[subprocess.Popen[bytes]]:
    """One that runs."""
    with running(services, database_url, keys, valkey) as process:
        yield process


@pytest.fixture
def queued(keys: Keys, valkey: redis.Redis) -> Callable[[], set[str]]:
    """The tenants that were ever queued."""

    def read() -> set[str]:
        held = valkey.scan_iter(f"{keys.prefix}*throttle*")
        return {key.decode().rpartition(":")[2] for key in held}

    return read


def tenants_of(message: Any) -> set[str]:
    """Whom a task that waits in a queue is about."""
    return set(json.loads(base64.b64decode(json.loads(message)["body"]))[0][0])


def test_commits_are_found_soon_and_late_ones_too(
    listener: subprocess.Popen[bytes],
    database_url: str,
    queued: Callable[[], set[str]],
    valkey: redis.Redis,
    keys: Keys,
) -> None:
    took_s = []
    Looked(valkey, keys).mark(["late", *(f"t{number}" for number in range(10))])
    with psycopg.connect(database_url) as late, psycopg.connect(database_url) as writer:
        add_tenant(late, "late")
        for number in range(10):
            add_tenant(writer, f"t{number}")
            writer.commit()
            committed = time.monotonic()
            eventually(lambda number=number: f"t{number}" in queued())  # type: ignore[misc]
            took_s.append(time.monotonic() - committed)
            eventually(lambda: valkey.lpop(keys.queue("changes")))  # as a worker takes it
        assert "late" not in queued()
        late.commit()
        committed = time.monotonic()
        eventually(lambda: "late" in queued())
        assert time.monotonic() - committed < 5
    assert sorted(took_s)[6] < SOON_S


def test_a_tenant_whose_task_was_lost_is_queued_again_for_the_same_change(
    listener: subprocess.Popen[bytes], db: psycopg.Connection, valkey: redis.Redis, keys: Keys
) -> None:
    """What was queued is no news for a moment only."""
    Looked(valkey, keys).mark(["hot", "other"])
    add_tenant(db, "hot")
    assert tenants_of(eventually(lambda: valkey.lpop(keys.queue("changes")))) == {"hot"}
    add_tenant(db, "other")
    assert tenants_of(eventually(lambda: valkey.lpop(keys.queue("changes")))) == {"other"}
    valkey.delete(keys.throttle("hot"))
    assert tenants_of(eventually(lambda: valkey.lpop(keys.queue("changes")))) == {"hot"}


def test_what_becomes_due_while_a_task_waits_shares_the_next_one(
    listener: subprocess.Popen[bytes],
    db: psycopg.Connection,
    queued: Callable[[], set[str]],
    valkey: redis.Redis,
    keys: Keys,
) -> None:
    tenants = [f"t{number}" for number in range(5)]
    Looked(valkey, keys).mark(tenants)
    add_tenant(db, "t0")
    eventually(lambda: "t0" in queued())
    for tenant_id in tenants[1:]:
        add_tenant(db, tenant_id)
    # So far behind a change is only looked at, and one of nobody's interest put off.
    add_tenant(db, "cold")
    eventually(lambda: db.execute("SELECT true FROM dashboard.change WHERE due_at IS NOT NULL").fetchone())
    assert queued() == {"t0"}
    eventually(lambda: valkey.lpop(keys.queue("changes")))  # as a worker takes it
    eventually(lambda: queued() >= set(tenants))
    eventually(lambda: valkey.lpop(keys.queue("changes")))
    assert valkey.llen(keys.queue("changes")) == 0


def test_changes_of_tenants_at_whom_nobody_looks_wait_for_their_turn(
    listener: subprocess.Popen[bytes],
    db: psycopg.Connection,
    queued: Callable[[], set[str]],
    valkey: redis.Redis,
    keys: Keys,
) -> None:
    """And a tenant at which somebody looks does not wait with them, nor one after them."""
    cold = [f"cold {number}" for number in range(20)]
    Looked(valkey, keys).mark(["hot"])
    db.execute(
        "INSERT INTO dashboard.tenant (tenant_id, timezone, base_currency) SELECT unnest(%s::text[]), 'UTC', 'USD'",
        [[*cold, "hot"]],
    )
    eventually(lambda: "hot" in queued())
    turns = eventually(
        lambda: [
            row[0]
            for row in db.execute("SELECT extract(epoch FROM due_at - noted_at)::float FROM dashboard.change"
                                  " WHERE due_at IS NOT NULL ORDER BY due_at")
        ],
        lambda waiting: len(waiting) == len(cold),
    )  # fmt: skip
    assert 0 < turns[0] < COLD_DELAY_S / 4
    assert COLD_DELAY_S * 3 / 4 < turns[-1] < COLD_DELAY_S + 1
    eventually(lambda: queued() >= set(cold), within_s=COLD_DELAY_S + 2)
    assert valkey.llen(keys.queue("changes")) == 1 <= valkey.llen(keys.queue("sweep"))


def turn_has_come(db: psycopg.Connection, tenant_ids: Sequence[str]) -> None:
    """For tenants whose change has waited, as at their midnight."""
    db.execute("INSERT INTO dashboard.change (tenant_id, due_at) SELECT unnest(%s::text[]), now()", [list(tenant_ids)])


def test_of_those_whose_turn_has_come_no_more_are_queued_than_begin_and_who_is_looked_at_first(
    listener: subprocess.Popen[bytes],
    db: psycopg.Connection,
    queued: Callable[[], set[str]],
    valkey: redis.Redis,
    keys: Keys,
) -> None:
    cold, hot = [f"cold {number}" for number in range(200)], [f"hot {number}" for number in range(5)]
    Looked(valkey, keys).mark(hot)
    turn_has_come(db, [*cold, *hot])
    queue = keys.queue("sweep")
    eventually(lambda: valkey.llen(queue) >= 2)
    first = tenants_of(valkey.lindex(queue, -1))
    assert set(hot) <= first
    assert len(first | tenants_of(valkey.lindex(queue, -2))) == MOST_TENANTS
    assert valkey.llen(queue) <= 4  # one more a second, whoever fills the queue

    def all_are_queued() -> bool:
        valkey.rpop(queue)  # as a worker takes it
        return queued() >= {*cold, *hot}

    eventually(all_are_queued)


def test_a_change_for_everyone_that_comes_while_another_one_is_expanded_is_expanded_as_well(
    listener: subprocess.Popen[bytes], db: psycopg.Connection, queued: Callable[[], set[str]]
) -> None:
    """Whoever computed it as one tenant's would settle it, for that tenant does not exist."""
    add_tenant(db, "a")
    # As if the next rate were committed in that moment.
    db.execute("""
        CREATE TABLE rates_to_come (rate integer);
        INSERT INTO rates_to_come VALUES (1);
        CREATE FUNCTION next_rate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO dashboard.change (tenant_id)
            SELECT '*' FROM rates_to_come WHERE EXISTS (SELECT FROM gone WHERE tenant_id = '*');
            DELETE FROM rates_to_come WHERE EXISTS (SELECT FROM gone WHERE tenant_id = '*');
            RETURN NULL;
        END $$;
        CREATE TRIGGER next_rate AFTER DELETE ON dashboard.change REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION next_rate();
        DELETE FROM dashboard.change;
    """)
    db.execute("INSERT INTO dashboard.change (tenant_id) VALUES ('*')")
    pending = "SELECT tenant_id FROM dashboard.change WHERE due_at IS NOT NULL"
    assert eventually(lambda: db.execute(pending).fetchall(), lambda rows: len(rows) == 2) == [("a",), ("a",)]
    eventually(lambda: "a" in queued())
    assert "*" not in queued()


def test_changes_without_number_of_who_is_left_out_keep_no_other_waiting(
    listener: subprocess.Popen[bytes], db: psycopg.Connection, valkey: redis.Redis, keys: Keys
) -> None:
    with valkey.pipeline() as pipe:
        Throttle(valkey, keys).left_out(["poison"], pipe)
        pipe.execute()
    turn_has_come(db, ["poison"] * MOST_ROWS)
    turn_has_come(db, ["other"])
    message = eventually(lambda: valkey.lindex(keys.queue("sweep"), -1))
    assert tenants_of(message) == {"other"}


def test_a_commit_of_who_is_looked_at_does_not_wait_for_a_turn_that_waits_in_its_queue(
    listener: subprocess.Popen[bytes], db: psycopg.Connection, valkey: redis.Redis, keys: Keys
) -> None:
    Looked(valkey, keys).mark(["hot"])
    turn_has_come(db, ["hot", "cold"])
    eventually(lambda: valkey.llen(keys.queue("sweep")))
    add_tenant(db, "hot")
    message = eventually(lambda: valkey.lindex(keys.queue("changes"), -1))
    assert tenants_of(message) == {"hot"}


def test_a_day_ends_when_the_database_says_so(
    services: Services, database_url: str, keys: Keys, valkey: redis.Redis, db: psycopg.Connection, tmp_path: Path
) -> None:
    """Or who is computed by its clock is computed for the day before, and not again when that has ended."""
    add_tenant(db)
    clock = tmp_path / "clock"
    clock.write_text("86400")
    wrong = {"PYTHONPATH": f"{JUMPING}{os.pathsep}{PROJECT}", "CLOCK_FILE": str(clock)}
    with running(services, database_url, keys, valkey, **wrong):
        question = "SELECT local_date - (now() AT TIME ZONE 'UTC')::date FROM dashboard.local_day"
        rolled = eventually(lambda: db.execute(question).fetchone())
    assert rolled == (0,)


def test_its_own_transactions_are_never_serializable(db: psycopg.Connection, database_url: str) -> None:
    """Or they would be among those that writers of the host are aborted for."""
    db.execute(f"ALTER DATABASE {db.info.dbname} SET default_transaction_isolation = serializable")
    engine = make_engine(database_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar_one() == "read committed"
    engine.dispose()
