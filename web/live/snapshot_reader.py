"""How a replica of snapshots asks the store, and what it gets: one version, with its bodies ready for clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.store import SnapshotReader, Stored
from shared.versions import Version
from web.live.held import GONE, Gone
from web.live.mailbox import Form, Update


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version: what the store says about it, and its bodies. The overview is the last one that was read.

    A computation that found nothing new refreshes the bodies' times in place: the version stays, `as_of` moves.
    """

    facts: Stored
    update: Update
    overview: Update | None
    overview_as_of_ms: int | None = None

    @property
    def version(self) -> Version:
        return self.update.version

    def in_form(self, form: Form) -> Update | None:
        """That form of it; None where it was not read, or is not there."""
        return self.update if form == "snapshot" else self.overview

    @classmethod
    def of(cls, stored: Stored) -> Snapshot | Gone | None:
        """From what was read."""
        if stored.gone:
            return GONE
        version, body, overview = stored.version, stored.snapshot, stored.overview
        if version is None or body is None:
            return None
        return cls(
            replace(stored, snapshot=None, overview=None),
            Update(version, False, body),
            None if overview is None else Update(version, False, overview, "overview"),
            None if overview is None else stored.as_of_ms,
        )


class StoreReader:
    """How a replica of snapshots asks the store."""

    def __init__(self, reader: SnapshotReader) -> None:
        self._reader = reader
        self.ask = reader.ask
        self.versions = reader.versions

    def read_many(self, tenant_ids: Sequence[str]) -> list[Snapshot | Gone | None]:
        return [Snapshot.of(stored) for stored in self._reader.read_many(tenant_ids, overview=False)]

    def read(self, tenant_id: str) -> Snapshot | Gone | None:
        return Snapshot.of(self._reader.read(tenant_id))

    def confirm(self, tenant_id: str, held: Snapshot) -> Snapshot | None:
        (facts,) = self._reader.read_many([tenant_id], snapshot=False, overview=False)
        return _confirmed(held, facts)

    def told(self, tenant_id: str, held: Snapshot, answer: Sequence[bytes | None]) -> Snapshot | None:
        """`confirm` by the answer to `ask`."""
        return _confirmed(held, self._reader.told(tenant_id, answer))

    def merged(self, before: Snapshot, after: Snapshot) -> Snapshot:
        merged = after if _has_later_overview(before, after) else _with_overview_of(before, after)
        is_same = (before.version, before.update.stored) == (after.version, after.update.stored)
        return replace(merged, update=before.update) if is_same else merged


def _confirmed(held: Snapshot, facts: Stored) -> Snapshot | None:
    has_overview = held.overview is not None and held.overview.version == facts.version
    is_same = has_overview and held.version == facts.version
    is_as_old = held.overview_as_of_ms == held.facts.as_of_ms == facts.as_of_ms
    return replace(held, facts=facts) if is_same and is_as_old else None


def _has_later_overview(before: Snapshot, after: Snapshot) -> bool:
    if before.overview is None or after.overview is None:
        return before.overview is None
    return after.overview.version == before.overview.version or after.overview.version.replaces(before.overview.version)


def _with_overview_of(before: Snapshot, after: Snapshot) -> Snapshot:
    return replace(after, overview=before.overview, overview_as_of_ms=before.overview_as_of_ms)
