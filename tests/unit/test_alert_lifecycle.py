"""What becomes of alerts when their rules are judged: told once, never twice. SPEC 4, Alerts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.snapshot import Alert, Level, instant
from workers.alerts.lifecycle import Change, Judgement, changes, failing
from workers.facts import KnownAlert
from workers.kpi.alerts import Held, alert_id

MONDAY = date(2026, 3, 9)
TUESDAY = MONDAY + timedelta(days=1)
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def held(
    rule: str = "overdue_count", *, day: date = MONDAY, level: Level = "warning", message: str = "6 overdue"
) -> Held:
    alert = Alert(
        id=alert_id("t", rule, "x", day), level=level, message=message, metric="x", action_required=True,
        timestamp=instant(NOON),
    )  # fmt: skip
    return Held(rule=rule, subject="x", alert=alert)


def judged(*holding: Held, at: datetime = NOON, today: date = MONDAY) -> Judgement:
    return Judgement(today=today, at=at, held=holding)


def after(known: list[KnownAlert], steps: list[Change]) -> list[KnownAlert]:
    """What is kept once the steps are taken."""
    kept = {alert.alert_id: alert for alert in known} | {step.alert.alert_id: step.alert for step in steps}
    return list(kept.values())


def taken(known: list[KnownAlert], judgement: Judgement) -> tuple[list[str], list[KnownAlert]]:
    steps = changes(known, judgement)
    return [step.kind for step in steps], after(known, steps)


def test_an_alert_is_raised_once_and_then_nothing_changes() -> None:
    kinds, known = taken([], judged(held()))
    assert kinds == ["raised"]
    assert known[0].raised_at == NOON
    assert taken(known, judged(held(), at=NOON + HOUR)) == ([], known)


def test_a_new_number_updates_it_and_the_id_stays() -> None:
    _, known = taken([], judged(held()))
    kinds, now = taken(known, judged(held(message="7 overdue"), at=NOON + HOUR))
    assert kinds == ["updated"]
    assert now == [replace(known[0], message="7 overdue")]


def test_only_another_level_is_worth_a_line_in_the_history() -> None:
    _, known = taken([], judged(held()))
    assert [step.relevelled for step in changes(known, judged(held(message="7 overdue")))] == [False]
    assert [step.relevelled for step in changes(known, judged(held(level="critical")))] == [True]


def test_it_clears_when_its_rule_is_false_and_is_reopened_on_the_same_day() -> None:
    _, known = taken([], judged(held()))
    kinds, known = taken(known, judged(at=NOON + HOUR))
    assert (kinds, known[0].cleared_at) == (["cleared"], NOON + HOUR)
    assert taken(known, judged(at=NOON + 2 * HOUR)) == ([], known)
    kinds, known = taken(known, judged(held(), at=NOON + 3 * HOUR))
    assert (kinds, known[0].cleared_at, known[0].raised_at) == (["reopened"], None, NOON)


def test_at_local_midnight_yesterdays_end_and_what_holds_is_raised_anew() -> None:
    _, known = taken([], judged(held()))
    midnight = NOON + 12 * HOUR
    kinds, known = taken(known, judged(held(day=TUESDAY), at=midnight, today=TUESDAY))
    assert sorted(kinds) == ["cleared", "raised"]
    assert {(alert.local_date, alert.cleared_at) for alert in known} == {(MONDAY, midnight), (TUESDAY, None)}


def test_a_snooze_over_midnight_holds_for_the_new_days_alert_until_it_runs_out() -> None:
    _, known = taken([], judged(held(), held("profit_floor")))
    until = NOON + 24 * HOUR
    known = [replace(alert, snoozed_until=until) if alert.rule == "overdue_count" else alert for alert in known]
    midnight = NOON + 12 * HOUR
    again = (held(day=TUESDAY), held("profit_floor", day=TUESDAY))
    steps = changes(known, judged(*again, at=midnight, today=TUESDAY))
    raised = {step.alert.rule: step.alert.snoozed_until for step in steps if step.kind == "raised"}
    assert raised == {"overdue_count": until, "profit_floor": None}
    late = changes(known, judged(*again, at=until, today=TUESDAY))
    assert {step.alert.snoozed_until for step in late if step.kind == "raised"} == {None}


def test_nothing_ends_before_it_began_although_a_clock_went_back() -> None:
    _, known = taken([], judged(held()))
    _, known = taken(known, judged(at=NOON - HOUR))
    assert known[0].cleared_at == known[0].raised_at


def test_a_failing_computation_is_a_warning_then_critical_and_leaves_the_rest_alone() -> None:
    _, known = taken([], judged(held()))
    steps = failing("t", known, today=MONDAY, since=NOON, at=NOON)
    assert [(step.kind, step.alert.rule, step.alert.level) for step in steps] == [
        ("raised", "computation_failing", "warning")
    ]
    known = after(known, steps)
    assert failing("t", known, today=MONDAY, since=NOON, at=NOON + timedelta(minutes=9)) == []
    steps = failing("t", known, today=MONDAY, since=NOON, at=NOON + timedelta(minutes=10))
    assert [(step.kind, step.alert.level, step.relevelled) for step in steps] == [("updated", "critical", True)]


def test_a_failing_computation_ends_yesterdays_alerts_and_the_news_of_a_recovery() -> None:
    _, known = taken([], judged(held(), held("computation_recovered", day=TUESDAY)))
    known = [replace(alert, local_date=TUESDAY) if alert.rule == "computation_recovered" else alert for alert in known]
    steps = failing("t", known, today=TUESDAY, since=NOON, at=NOON + 14 * HOUR)
    assert {(step.kind, step.alert.rule) for step in steps} == {
        ("raised", "computation_failing"),
        ("cleared", "overdue_count"),
        ("cleared", "computation_recovered"),
    }


RULE_SETS = st.lists(st.frozensets(st.sampled_from(["a", "b", "c", "d"])), max_size=12)


@given(RULE_SETS)
def test_after_any_history_exactly_what_holds_is_open_and_each_was_raised_once(days: list[frozenset[str]]) -> None:
    known: list[KnownAlert] = []
    raised: list[str] = []
    for number, rules in enumerate(days):
        day = MONDAY + timedelta(days=number // 4)
        judgement = judged(*(held(rule, day=day) for rule in sorted(rules)), at=NOON + number * 6 * HOUR, today=day)
        steps = changes(known, judgement)
        raised += [step.alert.alert_id for step in steps if step.kind == "raised"]
        known = after(known, steps)
        assert {alert.rule for alert in known if alert.cleared_at is None} == rules
        assert changes(known, judgement) == []
    assert len(raised) == len(set(raised))
