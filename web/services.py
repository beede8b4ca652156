"""What one web process is made of: one of each, made after the fork. app.py hands to each module what it uses."""

from __future__ import annotations

from dataclasses import dataclass

import redis
from flask import Flask

from shared.alert_store import AlertReader
from shared.keys import Keys
from shared.looked import Looked
from shared.redis_client import connect
from shared.settings import Settings
from shared.store import SnapshotReader
from shared.views import load_views
from web.access.auth import Auth
from web.access.limits import Limiter
from web.access.slots import Slots
from web.access.tickets import Tickets
from web.access.tokens import Tokens
from web.alerts.boards import Boards
from web.api.repeats import Answer
from web.live.freshness import Freshness
from web.live.hub import Hub
from web.live.leases import Leases
from web.live.looking import Looking
from web.live.revocations import Revocations
from web.live.snapshots import Snapshots
from web.live.stages import Stages
from web.ops.metrics import Metrics
from web.ops.worker_metrics import WorkerMetrics
from web.redis.circuit import Circuit
from web.redis.commands import Commands

# A frozen Redis costs a request this once; then the circuit answers for it.
REDIS_TIMEOUT_S = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """See their modules."""

    settings: Settings
    keys: Keys
    client: redis.Redis
    circuit: Circuit
    auth: Auth
    revocations: Revocations
    tickets: Tickets
    limiter: Limiter
    slots: Slots
    commands: Commands
    freshness: Freshness
    snapshots: Snapshots
    boards: Boards
    leases: Leases[Answer]
    stages: Stages
    hub: Hub
    metrics: Metrics


def make_services(app: Flask, settings: Settings) -> Services:
    """All of them; nothing is asked of Redis yet. Tokens are verified in the app's context."""
    client = connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S)
    keys = Keys(settings.key_prefix)
    circuit = Circuit()
    commands = Commands(client, keys, circuit, settings)
    freshness = Freshness(client, keys, settings)
    metrics = Metrics(WorkerMetrics(client, keys, circuit, freshness))
    views = load_views(settings.views)
    tickets = Tickets(client, keys, circuit, views)
    looking = Looking(Looked(client, keys), circuit, ask=commands.refresh)
    leases: Leases[Answer] = Leases(freshness)
    stages = Stages(metrics.stage_seconds)
    snapshots = Snapshots(
        SnapshotReader(client, keys),
        circuit,
        freshness,
        commands,
        looking,
        notices=metrics.notices,
        reads=metrics.replica_reads,
        stages=stages,
        on_news=leases.drop,
    )
    boards = Boards(AlertReader(client, keys), circuit, recalculate=commands.ask, reads=metrics.replica_reads)
    auth = Auth(Tokens(app, settings.jwt, views), tickets, settings, client=client, keys=keys, circuit=circuit)
    revocations = Revocations(auth.revoked)
    return Services(
        settings=settings,
        keys=keys,
        client=client,
        circuit=circuit,
        auth=auth,
        revocations=revocations,
        tickets=tickets,
        limiter=Limiter(client, keys, circuit, settings),
        slots=Slots(client, keys, circuit, settings),
        commands=commands,
        freshness=freshness,
        snapshots=snapshots,
        boards=boards,
        leases=leases,
        stages=stages,
        hub=Hub(
            client,
            keys,
            freshness,
            snapshots,
            boards,
            leases,
            looking=looking,
            revocations=revocations,
            resyncs=metrics.resyncs,
        ),
        metrics=metrics,
    )
