"""How many sockets and streams a tenant holds over all processes, and how many this process holds. Source: SPEC 8."""

from __future__ import annotations

import resource
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import redis
import structlog

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.scripts import run_for_each
from shared.settings import Settings
from web.http.problems import Allowance, TooMany, Unavailable
from web.redis.circuit import Circuit

log = structlog.get_logger()

T = TypeVar("T")

# The leases of a process that died are free again after this time.
LEASE_S = 60
RENEW_S = 20.0
# What a process opens beside sockets and streams: requests, Redis, files.
RESERVED_DESCRIPTORS = 96

_NOW = "local now = tonumber(redis.call('TIME')[1])\n"
_ACQUIRE = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
)
# Leases that Redis lost come back with the next renewal.
_RENEW = (
    _NOW
    + """
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
)
LEASES_AT_ONCE = 500
TENANTS_AT_ONCE = 50


class TooManyConnections(TooMany):
    """The tenant has as many sockets and streams open as it may have. Close one first."""

    code = "too_many_connections"


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to one open socket or stream, until `release`; in Redis a lease, which runs out with its process."""

    tenant_id: str
    lease_id: str
    _release: Callable[[Slot], None]

    def release(self) -> None:
        """Give it back; more than once does no harm."""
        self._release(self)


class Slots:
    """The open connections of this process; one thread renews them all."""

    def __init__(self, client: redis.Redis, keys: Keys, circuit: Circuit, settings: Settings) -> None:
        self._client = client
        self._keys = keys
        self._circuit = circuit
        self._per_tenant = settings.max_tenant_connections
        self._per_process = min(settings.max_connections, _descriptors())
        self._acquire = client.register_script(_ACQUIRE)
        self._renew = client.register_script(_RENEW)
        self._held: dict[str, str] = {}
        self._by_tenant: Counter[str] = Counter()
        self._renewer: threading.Thread | None = None

    def __len__(self) -> int:
        """How many this process holds."""
        return len(self._held)

    def acquire(self, tenant_id: str) -> Slot:
        """One more connection; raises TooManyConnections, or Unavailable when this process is full."""
        if len(self._held) >= self._per_process:
            raise Unavailable("This server holds as many connections as it can.", code="at_capacity")
        slot = Slot(tenant_id, uuid.uuid4().hex, self._free)
        if not self._admitted(slot):
            allowance = Allowance(limit=self._per_tenant, remaining=0, reset_s=LEASE_S / 2)
            raise TooManyConnections(f"More than {self._per_tenant} sockets and streams are open.", allowance)
        self._held[slot.lease_id] = tenant_id
        self._by_tenant[tenant_id] += 1
        self._start_renewing()
        return slot

    def _admitted(self, slot: Slot) -> bool:
        try:
            with self._circuit.guard():
                return bool(
                    self._acquire(
                        keys=[self._keys.connections(slot.tenant_id)],
                        args=[slot.lease_id, self._per_tenant, LEASE_S],
                    )
                )
        except StoreUnavailable:
            return self._by_tenant[slot.tenant_id] < self._per_tenant

    def _free(self, slot: Slot) -> None:
        if self._held.pop(slot.lease_id, None) is None:
            return
        self._by_tenant[slot.tenant_id] -= 1
        if not self._by_tenant[slot.tenant_id]:
            del self._by_tenant[slot.tenant_id]
        try:
            with self._circuit.guard():
                self._client.zrem(self._keys.connections(slot.tenant_id), slot.lease_id)
        except StoreUnavailable:
            return  # it expires by itself

    def _start_renewing(self) -> None:
        if self._renewer is None:
            self._renewer = threading.Thread(target=self._renew_forever, daemon=True, name="leases")
            self._renewer.start()

    def _renew_forever(self) -> None:
        while True:
            time.sleep(RENEW_S)
            try:
                self.renew()
            except StoreUnavailable:
                log.warning("leases_not_renewed", leases=len(self._held))
            except Exception:
                log.exception("lease_renewal_failed")

    def renew(self) -> None:
        """Prolong every lease that this process holds."""
        by_tenant: defaultdict[str, list[str]] = defaultdict(list)
        for lease_id, tenant_id in list(self._held.items()):
            by_tenant[tenant_id].append(lease_id)
        renewals = [
            (tenant_id, batch) for tenant_id, leases in by_tenant.items() for batch in _batches(leases, LEASES_AT_ONCE)
        ]
        for together in _batches(renewals, TENANTS_AT_ONCE):
            calls = (((self._keys.connections(tenant_id),), [LEASE_S, *leases]) for tenant_id, leases in together)
            with self._circuit.guard():
                run_for_each(self._client, self._renew, calls)
            # One that was freed meanwhile must not stay behind for a minute.
            for tenant_id, leases in together:
                for lease_id in set(leases) - self._held.keys():
                    with self._circuit.guard():
                        self._client.zrem(self._keys.connections(tenant_id), lease_id)


def _descriptors() -> int:
    """How many connections this process could hold before the kernel refuses it one, which would make it deaf."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (2**31 if allowed == resource.RLIM_INFINITY else allowed) - RESERVED_DESCRIPTORS)


def _batches(items: list[T], size: int) -> Iterable[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
