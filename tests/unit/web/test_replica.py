"""What a process holds of a tenant: never going back, whatever the store says and however readings overlap; bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StoreUnavailable
from shared.versions import Version
from web.live import replica as module
from web.live.held import GONE, NEVER, Gone, Held
from web.live.replica import Replica
from web.redis.circuit import Circuit


@dataclass(frozen=True)
class Thing:
    """Something with a version, and a fact that changes without one."""

    version: Version
    fact: int = 0


Row = Thing | Gone | None


class Store:
    """A store in memory; `meanwhile` happens while a reading is under way."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.is_away = False
        self.wholes = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def read(self, tenant_id: str) -> Row:
        self.wholes += 1
        return self.read_many([tenant_id])[0]

    def read_many(self, tenant_ids: Sequence[str]) -> list[Row]:
        if self.is_away:
            raise StoreUnavailable("away")
        found = [self.rows.get(tenant_id) for tenant_id in tenant_ids]
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return found

    def confirm(self, tenant_id: str, held: Thing) -> Thing | None:
        found = self.read_many([tenant_id])[0]
        return found if isinstance(found, Thing) and found.version == held.version else None

    def versions(self, tenant_ids: Sequence[str]) -> list[Version | None]:
        rows = self.read_many(tenant_ids)
        return [row.version if isinstance(row, Thing) else None for row in rows]

    def merged(self, before: Thing, after: Thing) -> Thing:
        return after


class Process:
    """A replica, and what was heard from it."""

    def __init__(self, *, past: int = 4) -> None:
        self.store = Store()
        self.read: list[tuple[str, Version | None, bool]] = []
        self.lost: list[tuple[str, Any]] = []
        self.hits: list[bool] = []
        self.soon: list[str] = []
        self.replica: Replica[Thing] = Replica(
            self.store,
            Circuit(),
            on_read=self._on_read,
            on_lost=lambda tenant_id, seen: self.lost.append((tenant_id, seen)),
            count=self.hits.append,
            past=past,
        )

    def put(self, tenant_id: str, version: Version | None, fact: int = 0) -> None:
        self.store.rows[tenant_id] = None if version is None else Thing(version, fact)

    def newest(self, tenant_id: str = "a") -> Version | None:
        found = self.replica.newest(tenant_id)
        return found.version if isinstance(found, Thing) else None

    def _on_read(self, held: Held[Thing], news: bool) -> None:
        self.read.append((held.tenant_id, held.version, news))


versions = st.builds(Version, st.sampled_from(["e1", "e2", "e3"]), st.integers(1, 6))


@pytest.mark.parametrize("has_clients", [True, False])
@given(readings=st.lists(versions | st.none(), max_size=40))
def test_within_an_epoch_revisions_only_rise_whatever_the_store_says(
    has_clients: bool, readings: list[Version | None]
) -> None:
    process, seen = Process(), []
    if has_clients:
        process.replica.attend("a")
    for version in readings:
        process.put("a", version)
        if (given := process.newest()) is not None:
            seen.append(given)

    for epoch in ("e1", "e2", "e3"):
        revisions = [v.revision for v in seen if v.epoch == epoch]
        assert revisions == sorted(revisions)
    told = [version for _, version, news in process.read if news]
    assert len(told) == len([1 for n, v in enumerate(seen) if n == 0 or v != seen[n - 1]])


@given(st.lists(versions, min_size=1, max_size=40))
def test_a_reading_that_is_not_behind_is_held(readings: list[Version]) -> None:
    process = Process()
    for number, version in enumerate(readings):
        process.put("a", version)
        held = process.newest()
        is_behind = any(v.epoch == version.epoch and v.revision > version.revision for v in readings[:number])
        assert is_behind or held == version


def test_a_write_is_seen_by_the_next_read_without_any_notice() -> None:
    process = Process()
    for revision in range(1, 5):
        process.put("a", Version("e", revision))
        assert process.newest() == Version("e", revision)


def test_what_is_held_is_not_read_again_as_a_whole_but_what_goes_without_a_version_is() -> None:
    process = Process()
    process.put("a", Version("e", 1), fact=1)
    process.newest()
    process.put("a", Version("e", 1), fact=2)

    assert process.replica.newest("a") == Thing(Version("e", 1), 2)
    assert (process.store.wholes, process.hits) == (1, [False, True])


def test_a_store_that_lost_revisions_is_reported_once_and_what_clients_have_stays() -> None:
    process = Process()
    process.put("a", Version("e", 3))
    process.newest()
    process.put("a", Version("e", 1))

    assert [process.newest(), process.newest()] == [Version("e", 3)] * 2
    assert process.lost == [("a", Version("e", 3))]


def test_an_absence_is_reported_only_for_those_who_are_here() -> None:
    process = Process()
    assert process.newest("stranger") is None
    process.replica.attend("a")
    assert process.newest("a") is None
    assert process.lost == [("a", None)]


def test_an_earlier_lineage_that_comes_back_does_not_bring_what_is_older() -> None:
    process = Process()
    for version in (Version("e1", 5), Version("e2", 1), Version("e1", 4)):
        process.put("a", version)
        process.newest()

    assert process.lost == [("a", Version("e1", 5))]
    forgetful = Process(past=0)
    for version in (Version("e1", 5), Version("e2", 1), Version("e1", 4)):
        forgetful.put("a", version)
        forgetful.newest()
    assert forgetful.lost == []


def test_a_slow_reading_does_not_undo_a_faster_one() -> None:
    process = Process()
    process.put("a", Version("e", 1))

    def overtake() -> None:
        process.put("a", Version("e", 2))
        assert process.newest() == Version("e", 2)

    process.store.meanwhile = overtake

    assert process.newest() == Version("e", 2)
    assert process.lost == []


def test_a_tenant_that_is_gone_is_forgotten_and_may_begin_anew() -> None:
    process = Process()
    process.put("a", Version("e", 9))
    process.newest()
    process.store.rows["a"] = GONE

    assert process.replica.newest("a") is GONE
    assert process.replica.held("a") is None
    process.put("a", Version("e", 1))
    assert process.newest() == Version("e", 1)


def test_clients_of_a_tenant_that_is_gone_hear_of_it() -> None:
    process = Process()
    process.put("a", Version("e", 1))
    held = process.replica.attend("a")
    process.newest()
    process.store.rows["a"] = GONE
    process.newest()

    assert held.gone_since is not None
    assert process.read[-1] == ("a", None, False)
    # The command that computes it anew finds out whether it is back.
    assert process.lost == [("a", None)]
    process.store.rows["a"] = None
    process.newest()
    assert held.gone_since is not None
    process.put("a", Version("e2", 1))
    process.newest()
    assert held.gone_since is None


def test_while_the_store_is_away_what_is_held_stays() -> None:
    process = Process()
    process.put("a", Version("e", 1))
    process.newest()
    process.store.is_away = True

    with pytest.raises(StoreUnavailable):
        process.replica.newest("a")
    held = process.replica.held("a")
    assert held is not None
    assert held.version == Version("e", 1)


def test_of_the_tenants_without_clients_those_read_longest_ago_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IDLE", 3)
    process = Process()
    process.replica.attend("watched")
    for tenant_id in ("watched", "a", "b", "c", "a", "d"):
        process.put(tenant_id, Version("e", 1))
        process.newest(tenant_id)

    assert [tenant_id for tenant_id in ("watched", "a", "b", "c", "d") if process.replica.held(tenant_id)] == [
        "watched", "a", "c", "d",
    ]  # fmt: skip
    process.replica.leave("watched")
    assert process.replica.held("c") is None


def test_a_tenant_whose_clients_left_is_read_anew_for_the_next_one() -> None:
    process = Process()
    process.put("a", Version("e", 1))
    process.replica.attend("a")
    process.newest()
    process.replica.leave("a")

    # Nobody followed its notices meanwhile.
    assert process.replica.attend("a").read_at == NEVER
