"""bin/dash announce and threshold as their user sees them: exit codes, one line for each error."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from shared.keys import Keys
from tests.conftest import Services
from tests.dash import Done, called, typed
from tests.live import Socket
from tests.rows import add_tenant
from tests.servers import WebServer, Worker, inherited_environment
from tests.tokens import SECRET

Dash = Callable[..., Done]


@pytest.fixture
def environment(services: Services, database_url: str, keys: Keys) -> dict[str, str]:
    return {
        **inherited_environment(),
        "DATABASE_URL": database_url,
        "REDIS_URL": services.redis_url,
        "JWT_SECRET_KEY": SECRET,
        "DASHBOARD_KEY_PREFIX": keys.prefix,
        "DASHBOARD_ALERT_CASH_BELOW": "-5",
    }


@pytest.fixture
def dash(environment: dict[str, str]) -> Dash:
    return lambda *arguments: called(environment, *arguments)


@pytest.fixture
def process(environment: dict[str, str]) -> Dash:
    """For one test of each command."""
    return lambda *arguments: typed(environment, *arguments)


def test_a_threshold_is_set_listed_and_cleared_and_makes_its_tenant_due(
    dash: Dash, process: Dash, db: psycopg.Connection
) -> None:
    add_tenant(db, "t1")
    db.execute("DELETE FROM dashboard.change")
    done = process("threshold", "set", "t1", "profit_floor", "-250.50")
    assert (done.returncode, done.stdout) == (0, "profit_floor of t1 begins at -250.50\n"), done.stderr
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("t1",)]
    listed = {line.split()[0]: line.split()[1:3] for line in dash("threshold", "list", "t1").stdout.splitlines()}
    assert listed["profit_floor"] == ["-250.5", "own"]
    assert listed["overdue_count"] == ["5", "default"]
    assert listed["cash_below"] == ["-5", "default"]
    assert listed["quote_expiring"] == ["-", "default"]
    assert dash("threshold", "clear", "t1", "profit_floor").stdout == "profit_floor of t1 begins at the default again\n"
    assert dash("threshold", "clear", "t1", "profit_floor").stdout == "profit_floor of t1 was at the default\n"
    assert db.execute("SELECT count(*) FROM dashboard.threshold").fetchone() == (0,)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("t1", "overdue_count", "2.5"), 1, "overdue_count must be a whole number from 0 to 1000000"),
        (("t1", "overdue_amount", "-1"), 1, "overdue_amount must be a number"),
        (("t1", "profit_floor", "NaN"), 1, "profit_floor must be a number"),
        (("nobody", "profit_floor", "1"), 1, "there is no tenant 'nobody'"),
        (("t1", "weather", "1"), 2, "weather"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused(
    dash: Dash, db: psycopg.Connection, arguments: tuple[str, ...], code: int, words: str
) -> None:
    add_tenant(db, "t1")
    done = dash("threshold", "set", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert db.execute("SELECT count(*) FROM dashboard.threshold").fetchone() == (0,)


def test_an_announcement_is_seen_by_the_tenant_it_is_for(
    dash: Dash, process: Dash, db: psycopg.Connection, services: Services, database_url: str, keys: Keys
) -> None:
    for tenant_id in ("mine", "theirs"):
        add_tenant(db, tenant_id)
    path = "/ws/dashboard/notifications/{}/"
    with WebServer(services.redis_url, keys) as web, Worker(services.redis_url, database_url, keys):
        for tenant_id in ("mine", "theirs"):
            web.write(tenant_id)
        with Socket(web.port or 0, "mine", path=path) as mine, Socket(web.port or 0, "theirs", path=path) as theirs:
            done = process("announce", "Only you", "--tenant", "mine", "--level", "warning")
            assert (done.returncode, done.stdout) == (0, "announced to mine (1 web process listening)\n"), done.stderr
            done = dash("announce", "All of you")
            assert done.stdout == "announced to everybody (1 web process listening)\n"
            first, second = (mine.receive_type("notification.new") for _ in range(2))
            assert (first["message"], first["level"], second["message"]) == ("Only you", "warning", "All of you")
            assert theirs.receive_type("notification.new")["message"] == "All of you"


@pytest.mark.parametrize(
    "arguments", [("Hello", "--tenant", "nobody"), (" ",), ("x" * 1001,), ("x", "--level", "loud")]
)
def test_an_announcement_that_nobody_could_get_is_refused(dash: Dash, arguments: tuple[str, ...]) -> None:
    done = dash("announce", *arguments)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
