"""What the clients of one tenant are told: a snapshot to whom it is news or who asked, a status when it changes."""

from __future__ import annotations

from shared.versions import Version
from web.live.freshness import FRESH, Staleness
from web.live.mailbox import Mailbox, Update
from web.live.snapshots import Audience


def _update(version: Version) -> Update:
    return Update(version, False, b'{"user_id":"a"}')


def _joined(audience: Audience) -> Mailbox:
    mailbox = Mailbox("a", None, request=lambda _: None, close=audience.mailboxes.discard)
    audience.mailboxes.add(mailbox)
    return mailbox


def test_a_version_that_clients_have_is_delivered_only_to_those_who_asked() -> None:
    audience = Audience()
    asking, waiting = _joined(audience), _joined(audience)
    waiting.wanting = False
    audience.deliver(_update(Version("e", 1)), everyone=False)

    assert asking.take() == _update(Version("e", 1))
    assert waiting.take() is None


def test_news_is_delivered_to_everyone() -> None:
    audience = Audience()
    mailboxes = [_joined(audience) for _ in range(3)]
    mailboxes[0].wanting = False
    audience.deliver(_update(Version("e", 2)), everyone=True)

    assert [mailbox.take() for mailbox in mailboxes] == [_update(Version("e", 2))] * 3


def test_a_status_is_told_once_and_again_when_its_reason_changes() -> None:
    audience = Audience()
    mailbox = _joined(audience)
    told = []
    for staleness in (
        FRESH,
        Staleness(stale=True, since_ms=1, reason="redis_unavailable"),
        Staleness(stale=True, since_ms=2, reason="redis_unavailable"),
        Staleness(stale=True, since_ms=3, reason="workers_silent"),
        FRESH,
    ):
        audience.announce(staleness)
        told.append(mailbox.take())

    assert [t.reason if isinstance(t, Staleness) else "nothing" for t in told] == [
        "nothing", "redis_unavailable", "nothing", "workers_silent", None,
    ]  # fmt: skip
