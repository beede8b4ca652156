"""What the routes of one process share; made by create_app, after the fork, and handed to each module's `register`."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from shared.keys import Keys
from shared.settings import Settings
from shared.store import SnapshotReader
from web.access.auth import Auth
from web.access.limits import Limiter
from web.access.slots import Leases
from web.access.tickets import Tickets
from web.alerts.boards import Boards
from web.live.freshness import Freshness
from web.live.hub import Hub
from web.ops.metrics import Metrics
from web.redis.circuit import Circuit
from web.redis.commands import Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One of each; see their modules."""

    settings: Settings
    keys: Keys
    client: redis.Redis
    circuit: Circuit
    reader: SnapshotReader
    auth: Auth
    tickets: Tickets
    limiter: Limiter
    leases: Leases
    commands: Commands
    freshness: Freshness
    hub: Hub
    boards: Boards
    metrics: Metrics
