"""The only module that sends Celery tasks, by name; the workers are never imported.

Results are polled with this process's own Redis client: Celery's result consumer subscribes to every task it sends, on
one connection that is not safe across greenlets.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
import redis
import structlog
from celery import Celery
from celery.backends.base import KeyValueStoreBackend
from kombu.exceptions import KombuError

from shared.alerts import Subscription
from shared.broker import celery_options, celery_url
from shared.errors import DaybookError, StoreUnavailable
from shared.keys import Keys
from shared.outcomes import Outcome, Recalculation
from shared.queue_wait import stamp
from shared.receipts import Made, Question
from shared.settings import Settings
from shared.versions import Version
from web.redis.circuit import Circuit
from web.redis.polling import poll

log = structlog.get_logger()

# Longer than a task may run (20 s): a task that was lost with its worker stops being shared.
IN_FLIGHT_S = 30
_BROKER_TIMEOUT_S = 1.0

# The task in flight for a tenant, or the new one when there is none or its result is already there.
_CLAIM = """
local current = redis.call('GET', KEYS[1])
if current and redis.call('EXISTS', ARGV[3] .. current) == 0 then return current end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
"""

_LET_GO = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class ComputationFailed(DaybookError):
    """The task ended without a snapshot; the worker's log says why, under the task's id. The last snapshot stands."""


class Commands:
    """Sends tasks and waits for what became of them. Every call answers or raises StoreUnavailable in bounded time."""

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit, settings: Settings) -> None:
        self._client = client
        self._keys = keys
        self._circuit = circuit
        self._result_prefix = celery_options(settings)["global_keyprefix"] + KeyValueStoreBackend.task_keyprefix
        self._claim = client.register_script(_CLAIM)
        self._let_go = client.register_script(_LET_GO)
        self._celery = _sender(settings)

    def recalculate(self, tenant_id: str) -> str:
        """The id of the task that recalculates the tenant: the one in flight, else a new one, queued now."""
        task_id = str(uuid.uuid4())
        name = self._keys.in_flight(tenant_id)
        with self._circuit.guard():
            holder: bytes = self._claim(keys=[name], args=[task_id, IN_FLIGHT_S, self._result_prefix])
        if holder.decode() == task_id:
            self._send_claimed(name, "dashboard.recalculate", [[tenant_id]], task_id=task_id)
        return holder.decode()

    def ask(self, tenant_id: str) -> None:
        """The same for who does not wait for its outcome."""
        self.recalculate(tenant_id)

    def refresh(self, tenant_ids: Sequence[str]) -> None:
        """Have these computed, in one task. Nobody's request shares it: what was written since it began is not in it."""
        self._send("dashboard.recalculate", [list(tenant_ids)], task_id=str(uuid.uuid4()), ignore_result=True)

    def outcome(self, tenant_id: str, task_id: str, *, wait_s: float) -> tuple[Outcome, float] | None:
        """The tenant's outcome and the task's seconds, None if it took longer; raises ComputationFailed."""
        meta = poll(lambda: self._result(task_id), within_s=wait_s)
        return None if meta is None else _outcome(json.loads(meta), tenant_id)

    def receipt(self, tenant_id: str, question: Question, *, wait_s: float) -> Made | None:
        """Have the documents behind a number made ready; what became of it, None if it took longer. Who asks the same in the
        meantime shares the task."""
        task_id = str(uuid.uuid4())
        name = self._keys.receipt_in_flight(tenant_id, question.digest)
        with self._circuit.guard():
            holder: bytes = self._claim(keys=[name], args=[task_id, IN_FLIGHT_S, self._result_prefix])
        if holder.decode() == task_id:
            self._send_claimed(name, "dashboard.receipt", [tenant_id, msgspec.to_builtins(question)], task_id=task_id)
        meta = poll(lambda: self._result(holder.decode()), within_s=wait_s)
        return None if meta is None else _made(json.loads(meta))

    def end_epoch(self, tenant_id: str, seen: Version) -> None:
        """Redis holds less of an epoch than a client has seen: have a new one begun."""
        self._send("dashboard.end_epoch", [tenant_id, seen.epoch, seen.revision], task_id=str(uuid.uuid4()))

    def acknowledge_alert(self, tenant_id: str, alert_id: str, subject: str) -> None:
        """Somebody has seen to an alert."""
        self._send("dashboard.acknowledge_alert", [tenant_id, alert_id, subject], task_id=str(uuid.uuid4()))

    def snooze_alert(self, tenant_id: str, alert_id: str, subject: str, until: datetime) -> None:
        """Somebody puts an alert off until then (aware)."""
        args = [tenant_id, alert_id, subject, until.isoformat()]
        self._send("dashboard.snooze_alert", args, task_id=str(uuid.uuid4()))

    def subscribe(self, tenant_id: str, subject: str, wanted: Subscription) -> None:
        """Somebody wants to be told of these alerts only."""
        levels, metrics = (None if members is None else list(members) for members in (wanted.levels, wanted.metrics))
        self._send("dashboard.subscribe", [tenant_id, subject, levels, metrics], task_id=str(uuid.uuid4()))

    def _result(self, task_id: str) -> bytes | None:
        with self._circuit.guard():
            return cast("bytes | None", self._client.get(self._result_prefix + task_id))

    def _send(self, name: str, args: list[Any], *, task_id: str, ignore_result: bool = False) -> None:
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        headers: dict[str, Any] = {"request_id": request_id} if request_id else {}
        stamp(headers)
        try:
            with self._circuit.guard():
                self._celery.send_task(
                    name,
                    args=args,
                    task_id=task_id,
                    queue="commands",
                    headers=headers,
                    ignore_result=ignore_result,
                    # One more try: a pooled connection may have died with a restart of Redis.
                    retry=True,
                    retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0},
                )
        except (KombuError, OSError) as error:
            raise StoreUnavailable("the broker cannot be reached") from error
        log.info("task_sent", task=name, task_id=task_id)

    def _send_claimed(self, claim: str, name: str, args: list[Any], *, task_id: str) -> None:
        """Send a task that others share under its claim; if it cannot be sent, nobody waits for it."""
        try:
            self._send(name, args, task_id=task_id)
        except StoreUnavailable:
            self._forget(claim, task_id)
            raise

    def _forget(self, claim: str, task_id: str) -> None:
        try:
            with self._circuit.guard():
                self._let_go(keys=[claim], args=[task_id])
        except StoreUnavailable:
            return  # it expires by itself


def _sender(settings: Settings) -> Celery:
    app = Celery("daybook-web", set_as_current=False)
    app.config_from_object("celeryconfig")
    app.conf.update(
        broker_url=celery_url(settings),
        broker_transport_options={
            **celery_options(settings),
            "socket_timeout": _BROKER_TIMEOUT_S,
            "socket_connect_timeout": _BROKER_TIMEOUT_S,
        },
        broker_connection_timeout=_BROKER_TIMEOUT_S,
        result_backend="disabled://",
    )
    return app


def _made(meta: dict[str, Any]) -> Made:
    if meta.get("status") != "SUCCESS":
        return Made(status="failed")
    return msgspec.convert(meta["result"], Made)


def _outcome(meta: dict[str, Any], tenant_id: str) -> tuple[Outcome, float]:
    if meta.get("status") != "SUCCESS":
        raise ComputationFailed("the task failed")
    try:
        result = msgspec.convert(meta["result"], Recalculation, strict=False)
    except msgspec.ValidationError as error:
        raise ComputationFailed("the task's result cannot be read") from error
    for outcome in result.outcomes:
        if outcome.tenant_id == tenant_id:
            return outcome, result.duration_seconds
    raise ComputationFailed("the task computed other tenants")
