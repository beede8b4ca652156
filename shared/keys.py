"""Every Redis key and channel, built here and nowhere else. Tenant ids come from tokens and rows, so they end a key."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix, so that several Daybooks (and every test) can share one Redis."""

    prefix: str = "daybook"

    def snapshot(self, tenant_id: str) -> str:
        """Hash of one tenant's current snapshot; its fields are listed in shared/store.py."""
        return f"{self.prefix}:snapshot:{tenant_id}"

    def alerts(self, tenant_id: str) -> str:
        """Hash of one tenant's alerts and subscriptions; its fields are listed in shared/alert_store.py."""
        return f"{self.prefix}:alerts:{tenant_id}"

    @property
    def notices(self) -> str:
        """Channel of change notices, status changes and heartbeats; see shared/notices.py."""
        return f"{self.prefix}:notices"

    @property
    def pulse(self) -> str:
        """JSON of the newest worker pulse: proof that a task finished lately, and how the database answered it."""
        return f"{self.prefix}:pulse"

    def process(self, name: str) -> str:
        """Present while a process runs: with which settings; see shared/running.py."""
        return f"{self.prefix}:process:{name}"

    @property
    def listener(self) -> str:
        """Milliseconds of the newest pass of a change listener over the database."""
        return f"{self.prefix}:listener"

    def receipt(self, tenant_id: str, name: str) -> str:
        """Hash of the documents behind a number, for one version and question; see shared/receipts.py."""
        return f"{self.prefix}:receipt:{name}:{tenant_id}"

    def receipt_in_flight(self, tenant_id: str, digest: str) -> str:
        """Id of the task that is making a receipt."""
        return f"{self.prefix}:receipt-in-flight:{digest}:{tenant_id}"

    @property
    def write_probe(self) -> str:
        """Never there: deleted in order to learn whether the server can be written to."""
        return f"{self.prefix}:write-probe"

    @property
    def metrics(self) -> str:
        """Hash of what the workers counted; see shared/counters.py."""
        return f"{self.prefix}:metrics"

    @property
    def failing(self) -> str:
        """Set of the tenants whose newest computation failed."""
        return f"{self.prefix}:failing"

    @property
    def drifting(self) -> str:
        """Set of the tenants whose snapshot an audit found wrong, until an audit finds it right."""
        return f"{self.prefix}:drifting"

    @property
    def looked(self) -> str:
        """Sorted set of the tenants that somebody looks at, by when last (seconds); see shared/looked.py."""
        return f"{self.prefix}:looked"

    @property
    def drift(self) -> str:
        """Hash of what is known of each of these by tenant; see shared/drift.py."""
        return f"{self.prefix}:drift"

    @property
    def cost(self) -> str:
        """Sorted set of the tenants by the milliseconds of the newest task that computed them, shared by its tenants."""
        return f"{self.prefix}:cost"

    def swept(self, who: str) -> str:
        """Until when (seconds) a sweep has taken those whose turn it was; absent before its first tick."""
        return f"{self.prefix}:swept:{who}"

    def queue(self, name: str) -> str:
        """List of the tasks that wait in a Celery queue; shared/broker.py gives Celery its prefix."""
        return f"{self.celery}{name}"

    @property
    def celery(self) -> str:
        """Prefix of Celery's own keys."""
        return f"{self.prefix}:celery:"

    def tick(self, name: str, slot: int) -> str:
        """Claim of one slot of a scheduled task: the beat that sets it first runs the task."""
        return f"{self.prefix}:tick:{name}:{slot}"

    def throttle(self, tenant_id: str) -> str:
        """Present while a tenant must not be computed again because of row changes."""
        return f"{self.prefix}:throttle:{tenant_id}"

    def in_a_row(self, tenant_id: str) -> str:
        """How often a tenant was computed without a pause, see workers/capture/throttle.py; gone after one."""
        return f"{self.prefix}:inarow:{tenant_id}"

    def in_flight(self, tenant_id: str) -> str:
        """Task id of the recalculation that requests for one tenant share."""
        return f"{self.prefix}:inflight:{tenant_id}"

    def idempotency(self, tenant_id: str, digest: str) -> str:
        """Stored answer to one Idempotency-Key of one tenant."""
        return f"{self.prefix}:idempotency:{digest}:{tenant_id}"

    def connections(self, tenant_id: str) -> str:
        """Sorted set of the leases of a tenant's open sockets and streams, scored by expiry."""
        return f"{self.prefix}:connections:{tenant_id}"

    def ticket(self, digest: str) -> str:
        """What a one-time ticket stands for, under the digest of the ticket."""
        return f"{self.prefix}:ticket:{digest}"

    def revoked(self, token_id: str) -> str:
        """Present while the token of this id (its `jti`) is refused although it has not expired."""
        return f"{self.prefix}:revoked:{token_id}"

    def poison(self, tenant_id: str) -> str:
        """How often a computation of this tenant was lost with its worker."""
        return f"{self.prefix}:poison:{tenant_id}"

    def attempts(self, task_id: str) -> str:
        """How often a task was begun and not ended: more than once means that a worker was lost with it."""
        return f"{self.prefix}:attempts:{task_id}"

    @property
    def limits(self) -> str:
        """Prefix of the rate limiter's own keys."""
        return f"{self.prefix}:limits"
