"""Alerts in PostgreSQL and on the board in Redis, through whole recalculations and people's commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest
import redis
from sqlalchemy import Engine

from shared.alert_store import AlertReader
from shared.alerts import Board, BoardAlert, Subscription
from shared.counters import ACKNOWLEDGED, ALERTS_BY_LEVEL, ALERTS_BY_RULE, RESOLVED, Counted
from shared.keys import Keys
from shared.notices import Notice, decode_notice
from shared.outcomes import Outcome
from shared.snapshot import Snapshot, instant
from shared.store import SnapshotReader, SnapshotWriter
from shared.thresholds import LIMITS, threshold
from tests.calculations import disagreements
from tests.rows import Rows, add_tenant
from tests.servers import eventually
from workers.alerts import AlertKeeper
from workers.alerts.commands import Command
from workers.alerts.lifecycle import Judgement
from workers.recalculate import recalculate
from workers.remembered import Memory
from workers.source import Loaded, Source

Db = psycopg.Connection[Any]
# Of the day on which the test runs: what was cleared long ago is forgotten.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
TODAY = NOON.date()
HOUR = timedelta(hours=1)
MILLISECOND = timedelta(milliseconds=1)


class SourceAt(Source):
    """The source at a moment of the test's choosing."""

    now = NOON

    def load(self, tenant_ids: Any, *, now: datetime | None = None, **asked: Any) -> Loaded:
        return super().load(tenant_ids, now=now or self.now, **asked)


@dataclass
class Books:
    """One tenant, computed by the real thing at chosen moments."""

    rows: Rows
    source: SourceAt
    writer: SnapshotWriter
    alerts: AlertKeeper
    keys: Keys
    client: redis.Redis
    memory: Memory = field(default_factory=Memory)

    def at(self, now: datetime) -> Board:
        """Recompute the tenant at that moment and look at its board."""
        self.source.now = now
        outcome = self.compute()
        assert outcome.status in ("changed", "unchanged"), outcome
        return self.board

    def compute(self, *, source: Source | None = None, writer: SnapshotWriter | None = None) -> Outcome:
        """Recompute the tenant, with another source or writer than the usual ones."""
        outcomes = recalculate(
            [self.rows.tenant_id],
            source=source or self.source,
            writer=writer or self.writer,
            alerts=self.alerts,
            memory=self.memory,
            now=lambda: datetime.now(UTC),
        )
        return outcomes[0]

    @property
    def board(self) -> Board:
        stored = AlertReader(self.client, self.keys).read(self.rows.tenant_id)
        assert stored is not None
        return stored.board

    @property
    def snapshot(self) -> Snapshot:
        body = SnapshotReader(self.client, self.keys).read(self.rows.tenant_id).snapshot
        assert body is not None
        return msgspec.json.decode(body, type=Snapshot)

    @property
    def history(self) -> list[tuple[str, str | None]]:
        found = self.rows.db.execute(
            "SELECT kind, by FROM dashboard.alert_event WHERE tenant_id = %s ORDER BY event_id", [self.rows.tenant_id]
        )
        return found.fetchall()

    def command(self, subject: str = "eva", command_id: str = "1") -> Command:
        return Command(tenant_id=self.rows.tenant_id, subject=subject, command_id=command_id)

    @contextmanager
    def noticed(self) -> Iterator[list[Notice]]:
        """The notices about alerts that are published meanwhile."""
        found: list[Notice] = []
        with self.client.pubsub() as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(self.keys.notices)
            channel.get_message(timeout=5)
            yield found
            self.client.publish(self.keys.notices, b'{"heartbeat":1}')
            while (notice := _next(channel)).heartbeat is None:
                found += [notice] if notice.alerts is not None else []


def _next(channel: Any) -> Notice:
    message = eventually(lambda: channel.get_message(timeout=1))
    return decode_notice(message["data"])


@pytest.fixture
def books(db: Db, engine: Engine, valkey: redis.Redis, keys: Keys) -> Books:
    """A tenant without alerts: yesterday was its first day, and nothing happens today."""
    return make_books(add_tenant(db, "t1"), engine, valkey, keys)


def make_books(rows: Rows, engine: Engine, client: redis.Redis, keys: Keys) -> Books:
    rows.close(TODAY - timedelta(days=1))
    return Books(rows, SourceAt(engine), SnapshotWriter(client, keys), AlertKeeper(engine, client, keys), keys, client)


def lose(books: Books, amount: int = 100) -> None:
    """Make today's profit negative."""
    books.rows.expense(TODAY, amount)


def recover(books: Books) -> None:
    books.rows.db.execute("DELETE FROM dashboard.expense")


def only(board: Board) -> BoardAlert:
    (alert,) = board.alerts
    return alert


def test_an_alert_lives_from_raised_to_reopened_under_one_id(books: Books) -> None:
    assert books.at(NOON).alerts == ()
    lose(books)
    raised = only(books.at(NOON + HOUR))
    assert (raised.level, raised.message, raised.provisional) == (
        "critical",
        "Today's profit is -100.00 USD so far.",
        True,
    )
    assert raised.raised_at == instant(NOON + HOUR)
    assert raised.state(raised.raised_at) == "open"

    lose(books, 50)
    worse = only(books.at(NOON + 2 * HOUR))
    assert msgspec.json.decode(worse.params) == {"value": -150, "threshold": 0, "currency": "USD"}
    assert (worse.rule, worse.message) == ("profit_floor", "Today's profit is -150.00 USD so far.")
    assert worse == msgspec.structs.replace(raised, message=worse.message, params=worse.params)
    recover(books)
    assert only(books.at(NOON + 3 * HOUR)).cleared_at == instant(NOON + 3 * HOUR)
    lose(books)
    again = only(books.at(NOON + 4 * HOUR))
    assert (again.id, again.cleared_at, again.reopened, again.raised_at) == (raised.id, None, True, raised.raised_at)
    assert [kind for kind, _ in books.history] == ["raised", "cleared", "reopened"]


def test_the_snapshot_says_when_each_of_its_alerts_was_raised(books: Books) -> None:
    lose(books)
    books.at(NOON)
    books.at(NOON + 5 * HOUR)
    assert [alert.timestamp for alert in books.snapshot.alerts] == [instant(NOON)]


def test_at_local_midnight_yesterdays_alert_ends_and_the_matter_is_raised_anew(
    db: Db, engine: Engine, valkey: redis.Redis, keys: Keys
) -> None:
    books = make_books(add_tenant(db, "ny", timezone="America/New_York"), engine, valkey, keys)
    for number in range(6):
        books.rows.invoice(TODAY - timedelta(days=60), 10, due_date=TODAY - timedelta(days=30 + number))
    midnight = datetime.combine(TODAY + timedelta(days=1), time(), ZoneInfo("America/New_York"))
    before = only(books.at(midnight - MILLISECOND))
    after = books.at(midnight)
    assert [(alert.id == before.id, alert.cleared_at) for alert in after.alerts] == [
        (False, None),
        (True, instant(midnight)),
    ]


def test_when_nothing_changes_nothing_is_written_and_nothing_is_told(books: Books, db: Db) -> None:
    lose(books)
    books.at(NOON)
    before = db.execute("SELECT revision, state, xmin FROM dashboard.alert_board").fetchall()
    with books.noticed() as notices:
        books.at(NOON + HOUR)
    assert notices == []
    assert db.execute("SELECT revision, state, xmin FROM dashboard.alert_board").fetchall() == before


def test_each_change_of_the_board_is_told_once_with_its_revision(books: Books) -> None:
    lose(books)
    with books.noticed() as notices:
        books.at(NOON)
        books.at(NOON)
        recover(books)
        books.at(NOON)
    assert [(notice.tenant, notice.alerts) for notice in notices] == [("t1", 1), ("t1", 2)]


def test_a_board_that_redis_lost_is_back_with_the_next_computation(books: Books) -> None:
    lose(books)
    before = books.at(NOON)
    books.client.delete(books.keys.alerts("t1"))
    with books.noticed() as notices:
        assert books.at(NOON) == before
    assert len(notices) == 1


def test_a_tenant_without_any_alert_has_an_empty_board(books: Books) -> None:
    assert books.at(NOON) == Board(alerts=(), subscriptions={})


def test_what_a_late_computation_saw_changes_no_alert(books: Books, engine: Engine) -> None:
    lose(books)
    books.at(NOON)
    late = books.source.load(["t1"])
    recover(books)
    books.at(NOON + HOUR)

    class Late(SourceAt):
        def load(self, tenant_ids: Any, *, now: datetime | None = None, **asked: Any) -> Loaded:
            return late

    # As a worker that was frozen between reading and writing.
    outcome = books.compute(source=Late(engine))
    assert outcome.status == "refused"
    assert only(books.board).cleared_at is not None


def test_a_late_judgement_is_refused_by_the_database_itself(books: Books) -> None:
    late = books.source.load(["t1"])
    lose(books)
    books.at(NOON)
    known = books.source.load(["t1"]).facts["t1"].alerts
    judged = {"t1": Judgement(today=TODAY, at=NOON, held=())}
    revisions = late.board_revisions
    assert books.alerts.judge(judged, known={"t1": known}, revisions=revisions, shown={}, state=late.state) == []
    assert only(books.board).cleared_at is None


def test_steps_follow_from_what_is_known_when_they_are_taken(books: Books, engine: Engine) -> None:
    """Somebody else has changed the tenant's alerts since they were read: a failure was told, which this one ends."""
    lose(books)
    books.at(NOON)
    lose(books)
    loaded = books.source.load(["t1"])
    books.alerts.fail("t1", since_ms=0)
    assert len(books.board.alerts) == 2

    class Before(SourceAt):
        def load(self, tenant_ids: Any, *, now: datetime | None = None, **asked: Any) -> Loaded:
            return loaded

    assert books.compute(source=Before(engine)).status == "changed"
    assert {alert.rule: (alert.cleared_at is None, alert.message) for alert in books.board.alerts} == {
        "profit_floor": (True, "Today's profit is -200.00 USD so far."),
        "computation_failing": (
            False,
            "Your numbers could not be brought up to date for ten minutes. What you see is older.",
        ),
    }


def test_a_judgement_that_a_later_quiet_computation_overtook_is_made_once_more(
    books: Books, db: Db, engine: Engine
) -> None:
    lose(books)
    late = books.source.load(["t1"])
    recover(books)
    db.execute("DELETE FROM dashboard.change")

    class Frozen(SourceAt):
        """Reads while the profit is negative; by the time it is heard, a later computation has found nothing at all."""

        def load(self, tenant_ids: Any, *, now: datetime | None = None, **asked: Any) -> Loaded:
            return late

    class Meanwhile(SnapshotWriter):
        def write(self, candidates: Any) -> Any:
            written = super().write(candidates)
            books.at(NOON)
            return written

    outcome = books.compute(source=Frozen(engine), writer=Meanwhile(books.client, books.keys))
    assert outcome.status == "changed"
    assert only(books.board).cleared_at is None  # wrong, for a moment
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("t1",)]
    assert only(books.at(NOON)).cleared_at is not None


def test_an_acknowledgement_stands_with_who_and_when_and_survives_a_reopening(books: Books) -> None:
    lose(books)
    alert = only(books.at(NOON))
    books.alerts.acknowledge(books.command("eva"), alert.id)
    seen = only(books.board)
    assert (seen.acknowledged_by, seen.state(alert.raised_at)) == ("eva", "acknowledged")
    books.alerts.acknowledge(books.command("adam", "2"), alert.id)
    assert only(books.board) == seen

    recover(books)
    books.at(NOON + HOUR)
    lose(books)
    assert only(books.at(NOON + 2 * HOUR)).state(alert.raised_at) == "acknowledged"
    assert books.history == [("raised", None), ("acknowledged", "eva"), ("cleared", None), ("reopened", None)]


def test_acknowledging_changes_no_snapshot(books: Books) -> None:
    lose(books)
    alert = only(books.at(NOON))
    before = SnapshotReader(books.client, books.keys).read("t1").version
    books.alerts.acknowledge(books.command(), alert.id)
    books.at(NOON)
    assert SnapshotReader(books.client, books.keys).read("t1").version == before
    assert [one.id for one in books.snapshot.alerts] == [alert.id]


def test_a_snoozed_alert_is_quiet_until_its_time_and_the_last_command_counts(books: Books) -> None:
    lose(books)
    alert = only(books.at(NOON))
    alerts = books.alerts
    alerts.snooze(books.command(), alert.id, NOON + HOUR)
    snoozed = only(books.board)
    assert [snoozed.state(moment) for moment in (instant(NOON + HOUR - MILLISECOND), instant(NOON + HOUR))] == [
        "snoozed",
        "open",
    ]
    alerts.acknowledge(books.command(command_id="2"), alert.id)
    assert (only(books.board).snoozed_until, only(books.board).acknowledged_by) == (None, "eva")
    alerts.snooze(books.command(command_id="3"), alert.id, NOON + HOUR)
    assert (only(books.board).snoozed_until, only(books.board).acknowledged_by) == (instant(NOON + HOUR), None)


def test_a_snooze_that_was_ended_on_a_later_day_is_not_taken_up_again(
    db: Db, engine: Engine, valkey: redis.Redis, keys: Keys
) -> None:
    books = make_books(add_tenant(db, "late"), engine, valkey, keys)
    for number in range(6):
        books.rows.invoice(TODAY - timedelta(days=60), 10, due_date=TODAY - timedelta(days=30 + number))
    days = [NOON + n * timedelta(days=1) for n in range(4)]

    def held(day: datetime) -> BoardAlert:
        (found,) = (alert for alert in books.at(day).alerts if alert.cleared_at is None)
        return found

    books.alerts.snooze(books.command(), held(days[0]).id, NOON + timedelta(days=10))
    second = held(days[1])
    assert second.state(instant(days[1])) == "snoozed"
    books.alerts.acknowledge(books.command(command_id="2"), second.id)
    third = held(days[2])
    assert third.state(instant(days[2])) == "open"
    # And the shorter of two snoozes, if it is the later one.
    books.alerts.snooze(books.command(command_id="3"), third.id, days[2] + HOUR)
    assert held(days[3]).state(instant(days[3])) == "open"


def test_a_command_delivered_twice_takes_effect_once_whatever_came_in_between(books: Books) -> None:
    lose(books)
    alert = only(books.at(NOON))
    alerts = books.alerts
    alerts.snooze(books.command(command_id="snooze"), alert.id, NOON + HOUR)
    alerts.acknowledge(books.command(command_id="acknowledge"), alert.id)
    alerts.snooze(books.command(command_id="snooze"), alert.id, NOON + HOUR)
    assert only(books.board).acknowledged_by == "eva"
    assert [kind for kind, _ in books.history] == ["raised", "snoozed", "acknowledged"]


def test_commands_on_an_unknown_or_a_foreign_alert_do_nothing(books: Books, db: Db, engine: Engine) -> None:
    lose(books)
    alert = only(books.at(NOON))
    other = make_books(add_tenant(db, "t2"), engine, books.client, books.keys)
    other.at(NOON)
    for alert_id in (alert.id, "nothing"):
        other.alerts.acknowledge(other.command(), alert_id)
        other.alerts.snooze(other.command(command_id="2"), alert_id, NOON + HOUR)
    assert other.board.alerts == ()
    assert only(books.board) == alert


def test_a_subscription_is_kept_per_person_on_the_board(books: Books) -> None:
    books.at(NOON)
    alerts = books.alerts
    alerts.subscribe("t1", "eva", ["critical"], None)
    alerts.subscribe("t1", "adam", None, ["Daily Profit"])
    with books.noticed() as notices:
        alerts.subscribe("t1", "adam", None, ["Daily Profit"])
    assert notices == []
    assert books.board.subscriptions == {
        "eva": Subscription(levels=("critical",)),
        "adam": Subscription(metrics=("Daily Profit",)),
    }


def test_a_failing_computation_is_told_then_critical_then_over(books: Books, engine: Engine) -> None:
    now = datetime.now(UTC)
    books.at(now)
    books.alerts.fail("t1", since_ms=int(now.timestamp() * 1000))
    trouble = next(alert for alert in books.board.alerts if alert.metric == "System")
    assert (trouble.level, trouble.action_required) == ("warning", True)
    books.alerts.fail("t1", since_ms=int((now - 10 * HOUR / 60).timestamp() * 1000))
    assert next(alert for alert in books.board.alerts if alert.id == trouble.id).level == "critical"

    board = books.at(datetime.now(UTC))
    system = {(alert.level, alert.cleared_at is None) for alert in board.alerts if alert.metric == "System"}
    assert system == {("critical", False), ("info", True)}
    assert ("info", "System") in {(alert.level, alert.metric) for alert in books.snapshot.alerts}
    for later in (timedelta(seconds=1), 2 * HOUR):
        assert disagreements(engine, ["t1"], datetime.now(UTC) + later) == {}


def test_rows_that_cannot_be_computed_are_told_to_the_tenant(books: Books, db: Db) -> None:
    books.at(NOON)
    db.execute("ALTER TABLE dashboard.invoice ALTER total TYPE numeric")
    db.execute("ALTER TABLE dashboard.invoice RENAME TO kept")
    db.execute(
        "CREATE VIEW dashboard.invoice AS SELECT tenant_id, 'i' AS invoice_id, NULL::text AS client_id, 'invoice' AS kind,"
        " 'posted' AS status, current_date AS issue_date, current_date AS due_date, 'USD' AS currency,"
        " 'NaN'::numeric AS total, 0::numeric AS tax, 'NaN'::numeric AS balance, NULL::numeric AS base_rate,"
        " NULL::date AS written_off_on, now() AS created_at, now() AS updated_at FROM dashboard.tenant"
    )
    assert books.compute().status == "failed"
    assert [(alert.level, alert.metric) for alert in books.board.alerts] == [("warning", "System")]
    assert SnapshotReader(books.client, books.keys).read("t1").failing is not None


def test_a_tenant_that_is_gone_has_no_board(books: Books, db: Db) -> None:
    books.at(NOON)
    db.execute("DELETE FROM dashboard.tenant")
    assert books.compute().status == "unknown"
    assert AlertReader(books.client, books.keys).read("t1") is None
    books.alerts.fail("t1", since_ms=0)
    assert AlertReader(books.client, books.keys).read("t1") is None


def test_cleared_alerts_are_forgotten_with_their_history_after_thirty_days(books: Books, db: Db) -> None:
    for days_ago in (29, 31):
        books.rows.insert("alert", {
            "alert_id": str(days_ago), "rule": "r", "subject": "s", "local_date": TODAY, "level": "info", "message": "m",
            "metric": "System", "action_required": False, "provisional": False,
            "raised_at": datetime.now(UTC) - timedelta(days=days_ago),
            "cleared_at": datetime.now(UTC) - timedelta(days=days_ago),
        })  # fmt: skip
        books.rows.insert("alert_event", {"alert_id": str(days_ago), "kind": "raised", "at": NOON, "level": "info"})
    books.alerts.show(["t1"])
    assert [alert.id for alert in books.board.alerts] == ["29"]
    assert books.alerts.forget_old() == 1
    assert db.execute("SELECT alert_id FROM dashboard.alert_event").fetchall() == [("29",)]


def test_a_tenants_threshold_is_effective_at_its_next_recalculation(books: Books, db: Db) -> None:
    books.rows.invoice(TODAY, 100)
    assert books.at(NOON).alerts == ()
    db.execute("DELETE FROM dashboard.change")
    books.rows.insert("threshold", {"rule": "profit_floor", "value": Decimal("100.01")})
    assert db.execute("SELECT tenant_id FROM dashboard.change").fetchall() == [("t1",)]
    assert only(books.at(NOON)).message == "Today's profit is 100.00 USD so far."
    db.execute("DELETE FROM dashboard.threshold")
    assert only(books.at(NOON)).cleared_at is not None


def test_thresholds_see_what_the_rows_say_in_both_calculations(books: Books, engine: Engine) -> None:
    for rule, value in (
        ("overdue_amount", 100), ("large_overdue_invoice", 90), ("cash_below", 0), ("quote_expiring", 3),
        ("monthly_revenue_target", 500),
    ):  # fmt: skip
        books.rows.insert("threshold", {"rule": rule, "value": value})
    books.rows.invoice(TODAY - timedelta(days=40), 60, due_date=TODAY - timedelta(days=10))
    largest = books.rows.invoice(TODAY - timedelta(days=40), 90, due_date=TODAY - timedelta(days=10))
    books.rows.refund(TODAY, 1)
    books.rows.quote("sent", TODAY, expiry_date=TODAY + timedelta(days=3))
    books.rows.quote("sent", TODAY, expiry_date=TODAY + timedelta(days=4))
    books.rows.invoice(TODAY.replace(day=1), 300)
    books.rows.invoice(TODAY, 200)
    assert {alert.message for alert in books.at(NOON).alerts} == {
        "150.00 USD are overdue, more than 100.00 USD.",
        f"The largest overdue invoice is {largest}: 90.00 USD.",
        "Today's cash flow is -1.00 USD so far, below 0.00 USD.",
        "1 open quote expires within 3 days.",
        "This month's revenue has reached its target: 500.00 USD of 500.00 USD.",
    }
    assert disagreements(engine, ["t1"], NOON) == {}


@pytest.mark.parametrize("rule", sorted(LIMITS))
def test_the_database_and_the_settings_agree_on_which_thresholds_make_sense(db: Db, rule: str) -> None:
    limit = LIMITS[rule]
    step = Decimal(1) if limit.whole else Decimal("0.0001")
    rows = add_tenant(db)
    for value in (
        limit.low, limit.high, limit.low - step, limit.high + step, limit.low + step, limit.low + step / 2,
        Decimal("NaN"), Decimal("Infinity"),
    ):  # fmt: skip
        try:
            rows.insert("threshold", {"rule": rule, "value": value})
            stored = True
            db.execute("DELETE FROM dashboard.threshold")
        except psycopg.errors.CheckViolation:
            stored = False
        try:
            fits = threshold(rule, str(value)) == value
        except ValueError:
            fits = False
        assert stored is fits, value


def test_a_rule_that_does_not_exist_has_no_threshold(db: Db) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        add_tenant(db).insert("threshold", {"rule": "weather", "value": 1})


def test_alerts_are_counted_by_rule_and_level_and_their_times_measured(books: Books) -> None:
    lose(books)
    alert = only(books.at(NOON))
    books.alerts.acknowledge(books.command(), alert.id)
    recover(books)
    books.at(NOON + 2 * HOUR)
    counted = Counted(books.client.hgetall(books.keys.metrics))
    assert counted.by_value(ALERTS_BY_RULE)["profit_floor"] == 1
    assert counted.by_value(ALERTS_BY_LEVEL) == {"critical": 1, "warning": 0, "success": 0, "info": 0}
    assert counted.observed(ACKNOWLEDGED).buckets[-1] == ("+Inf", 1)
    assert counted.observed(RESOLVED).sum == 7200
    assert dict(counted.observed(RESOLVED).buckets)["3600"] == 0
    assert dict(counted.observed(RESOLVED).buckets)["14400"] == 1
