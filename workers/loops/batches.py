"""Which due tenants share a task: one set of statements serves twenty, but nobody waits for one that writes without rest."""

from __future__ import annotations

from collections.abc import Sequence

TENANTS_PER_TASK = 20
# Who is due again so soon writes without rest, and may have much to compute.
RESTLESS_S = 2.0
# When more than these are restless there is much to do: then sharing, which costs a quarter, counts for more.
MOST_ALONE = 4


class Batches:
    """Remembers who was sent lately; one for each listener and queue."""

    def __init__(self, tenants_per_task: int = TENANTS_PER_TASK) -> None:
        self._tenants_per_task = tenants_per_task
        self._sent_at: dict[str, float] = {}

    def split(self, tenant_ids: Sequence[str], *, now: float) -> list[list[str]]:
        """The tenants of each task, `now` on a steady clock in seconds: the restless apart from the others and last."""
        self._sent_at = {tenant_id: at for tenant_id, at in self._sent_at.items() if now - at < RESTLESS_S}
        calm = [tenant_id for tenant_id in tenant_ids if tenant_id not in self._sent_at]
        restless = [tenant_id for tenant_id in tenant_ids if tenant_id in self._sent_at]
        self._sent_at.update(dict.fromkeys(tenant_ids, now))
        size = self._tenants_per_task
        return [*_batches(calm, size), *_batches(restless, 1 if len(restless) <= MOST_ALONE else size)]


def _batches(tenant_ids: list[str], size: int) -> list[list[str]]:
    return [tenant_ids[start : start + size] for start in range(0, len(tenant_ids), size)]
