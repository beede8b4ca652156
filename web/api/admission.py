"""What a socket or a stream must pass before it is opened; every refusal is a plain HTTP answer. Source: SPEC 6, 7, 8."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request

from web.access.auth import Kind, require_tenant
from web.access.slots import Lease
from web.access.tokens import Caller
from web.api.snapshot import Snapshots
from web.http.problems import Unavailable
from web.services import Services


@dataclass(frozen=True, slots=True)
class Admission:
    """Who was let in, and the place that must be given back."""

    caller: Caller
    lease: Lease


class Doorkeeper:
    """Checks, in the order of what they cost: draining, token, tenant, rate, existence, place."""

    def __init__(self, services: Services, snapshots: Snapshots) -> None:
        self._services = services
        self._snapshots = snapshots

    def admit(self, kind: Kind, *, user_id: str | None = None) -> Admission:
        """Let the current request in, or raise what problems.py answers. `user_id` is the tenant that the address names."""
        services = self._services
        if services.hub.draining:
            raise Unavailable("The server is restarting.", code="restarting")
        caller = services.auth.authenticate(request, kind)
        if user_id is not None:
            require_tenant(caller, user_id)
        allowance = services.limiter.hit("streams", caller.tenant_id)
        if services.hub.held(caller.tenant_id) is None:
            self._snapshots.find(caller.tenant_id)
        admission = Admission(caller, services.leases.acquire(caller.tenant_id))
        g.allowance = allowance
        return admission
