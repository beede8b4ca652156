"""Snapshots in Redis: versions only rise, older database states are refused, notices say what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.alert_store import AlertWriter, BoardCandidate
from shared.alerts import Board
from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.redis_client import connect
from shared.scripts import run_for_each
from shared.store import ABSENT, Candidate, SnapshotReader, SnapshotWriter, SourceState
from shared.versions import BoardVersion, Version


def candidate(digest: str = "a", *, state: int = 1, as_of_ms: int = 1000, lineage: str = "7/1") -> Candidate:
    return Candidate(
        tenant_id="t1",
        source=SourceState(lineage=lineage, state=state, as_of_ms=as_of_ms),
        digest=digest,
        snapshot=f'{{"content":"{digest}"}}'.encode(),
        overview=b"{}",
    )


@pytest.fixture
def writer(valkey: redis.Redis, keys: Keys) -> SnapshotWriter:
    return SnapshotWriter(valkey, keys)


@pytest.fixture
def reader(valkey: redis.Redis, keys: Keys) -> SnapshotReader:
    return SnapshotReader(valkey, keys)


@pytest.fixture
def notices(valkey: redis.Redis, keys: Keys) -> Iterator[redis.client.PubSub]:
    with valkey.pubsub() as channel:  # type: ignore[no-untyped-call]
        channel.subscribe(keys.notices)
        assert channel.get_message(timeout=5)["type"] == "subscribe"
        yield channel


def received(notices: redis.client.PubSub) -> list[dict[str, object]]:
    """What has been published so far, but for when: all of it precedes an answer that we ask for afterwards."""
    messages = raw(notices)
    for message in messages:
        assert ("at" in message) == ("version" in message)
        message.pop("at", None)
    return messages


def raw(notices: redis.client.PubSub) -> list[dict[str, object]]:
    notices.ping()
    messages = []
    while (message := notices.get_message(timeout=5)) and message["type"] != "pong":
        messages.append(json.loads(message["data"]))
    return messages


def test_a_notice_says_when_it_was_written_by_the_clock_of_redis(
    writer: SnapshotWriter, valkey: redis.Redis, notices: redis.client.PubSub
) -> None:
    def redis_ms() -> int:
        seconds, microseconds = valkey.time()
        return int(seconds * 1000 + microseconds // 1000)

    before = redis_ms()
    writer.write([candidate()])
    (notice,) = raw(notices)
    assert isinstance(notice["at"], int)
    assert before <= notice["at"] <= redis_ms()


def test_first_snapshot_is_revision_one_of_a_new_epoch(writer: SnapshotWriter, reader: SnapshotReader) -> None:
    (written,) = writer.write([candidate()])

    assert written.verdict == "changed"
    assert written.version is not None
    assert written.version.revision == 1
    assert reader.read("t1").version == written.version
    assert reader.read("t1").snapshot == b'{"content":"a"}'
    assert reader.versions(["t1", "nobody"]) == [written.version, None]


def test_changed_content_raises_the_revision_by_one_and_publishes(
    writer: SnapshotWriter, notices: redis.client.PubSub
) -> None:
    first, second = writer.write([candidate("a"), candidate("b", state=2)])

    assert first.version is not None
    assert second.version == Version(first.version.epoch, 2)
    assert received(notices) == [
        {"tenant": "t1", "version": str(first.version)},
        {"tenant": "t1", "version": str(second.version)},
    ]


def test_unchanged_content_is_refreshed_in_place_without_a_notice(
    writer: SnapshotWriter, reader: SnapshotReader, notices: redis.client.PubSub
) -> None:
    (first,) = writer.write([candidate("a")])
    received(notices)

    (again,) = writer.write([replace(candidate("a", state=5, as_of_ms=2000), snapshot=b'{"timestamp":2}')])

    assert again.verdict == "unchanged"
    assert again.version == first.version
    assert reader.read("t1").snapshot == b'{"timestamp":2}'
    assert reader.read("t1").as_of_ms == 2000
    assert received(notices) == []


def test_a_write_says_which_board_is_held_beside_the_snapshot(
    writer: SnapshotWriter, valkey: redis.Redis, keys: Keys
) -> None:
    state = SourceState(lineage="7/1", state=1, as_of_ms=1000)
    (first,) = writer.write([candidate(state=2)])
    AlertWriter(valkey, keys).write(
        [BoardCandidate(tenant_id="t1", source=state, revision=3, board=Board(alerts=(), subscriptions={}))]
    )
    unchanged, refused = writer.write([candidate(state=3), candidate(state=1)])
    assert (first.board, unchanged.verdict, refused.verdict) == (None, "unchanged", "refused")
    assert unchanged.board == refused.board == BoardVersion("7/1", 3)


@pytest.mark.parametrize(
    ("lineage", "state", "as_of_ms", "refused"),
    [
        ("7/2", 9, 5001, True),  # an older database state, read later
        ("7/2", 10, 4999, True),  # the same state, read earlier: its day may be over
        ("7/2", 10, 5000, False),
        ("7/2", 11, 1, False),  # the database knows more, though its clock was set back
        ("7/1", 99, 9999, True),  # the old primary, after a failover
        ("7/3", 1, 1, False),  # a standby promoted since
        ("8/1", 1, 1, False),  # another database altogether
    ],
)
def test_snapshot_from_an_older_database_state_is_refused(
    writer: SnapshotWriter, reader: SnapshotReader, lineage: str, state: int, as_of_ms: int, refused: bool
) -> None:
    (stored,) = writer.write([candidate("a", state=10, as_of_ms=5000, lineage="7/2")])

    (written,) = writer.write([candidate("b", state=state, as_of_ms=as_of_ms, lineage=lineage)])

    assert (written.verdict == "refused") is refused
    assert reader.read("t1").snapshot == (b'{"content":"a"}' if refused else b'{"content":"b"}')
    assert written.version is not None
    assert stored.version is not None
    assert written.version.revision == stored.version.revision + (not refused)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from("ab")), min_size=1, max_size=12))
def test_whatever_order_tasks_finish_in_the_newest_state_stays_and_revisions_only_rise(
    valkey: redis.Redis, tasks: list[tuple[int, str]]
) -> None:
    keys = Keys("tprop")
    valkey.delete(keys.snapshot("t1"))
    writer, reader = SnapshotWriter(valkey, keys), SnapshotReader(valkey, keys)
    # One database state has one content.
    content = {state: f"{digest}{state}" for state, digest in reversed(tasks)}
    revisions = []
    for state, _ in tasks:
        (written,) = writer.write([candidate(content[state], state=state)])
        assert written.version is not None
        revisions.append(written.version.revision)

    newest = max(state for state, _ in tasks)
    assert reader.read("t1").snapshot == f'{{"content":"{content[newest]}"}}'.encode()
    assert revisions == sorted(revisions)


def test_lost_data_starts_a_new_epoch(writer: SnapshotWriter, valkey: redis.Redis, keys: Keys) -> None:
    (before,) = writer.write([candidate()])
    valkey.delete(keys.snapshot("t1"))
    (after,) = writer.write([candidate()])

    assert before.version is not None
    assert after.version is not None
    assert after.version.epoch != before.version.epoch
    assert after.version.revision == 1


def test_a_script_that_the_server_does_not_know_yet_is_run_for_each_key(valkey: redis.Redis, keys: Keys) -> None:
    unknown = valkey.register_script(f"return KEYS[1] .. ARGV[1] -- {keys.prefix}")
    assert run_for_each(valkey, unknown, [(("a",), ["1"]), (("b",), ["2"])]) == [b"a1", b"b2"]
    assert run_for_each(valkey, unknown, []) == []


def test_an_epoch_ends_only_when_less_of_it_is_held_than_was_seen(
    writer: SnapshotWriter, reader: SnapshotReader
) -> None:
    (written,) = writer.write([candidate()])
    assert written.version is not None

    assert not writer.end_epoch("t1", written.version)
    assert not writer.end_epoch("t1", Version("another", 99))
    assert writer.end_epoch("t1", Version(written.version.epoch, 2))
    assert reader.read("t1").version is None

    (renewed,) = writer.write([candidate(state=2)])
    assert renewed.version is not None
    assert renewed.version.epoch != written.version.epoch


def test_failing_is_told_once_and_ends_with_the_next_success(
    writer: SnapshotWriter, reader: SnapshotReader, notices: redis.client.PubSub
) -> None:
    (written,) = writer.write([candidate()])
    received(notices)

    writer.mark_failing("t1", "amounts are NaN")
    writer.mark_failing("t1", "amounts are NaN")
    assert received(notices) == [{"tenant": "t1", "status": "failing"}]
    held = reader.read("t1")
    assert held.failing == "amounts are NaN"
    assert held.failing_since_ms is not None
    assert held.snapshot == b'{"content":"a"}'

    writer.write([candidate(state=2)])
    assert received(notices) == [{"tenant": "t1", "version": str(written.version)}]
    assert reader.read("t1").failing is None


def test_a_failure_of_an_older_state_says_nothing_of_a_later_success(
    writer: SnapshotWriter, reader: SnapshotReader, notices: redis.client.PubSub
) -> None:
    writer.write([candidate(state=2)])
    received(notices)
    assert writer.mark_failing("t1", "amounts are NaN", candidate(state=1).source) is None
    assert reader.read("t1").failing is None
    assert received(notices) == []
    assert writer.mark_failing("t1", "amounts are NaN", candidate(state=3).source) is not None
    assert reader.read("t1").failing == "amounts are NaN"


def test_removed_tenant_is_gone_and_a_late_task_cannot_bring_it_back(
    writer: SnapshotWriter, reader: SnapshotReader, notices: redis.client.PubSub
) -> None:
    writer.write([candidate(state=5)])
    received(notices)

    writer.remove(["t1"], SourceState(lineage="7/1", state=7, as_of_ms=2000))
    assert reader.read("t1").gone
    assert reader.read("t1").snapshot is None
    assert received(notices) == [{"tenant": "t1", "status": "gone"}]

    (late,) = writer.write([candidate(state=6)])
    assert late.verdict == "refused"
    assert reader.read("t1").gone

    (created_again,) = writer.write([candidate(state=8)])
    assert created_again.verdict == "changed"
    assert not reader.read("t1").gone


def test_nothing_known_of_a_tenant_is_absent(reader: SnapshotReader) -> None:
    assert reader.read("nobody") == ABSENT


def test_bodies_are_kept_compressed_and_read_as_they_were_written(
    writer: SnapshotWriter, reader: SnapshotReader, valkey: redis.Redis, keys: Keys
) -> None:
    body = b'{"name":"%s"}' % (1000 * "café ".encode())
    writer.write([replace(candidate(), snapshot=body, overview=body)])
    assert (reader.read("t1").snapshot, reader.read("t1").overview) == (body, body)
    held: Any = valkey.hmget(keys.snapshot("t1"), "snapshot", "overview")
    assert all(len(one) < len(body) / 10 for one in held)

    # A body that was written before they were compressed…
    valkey.hset(keys.snapshot("t1"), "overview", body)
    assert reader.read("t1").overview == body
    # …and one that is broken is as good as none, and keeps nobody else from being read.
    valkey.hset(keys.snapshot("t1"), "snapshot", held[0][:-5])
    writer.write([replace(candidate(), tenant_id="t2", snapshot=body)])
    broken, whole = reader.read_many(["t1", "t2"])
    assert (broken.snapshot, broken.overview, whole.snapshot) == (None, body, body)


def test_redis_away_is_reported_as_such(keys: Keys) -> None:
    client = connect("redis://127.0.0.1:1", timeout_s=0.2)
    with pytest.raises(StoreUnavailable):
        SnapshotReader(client, keys).read("t1")
    with pytest.raises(StoreUnavailable):
        SnapshotWriter(client, keys).write([candidate()])
