"""`bin/dash audit`: the audit by hand, of tenants of any size; its findings count like those of the scheduled one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import click
import redis
from sqlalchemy import Engine

from cli.database import command_engine
from cli.known import REDIS_TIMEOUT_S, known_environment, load_settings
from cli.progress import progress
from cli.recalculation import recalculate_tenants
from cli.tenants import tenant_ids
from shared.keys import Keys
from shared.redis_client import connect
from shared.settings import Settings
from shared.store import SnapshotReader
from workers.audit import Audit, Finding, record


@click.command()
@click.option("--all", "everyone", is_flag=True, help="Every tenant.")
@click.argument("user_ids", nargs=-1, metavar="[USER_ID]...")
def audit(everyone: bool, user_ids: tuple[str, ...]) -> None:
    """Compare what is served with an independent calculation: these tenants, or a few chosen at random.

    Tenants that drift are recomputed on the workers. Exit code 1 if any drifted.
    """
    if everyone and user_ids:
        raise click.UsageError("name the tenants, or say --all")
    settings = load_settings(known_environment())
    engine = command_engine(settings.database_url)
    with connect(settings.redis_url, timeout_s=REDIS_TIMEOUT_S) as client, progress() as advance:
        client.ping()
        ids = tenant_ids(engine) if everyone else list(dict.fromkeys(user_ids)) or None
        findings = _audited(ids, engine, settings, client, advance=advance)
    counts = Counter(finding.verdict for finding in findings)
    print(
        f"{len(findings):,} tenants: {counts['clean']:,} clean, {counts['drift']:,} drift, {counts['skipped']:,} skipped"
    )
    for finding in findings:
        for line in (finding.reason, *finding.lines) if finding.verdict != "clean" else ():
            if line:
                print(f"  {finding.tenant_id}: {line}", file=sys.stderr)
    sys.exit(1 if counts["drift"] else 0)


def _audited(
    ids: Sequence[str] | None,
    engine: Engine,
    settings: Settings,
    client: redis.Redis,
    *,
    advance: Callable[[str, int, int], None],
) -> list[Finding]:
    """Audit these tenants, or a sample; those that must be recomputed are, on the workers."""
    keys = Keys(settings.key_prefix)

    def recompute(tenant_id: str) -> None:
        recalculate_tenants([tenant_id], queue="commands", advance=lambda *_: None)

    reader = SnapshotReader(client, keys)
    look = Audit(engine=engine, reader=reader, recompute=recompute, thresholds=settings.alerts, most_rows=None)
    wanted = look.sample() if ids is None else ids
    findings: list[Finding] = []
    for finding in look.findings(wanted):
        record(finding, client, keys)
        findings.append(finding)
        advance("auditing", len(findings), len(wanted))
    return findings
