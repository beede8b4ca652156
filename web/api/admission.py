"""What a socket or a stream must pass before it is opened; every refusal is a plain HTTP answer. Source: SPEC 6, 7, 8."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from web.access.auth import Auth, Kind, require_tenant
from web.access.limits import Limiter
from web.access.slots import Slot, Slots
from web.access.tokens import Caller
from web.api.snapshot import SnapshotFinder
from web.http.problems import Unavailable
from web.live.hub import Hub
from web.live.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Admission:
    """Who was let in, and the slot that must be given back."""

    caller: Caller
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Checks, in the order of what they cost: draining, token, tenant, rate, existence, slot."""

    hub: Hub
    auth: Auth
    limiter: Limiter
    slots: Slots
    snapshots: Snapshots
    finder: SnapshotFinder

    def admit(self, kind: Kind, *, user_id: str | None = None) -> Admission:
        """Let the current request in, or raise what problems.py answers. `user_id` is the tenant that the address names."""
        if self.hub.draining:
            raise Unavailable("The server is restarting.", code="restarting")
        caller = self.auth.authenticate(request, kind)
        if user_id is not None:
            require_tenant(caller, user_id)
        allowance = self.limiter.hit("streams", caller)
        if not self.snapshots.is_followed(caller.tenant_id):
            self.finder.find(caller.tenant_id)
        admission = Admission(caller, self.slots.acquire(caller.tenant_id))
        g.allowance = allowance
        return admission
