"""Waits until Daybook can be used, then says where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cli.local.supervise import Service, StartFailed
from cli.tokens import make_token
from cli.web_process import base_url, is_ready
from shared.errors import StoreUnavailable
from shared.settings import Settings
from shared.shown_settings import masked
from shared.store import SnapshotReader

READY_TIMEOUT_S = 90.0
# A process that dies so often before Daybook was ever ready is not going to recover.
FATAL_DEATHS = 4
DEMO_TOKEN_TTL_S = 7 * 24 * 3600
_PROBE_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """One tenant of the demo."""

    tenant_id: str
    name: str


def wait_until_ready(
    settings: Settings,
    services: Sequence[Service],
    reader: SnapshotReader,
    tenants: Sequence[str],
    announce: Callable[[], None],
) -> Iterator[None]:
    """Yield until the web process is ready and each of `tenants` has a snapshot, then announce it, once."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not (is_ready(settings) and _all_computed(reader, tenants)):
        probe_again_at = time.monotonic() + _PROBE_EVERY_S
        for service in services:
            if service.deaths >= FATAL_DEATHS:
                raise StartFailed(f"{service.name} does not start; its output above says why")
        if time.monotonic() > deadline:
            raise StartFailed(f"not ready within {READY_TIMEOUT_S:g} s")
        while time.monotonic() < probe_again_at:
            yield
    announce()


def _all_computed(reader: SnapshotReader, tenants: Sequence[str]) -> bool:
    try:
        return not tenants or all(stored.snapshot or stored.failing for stored in reader.read_many(tenants))
    except StoreUnavailable:
        return False


def announcement(settings: Settings, demo: Sequence[DemoTenant], *, show_secrets: bool, took_s: float) -> str:
    """What to print when everything is up."""
    url, shown = f"{base_url(settings)}{settings.base_path}", (lambda address: address) if show_secrets else masked
    lines = [("Dashboard", f"{url}/")]
    if demo:
        token = make_token(demo[0].tenant_id, settings.jwt, ttl_s=DEMO_TOKEN_TTL_S)
        lines = [
            ("Dashboard", f"{url}/demo/sign-in?token={token}"),
            ("Demo token", f"{token}  ({demo[0].name})"),
            ("Tenants", ", ".join(tenant.tenant_id for tenant in demo)),
        ]
    lines += [("PostgreSQL", shown(settings.database_url or "")), ("Redis", shown(settings.redis_url))]
    body = "\n".join(f"  {label:<11} {text}" for label, text in lines)
    more = "  bin/dash demo --live makes it move, LOG_LEVEL=INFO bin/run says more, Ctrl-C stops everything."
    return f"\nDaybook is ready after {took_s:.1f} s: {url}\n\n{body}\n\n{more}\n"
