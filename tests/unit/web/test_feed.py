"""What a notification socket tells its client: each thing once, nothing open left out, the most severe first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.alerts import LEVELS, METRICS, AlertView, Board, BoardAlert, Subscription
from shared.snapshot import DASHBOARD, METRIC_NAMES, SYSTEM, Level
from web.alerts.feed import AlertFeed
from web.alerts.messages import AlertMessage, AlertNew, AlertUpdated

T = [f"2026-03-11T12:00:0{second}.000Z" for second in range(10)]
PROFIT: Final = "Daily Profit"
OVERDUE: Final = "Overdue Invoices"


def alert(name: str = "a", level: Level = "warning", **fields: Any) -> BoardAlert:
    given = {"message": "m", "metric": OVERDUE, "action_required": True, "raised_at": T[0]}
    return BoardAlert(id=name, level=level, **{**given, **fields})


def board(*alerts: BoardAlert, **subscriptions: Subscription) -> Board:
    return Board(alerts=alerts, subscriptions=subscriptions)


@dataclass
class Client:
    """A client that reads everything, and what it therefore shows."""

    feed: AlertFeed = field(default_factory=lambda: AlertFeed("eva"))
    shown: dict[str, AlertView] = field(default_factory=dict)

    def sees(self, now_board: Board, now: str = T[1]) -> list[str]:
        """What it is told of this board: kind and id, with a ~ where it is a replay."""
        self.feed.look(now_board, now)
        return [words(message) for message in self.rest()]

    def rest(self) -> list[AlertMessage]:
        told = []
        for level in LEVELS:
            while messages := self.feed.take(level):
                told += messages
        for message in told:
            if message.alert.state == "open":
                self.shown[message.alert.id] = message.alert
            else:
                self.shown.pop(message.alert.id, None)
        return told


def words(message: AlertMessage) -> str:
    kind = type(message).__name__.removeprefix("Alert").lower()
    return f"{kind} {message.alert.id}{'~' if isinstance(message, AlertNew) and message.replay else ''}"


def test_on_connect_the_open_ones_are_replayed_the_most_severe_first() -> None:
    there = board(
        alert("i", "info"),
        alert("w"),
        alert("done", cleared_at=T[1]),
        alert("seen", "critical", acknowledged_at=T[1], acknowledged_by="adam"),
        alert("later", "critical", snoozed_until=T[5]),
        alert("c", "critical"),
    )
    client = Client()
    assert client.sees(there) == ["new c~", "new w~", "new i~"]
    assert client.sees(there) == []


def test_what_comes_later_is_no_replay_and_is_told_once() -> None:
    client = Client()
    assert client.sees(board()) == []
    assert client.sees(board(alert())) == ["new a"]
    assert client.sees(board(alert())) == []
    assert client.sees(board(alert(message="7 overdue"))) == ["updated a"]
    assert client.sees(board(alert(message="7 overdue", cleared_at=T[1]))) == ["cleared a"]
    assert client.sees(board(alert(message="7 overdue", cleared_at=T[1]))) == []
    assert client.sees(board(alert(reopened=True))) == ["updated a"]


def test_what_was_reopened_while_connected_is_never_new() -> None:
    client = Client()
    assert client.sees(board(alert(cleared_at=T[0]))) == []
    assert client.sees(board(alert(reopened=True))) == ["updated a"]


def test_an_acknowledgement_is_heard_by_all_also_of_what_was_never_seen_open() -> None:
    acknowledged = alert(acknowledged_at=T[1], acknowledged_by="adam")
    client = Client()
    assert client.sees(board(alert())) == ["new a~"]
    assert client.sees(board(acknowledged)) == ["acknowledged a"]
    late = Client()
    assert late.sees(board()) == []
    assert late.sees(board(acknowledged)) == ["acknowledged a"]


def test_several_steps_between_two_looks_end_in_the_newest_state() -> None:
    client = Client()
    client.sees(board(alert()))
    both = alert(acknowledged_at=T[1], acknowledged_by="adam", cleared_at=T[2])
    assert client.sees(board(both)) == ["acknowledged a", "cleared a"]
    assert Client().sees(board(both)) == []
    other = Client()
    other.sees(board())
    assert other.sees(board(alert(cleared_at=T[1]))) == []


def test_a_snooze_ends_by_the_clock_alone() -> None:
    snoozed = board(alert(snoozed_until=T[5]))
    client = Client()
    assert client.sees(snoozed, T[1]) == []
    assert client.feed.wake_at == T[5]
    assert client.sees(snoozed, T[4]) == []
    assert client.sees(snoozed, T[5]) == ["updated a"]
    assert client.shown["a"].state == "open"
    assert client.feed.wake_at is None


def test_a_snooze_is_told_and_told_again_when_it_is_prolonged() -> None:
    client = Client()
    client.sees(board(alert()))
    assert client.sees(board(alert(snoozed_until=T[5]))) == ["snoozed a"]
    assert client.sees(board(alert(snoozed_until=T[6]))) == ["snoozed a"]


def test_a_critical_alert_overtakes_those_that_wait() -> None:
    waiting = [alert(f"i{number}", "info") for number in range(3)]
    client = Client()
    client.feed.look(board(*waiting), T[1])
    assert [words(message) for message in client.feed.take("info")] == ["new i0~"]
    assert client.sees(board(alert("c", "critical"), *waiting)) == ["new c", "new i1~", "new i2~"]


@pytest.mark.parametrize(
    ("subscription", "told"),
    [
        (Subscription(levels=("critical",)), ["new c~"]),
        (Subscription(metrics=(OVERDUE,)), ["new w~"]),
        (Subscription(levels=("critical",), metrics=(OVERDUE,)), []),
        (Subscription(levels=(), metrics=(OVERDUE,)), []),
        (Subscription(), ["new c~", "new w~"]),
    ],
)
def test_a_subscription_must_match_in_level_and_metric(subscription: Subscription, told: list[str]) -> None:
    there = board(alert("c", "critical", metric=PROFIT), alert("w"), eva=subscription, adam=Subscription(levels=()))
    assert Client().sees(there) == told


def test_a_wider_subscription_lets_in_what_is_open_and_a_narrower_one_takes_nothing_back() -> None:
    client = Client()
    alerts = (alert("c", "critical"), alert("w"))
    narrow = Subscription(levels=("critical",))
    assert client.sees(board(*alerts, eva=narrow)) == ["new c~"]
    assert client.feed.look(board(*alerts), T[1]) == Subscription()
    assert [words(message) for message in client.rest()] == ["new w~"]
    assert client.feed.look(board(*alerts, eva=narrow), T[1]) == narrow
    assert client.rest() == []
    assert client.sees(board(alert("c", "critical"), alert("w", message="7"), eva=narrow)) == []


def test_an_alert_that_becomes_severe_enough_is_new_to_who_did_not_hear_of_it() -> None:
    client = Client()
    only_critical = Subscription(levels=("critical",))
    assert client.sees(board(alert(), eva=only_critical)) == []
    assert client.sees(board(alert(level="critical"), eva=only_critical)) == ["new a"]


def test_who_acknowledges_hears_of_it_whatever_the_subscription_says() -> None:
    client = Client()
    none = Subscription(levels=())
    assert client.sees(board(alert(), eva=none)) == []
    client.feed.expect("a")
    done = alert(acknowledged_at=T[1], acknowledged_by="eva")
    assert client.sees(board(done, eva=none)) == ["acknowledged a"]
    assert client.sees(board(replace(done, message="7"), eva=none)) == []


def test_what_the_database_does_not_know_any_more_is_over() -> None:
    client = Client()
    client.sees(board(alert()))
    assert client.sees(board()) == ["cleared a"]
    assert client.sees(board()) == []


def test_the_metrics_that_alerts_may_be_about_are_those_of_the_snapshot() -> None:
    assert (*METRIC_NAMES, SYSTEM, DASHBOARD) == METRICS
    assert set(LEVELS) == set(get_args(Level))


ALERTS = st.builds(
    alert,
    name=st.sampled_from("abc"),
    level=st.sampled_from(LEVELS),
    message=st.sampled_from(["1", "2"]),
    reopened=st.booleans(),
    cleared_at=st.sampled_from([None, None, T[0]]),
    acknowledged_at=st.sampled_from([None, None, T[0], T[1]]),
    snoozed_until=st.sampled_from([None, None, T[3], T[6]]),
)
BOARDS = st.lists(ALERTS, max_size=3, unique_by=lambda one: one.id).map(lambda alerts: board(*alerts))


@given(st.lists(BOARDS, min_size=1, max_size=10), st.data())
def test_whatever_happens_and_is_missed_the_client_ends_with_what_is_open(boards: list[Board], data: Any) -> None:
    client = Client()
    for number, now_board in enumerate(boards):
        now = T[number]
        if data.draw(st.booleans()):
            client.sees(now_board, now)
            continue
        # A slow reader: some of it is read, the rest is overtaken by the next board.
        client.feed.look(now_board, now)
        for level in LEVELS[: data.draw(st.integers(0, 4))]:
            for message in client.feed.take(level):
                client.shown[message.alert.id] = message.alert
    final = [one.view(T[9]) for one in boards[-1].alerts]
    client.sees(boards[-1], T[9])
    open_now = {view.id: view for view in final if view.state == "open"}
    assert {name: view for name, view in client.shown.items() if view.state == "open"} == open_now
    assert client.sees(boards[-1], T[9]) == []


def test_an_update_is_of_something_that_was_told_before() -> None:
    client = Client()
    client.feed.look(board(alert()), T[1])
    assert all(not isinstance(message, AlertUpdated) for message in client.rest())
