"""What clients of a process are given never goes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.versions import Version
from web.live.freshness import FRESH, Staleness
from web.live.mailbox import Subscription, Update
from web.live.replica import Watched


def _update(version: Version) -> Update:
    return Update.of(b'{"user_id":"a"}', version, stale=False)


def _subscribed(watched: Watched) -> Subscription:
    subscription = Subscription("a", request=lambda _: None, close=watched.subscriptions.discard)
    watched.subscriptions.add(subscription)
    return subscription


versions = st.builds(Version, st.sampled_from(["e1", "e2", "e3"]), st.integers(1, 6))


@given(st.lists(versions, max_size=40))
def test_within_an_epoch_revisions_only_rise_whatever_the_store_says(readings: list[Version]) -> None:
    watched, seen = Watched("a"), []
    for version in readings:
        if watched.seen_beyond(version) is None and watched.hold(_update(version)):
            seen.append(version)

    for epoch in ("e1", "e2", "e3"):
        revisions = [v.revision for v in seen if v.epoch == epoch]
        assert revisions == sorted(revisions)


@given(st.lists(versions, min_size=1, max_size=40))
def test_a_reading_that_is_not_behind_is_held(readings: list[Version]) -> None:
    watched = Watched("a")
    for version in readings:
        if watched.seen_beyond(version) is None:
            watched.hold(_update(version))
            assert watched.version == version


def test_a_version_that_clients_have_is_delivered_only_to_those_who_asked() -> None:
    watched = Watched("a")
    asking, waiting = _subscribed(watched), _subscribed(watched)
    waiting.wanting = False
    watched.hold(_update(Version("e", 1)))
    watched.deliver(everyone=False, stale=False)

    assert asking.take() == _update(Version("e", 1))
    assert waiting.take() is None


def test_a_status_is_told_once_and_again_when_its_reason_changes() -> None:
    watched = Watched("a")
    subscription = _subscribed(watched)
    told = []
    for staleness in (
        FRESH,
        Staleness(stale=True, since_ms=1, reason="redis_unavailable"),
        Staleness(stale=True, since_ms=2, reason="redis_unavailable"),
        Staleness(stale=True, since_ms=3, reason="workers_silent"),
        FRESH,
    ):
        watched.announce(staleness)
        told.append(subscription.take())

    assert [t.reason if isinstance(t, Staleness) else "nothing" for t in told] == [
        "nothing", "redis_unavailable", "nothing", "workers_silent", None,
    ]  # fmt: skip
