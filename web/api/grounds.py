"""What an answer follows from: whose token, and which version; and whether it does so still, asked in one round trip."""

from __future__ import annotations

import time
from dataclasses import dataclass

import redis

from shared.errors import StoreUnavailable
from web.access.auth import Auth
from web.access.limits import Limiter
from web.access.tokens import Caller
from web.http.problems import Allowance, TooMany
from web.live.mailbox import Form, Update
from web.live.snapshots import Snapshots
from web.redis.circuit import Circuit

GROUNDS = "daybook.grounds"
"""Where a route puts the Grounds of its answer into the environment of a request."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """Who asked, for which form, and what this caller was answered with."""

    caller: Caller
    form: Form
    update: Update


@dataclass(frozen=True, slots=True)
class Standing:
    """An answer holds. allowance: what is left of the rate, where it takes something of that."""

    allowance: Allowance | None = None


class Confirmation:
    """Asks everything at once that the whole way asks one after the other."""

    def __init__(
        self, client: redis.Redis, circuit: Circuit, *, auth: Auth, snapshots: Snapshots, limiter: Limiter
    ) -> None:
        self._client = client
        self._circuit = circuit
        self._auth = auth
        self._snapshots = snapshots
        self._limiter = limiter

    def ask(self, grounds: Grounds, *, counts: bool) -> Standing | None:
        """Whether an answer on these grounds holds now; None where only the whole way can tell, or say why not. `counts`: it
        takes something of the rate."""
        caller, asked_at = grounds.caller, time.monotonic()
        revocation = self._auth.revocation_key(caller)
        hit = None
        try:
            with self._circuit.guard(), self._client.pipeline(transaction=False) as pipe:
                self._snapshots.ask(pipe, caller.tenant_id)
                if revocation is not None:
                    pipe.exists(revocation)
                if counts:
                    hit = self._limiter.ask(pipe, caller)
                state, *others = pipe.execute()
        except StoreUnavailable:
            if hit is not None:
                self._limiter.lost(hit)
            return None
        standing: Standing | None
        try:
            standing = Standing() if hit is None else Standing(self._limiter.told(hit, others[-1]))
        except TooMany:
            standing = None
        if self._is_refused(caller, revocation, others, asked_at) or not self._is_newest(grounds, state, asked_at):
            standing = None
        if standing is None and hit is not None:
            # The whole way counts it.
            self._limiter.take_back(hit)
        return standing

    def _is_refused(self, caller: Caller, revocation: str | None, found: list[object], asked_at: float) -> bool:
        if revocation is None:
            return False
        if not found[0]:
            self._auth.note_not_revoked(caller, asked_at=asked_at)
        return bool(found[0])

    def _is_newest(self, grounds: Grounds, state: list[bytes | None], asked_at: float) -> bool:
        tenant_id, view = grounds.caller.tenant_id, grounds.caller.view
        snapshot = self._snapshots.confirm(tenant_id, state, asked_at=asked_at)
        update = None if snapshot is None else self._snapshots.as_served(tenant_id, snapshot, grounds.form)
        return update is not None and update.through(view) is grounds.update
