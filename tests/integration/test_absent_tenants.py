"""A tenant that leaves the database: its clients wait for a minute, then they are refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from prometheus_client import CollectorRegistry, Counter

from shared.keys import Keys
from shared.looked import Looked
from shared.settings import Settings
from shared.store import SnapshotReader, SnapshotWriter, SourceState
from shared.versions import Version
from tests.conftest import Services
from tests.servers import write_snapshot
from web.live import snapshots as module
from web.live.freshness import Freshness, Staleness
from web.live.held import Gone
from web.live.looking import Looking
from web.live.mailbox import Update
from web.live.snapshots import Snapshots
from web.live.stages import Stages
from web.ops.metrics import Metrics
from web.redis.circuit import Circuit


class Asked:
    """Who was asked to mend what is lost."""

    def ask(self, tenant_id: str) -> None:
        """Nothing is computed here."""

    def refresh(self, tenant_ids: Sequence[str]) -> None:
        """Nothing is computed here."""

    def end_epoch(self, tenant_id: str, seen: Version) -> None:
        """Nothing is computed here."""


def counter(name: str, *labels: str) -> Counter:
    return Counter(name, name, labels, registry=CollectorRegistry())


def test_who_stays_away_is_refused_after_a_minute(
    services: Services, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(services.redis_url) as client:
        snapshots = Snapshots(
            SnapshotReader(client, keys), Circuit(), Freshness(client, keys, Settings(redis_url=services.redis_url)),
            Asked(), Looking(Looked(client, keys), Circuit(), ask=Asked().refresh),
            notices=counter("notices"), reads=counter("reads", "kind", "from"), stages=Stages(Metrics().stage_seconds),
        )  # fmt: skip
        write_snapshot(client, keys, "t", n=1)
        with snapshots.open("t") as mailbox:
            snapshots.newest("t")
            assert isinstance(mailbox.take(), Update)
            later = SourceState(lineage="test/1", state=time.time_ns() // 1000, as_of_ms=time.time_ns() // 1_000_000)
            SnapshotWriter(client, keys).remove(["t"], later)

            assert isinstance(snapshots.newest("t"), Gone)
            told: Any = mailbox.take()
            assert isinstance(told, Staleness)
            assert (told.stale, told.reason) == (True, "unknown_tenant")
            assert not mailbox.is_tenant_gone
            # Its tombstone expires sooner or later; that does not make it known again.
            client.delete(keys.snapshot("t"))
            snapshots.newest("t")
            assert mailbox.take() is None

            assert module.REFUSED_AFTER_S == 60.0
            monkeypatch.setattr(module, "REFUSED_AFTER_S", 0.0)
            snapshots.newest("t")
            assert mailbox.is_tenant_gone
