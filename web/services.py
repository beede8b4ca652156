"""What the routes of one process share; made by create_app, after the fork, and handed to each module's `register`."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from shared.keys import Keys
from shared.settings import Settings
from shared.store import SnapshotReader
from web.auth import Auth
from web.boards import Boards
from web.circuit import Circuit
from web.commands import Commands
from web.freshness import Freshness
from web.hub import Hub
from web.leases import Leases
from web.limits import Limiter
from web.metrics import Metrics
from web.tickets import Tickets


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
