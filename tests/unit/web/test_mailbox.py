"""What waits for a client: one snapshot and one status, and frames that are made once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pytest

from shared.versions import Version
from shared.views import View
from web.live.freshness import Staleness
from web.live.mailbox import Mailbox, Update


def _update(revision: int, *, stale: bool = False, size: int = 0) -> Update:
    return Update(Version("e", revision), stale, b'{"user_id":"a","pad":"%s"}' % (b"x" * size))


def _mailbox() -> Mailbox:
    return Mailbox("a", None, request=lambda _: None, close=lambda _: None)


@pytest.mark.parametrize("size", [0, 60, 61, 62, 63, 200, 65_400, 65_500, 70_000])
def test_an_update_is_a_whole_frame_around_the_served_snapshot(size: int) -> None:
    update = _update(7, size=size)
    frame = update.message.plain
    payload = frame[{126: 4, 127: 10}.get(frame[1], 2) :]

    snapshot = {"version": "e-7", "stale": False, "user_id": "a", "pad": "x" * size}
    assert json.loads(payload) == {"type": "dashboard.update", "data": snapshot}
    assert json.loads(update.body) == snapshot
    length = {126: int.from_bytes(frame[2:4]), 127: int.from_bytes(frame[2:10])}
    assert length.get(frame[1], frame[1]) == len(payload)


def test_an_update_is_marked_stale_and_fresh_again() -> None:
    fresh = _update(7)
    stale = fresh.marked(stale=True)

    assert json.loads(stale.body) == {"version": "e-7", "stale": True, "user_id": "a", "pad": ""}
    assert stale.marked(stale=False) == fresh
    assert fresh.marked(stale=False) is fresh
    assert fresh.marked(stale=True) is stale, "or everybody who asks while it is stale has it compressed anew"


def test_each_form_of_an_update_is_made_once() -> None:
    update = _update(7)
    assert update.message is update.message
    assert update.body is update.body
    assert update.compressed is update.compressed
    assert gzip.decompress(update.compressed) == update.body


def test_a_slow_client_gets_only_the_newest_snapshot_and_the_newest_status() -> None:
    mailbox = _mailbox()
    for revision in range(1, 100):
        mailbox.post(_update(revision))
    mailbox.post_status(Staleness(stale=True, reason="late"))
    mailbox.post_status(Staleness(stale=False))

    assert mailbox.take() == _update(99)
    assert mailbox.take() == Staleness(stale=False)
    assert mailbox.take() is None


def test_whatever_is_posted_wakes_the_client() -> None:
    posts: tuple[Callable[[Mailbox], object], ...] = (
        lambda s: s.post(_update(1)),
        lambda s: s.post_status(Staleness(stale=False)),
        lambda s: s.end(),
    )
    for post in posts:
        mailbox = _mailbox()
        post(mailbox)
        assert mailbox.wake.is_set()


def test_all_who_have_a_view_share_what_was_cut_for_the_first() -> None:
    body = b'{"performance_score":1,"score":{},"metrics":[],"alerts":[]}'
    update = Update(Version("e", 1), False, body)
    views = [View(name="few"), View(name="few"), View(name="others", score=True)]
    boxes = [Mailbox("a", view, request=lambda _: None, close=lambda _: None) for view in views]
    for box in boxes:
        box.post(update)
    one, other, third = (box.take() for box in boxes)
    assert one is other
    assert isinstance(one, Update)
    assert isinstance(third, Update)
    assert one.message is other.message  # type: ignore[union-attr]
    assert (one.etag, third.etag) == ("e-1.few", "e-1.others")
    assert update.through(None) is update
