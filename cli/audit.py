"""`bin/dash audit`: the audit by hand, of tenants of any size; its findings count like those of the scheduled one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import redis

from cli.recalculation import recalculate
from shared.keys import Keys
from shared.settings import Settings
from shared.store import SnapshotReader
from workers.audit import Audit, Finding, record
from workers.database import make_engine


def audit(
    tenant_ids: Sequence[str] | None,
    settings: Settings,
    client: redis.Redis,
    *,
    advance: Callable[[str, int, int], None],
) -> list[Finding]:
    """Audit these tenants, or a sample; those that must be recomputed are, on the workers."""
    keys = Keys(settings.key_prefix)

    def recompute(tenant_id: str) -> None:
        recalculate([tenant_id], queue="commands", advance=lambda *_: None)

    engine = make_engine(settings.database_url or "")
    reader = SnapshotReader(client, keys)
    look = Audit(engine=engine, reader=reader, recompute=recompute, thresholds=settings.alerts, most_rows=None)
    wanted = look.sample() if tenant_ids is None else tenant_ids
    findings: list[Finding] = []
    for finding in look.findings(wanted):
        record(finding, client, keys)
        findings.append(finding)
        advance("auditing", len(findings), len(wanted))
    engine.dispose()
    return findings
