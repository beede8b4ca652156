"""POST realtime/recalculate: one task for all who ask at once, and one answer for each Idempotency-Key. Source: SPEC 6."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import redis
from flask import Flask, Request, Response, g, request

from shared.keys import Keys
from shared.outcomes import Outcome
from shared.snapshot import Instant, instant
from shared.views import View
from web.access.auth import Auth
from web.access.limits import Limiter
from web.http.problems import BadRequest, NotFound, Unavailable
from web.http.requests import check_idle_body, flag, query
from web.redis.circuit import Circuit
from web.redis.commands import Commands, ComputationFailed

WAIT_S = 5.0
ANSWER_KEPT_S = 86_400
# While an answer is being made, the key stands for its task; if the process dies, the next request takes over.
_PENDING_KEPT_S = 60
_KEY = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)

# Requests that waited for the same task give the same answer: the one that was kept first.
_KEEP = """
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] then return current end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return ARGV[2]
"""

_encoder = msgspec.json.Encoder(decimal_format="number")


class RefreshResults(msgspec.Struct, frozen=True, kw_only=True):
    """refreshed: it was computed; changed: that made a new version."""

    refreshed: bool
    changed: bool
    duration_seconds: float


class Recalculated(msgspec.Struct, frozen=True, kw_only=True):
    """200: the recalculation is done."""

    success: bool = True
    message: str = "Dashboard recalculation completed"
    refresh_results: RefreshResults
    performance_score: Decimal | None
    timestamp: Instant


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """202: it is queued; the snapshot's notice will tell."""

    success: bool = True
    status: str = "queued"
    task_id: str
    timestamp: Instant


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What an Idempotency-Key stands for: a task, and the answer once it was given."""

    task_id: str
    status: int | None = None
    body: str = ""


class Answers:
    """Answers kept under their Idempotency-Key, per tenant."""

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit) -> None:
        self._client = client
        self._keys = keys
        self._circuit = circuit
        self._keep = client.register_script(_KEEP)

    def find(self, tenant_id: str, key: str) -> Kept | None:
        """What the key stands for already."""
        with self._circuit.guard():
            found = self._client.get(self._name(tenant_id, key))
        return msgspec.json.decode(found, type=Kept) if found else None

    def begin(self, tenant_id: str, key: str, task_id: str) -> Kept:
        """Let the key stand for the task, unless another request was faster; what it stands for now."""
        kept = Kept(task_id=task_id)
        with self._circuit.guard():
            is_first = self._client.set(
                self._name(tenant_id, key), msgspec.json.encode(kept), nx=True, ex=_PENDING_KEPT_S
            )
        return kept if is_first else self.find(tenant_id, key) or kept

    def keep(self, tenant_id: str, key: str, kept: Kept) -> Kept:
        """Remember the answer for a day; the one to give, which is another's if that was faster."""
        pending = Kept(task_id=kept.task_id)
        with self._circuit.guard():
            winner: bytes = self._keep(
                keys=[self._name(tenant_id, key)],
                args=[msgspec.json.encode(pending), msgspec.json.encode(kept), ANSWER_KEPT_S],
            )
        return msgspec.json.decode(winner, type=Kept)

    def forget(self, tenant_id: str, key: str) -> None:
        """Nothing came of it: the same key may try again."""
        with self._circuit.guard():
            self._client.delete(self._name(tenant_id, key))

    def _name(self, tenant_id: str, key: str) -> str:
        return self._keys.idempotency(tenant_id, hashlib.blake2b(key.encode(), digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True)
class Recalculations:
    """The recalculation of one tenant as an HTTP answer."""

    commands: Commands
    answers: Answers
    done: Callable[[str], None]
    """Hears of each tenant that was computed, before its caller does."""

    def answer(self, tenant_id: str, *, wait_s: float) -> Kept:
        """Ask for one and wait for its answer."""
        return self._answer_of(tenant_id, self.commands.recalculate(tenant_id), wait_s=wait_s)

    def answer_once(self, tenant_id: str, key: str, *, wait_s: float) -> Kept:
        """The same, but only once for each key; later requests get the first one's answer."""
        kept = self.answers.find(tenant_id, key)
        if kept is None:
            kept = self.answers.begin(tenant_id, key, self.commands.recalculate(tenant_id))
        if kept.status is None:
            try:
                kept = self._answer_of(tenant_id, kept.task_id, wait_s=wait_s)
            except (NotFound, Unavailable):
                self.answers.forget(tenant_id, key)
                raise
            kept = self.answers.keep(tenant_id, key, kept)
        return kept

    def _answer_of(self, tenant_id: str, task_id: str, *, wait_s: float) -> Kept:
        try:
            found = self.commands.outcome(tenant_id, task_id, wait_s=wait_s) if wait_s else None
        except ComputationFailed as error:
            raise _failed() from error
        if found is None:
            queued = Queued(task_id=task_id, timestamp=instant(datetime.now(UTC)))
            return Kept(task_id=task_id, status=202, body=_encoder.encode(queued).decode())
        self.done(tenant_id)
        return Kept(task_id=task_id, status=200, body=_encoder.encode(_recalculated(*found)).decode())


def register(app: Flask, *, recalculations: Recalculations, auth: Auth, limiter: Limiter) -> None:
    """The one route."""

    @app.post("/api/dashboard/realtime/recalculate/")
    def recalculate() -> Response:
        wait_s = WAIT_S if flag(query(request, {"wait"}), "wait", default=True) else 0.0
        caller = auth.authenticate(request)
        key = _idempotency_key(request)
        check_idle_body(request)
        g.allowance = limiter.hit("recalculations", caller)
        if key is None:
            kept = recalculations.answer(caller.tenant_id, wait_s=wait_s)
        else:
            kept = recalculations.answer_once(caller.tenant_id, key, wait_s=wait_s)
        response = Response(_shown(kept.body, caller.view), status=kept.status, content_type="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response


def _shown(body: str, view: View | None) -> str | bytes:
    """The answer as that view has it; it is kept whole, since others of the tenant may give the same key."""
    if view is None or view.score:
        return body
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return _encoder.encode({**fields, "performance_score": None} if "performance_score" in fields else fields)


def _recalculated(outcome: Outcome, duration_s: float) -> Recalculated:
    if outcome.status == "unknown":
        raise NotFound()
    if outcome.status == "failed":
        raise _failed()
    # "refused" was computed too; Redis holds the snapshot of an even later state of the database.
    return Recalculated(
        refresh_results=RefreshResults(
            refreshed=True, changed=outcome.status == "changed", duration_seconds=round(duration_s, 4)
        ),
        performance_score=outcome.performance_score,
        timestamp=instant(datetime.now(UTC)),
    )


def _failed() -> Unavailable:
    return Unavailable("The computation failed; the last snapshot stands.", code="computation_failed")


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters.", code="bad_idempotency_key")
    return key
