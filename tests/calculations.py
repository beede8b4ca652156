"""Both calculations of a tenant: the batch that is served and the independent one, which must agree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from shared.snapshot import Overview, Snapshot, encode
from workers.audit.recount import Expected, differences, expected
from workers.kpi.dashboard import dashboard
from workers.source import Source


def served(body: Snapshot | Overview) -> Any:
    """The body as a client reads it, amounts as Decimal."""
    return json.loads(encode(body), parse_float=Decimal)


def disagreements(engine: Engine, tenant_ids: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """What differs between the two, by tenant, all of them loaded as one batch; empty when they agree."""
    source = Source(engine)
    source.mend(tenant_ids, now=now)
    source.make_totals_anew(len(tenant_ids))
    facts = source.load(tenant_ids, now=now).facts
    found = {}
    for tenant_id in tenant_ids:
        board = dashboard(facts[tenant_id], computed_at=now)
        found[tenant_id] = differences(
            expected(engine, tenant_id, now=now), served(board.snapshot), served(board.overview)
        )
    return {tenant_id: lines for tenant_id, lines in found.items() if lines}


def agreed(engine: Engine, tenant_id: str, now: datetime) -> Expected:
    """What both calculations show for one tenant."""
    assert disagreements(engine, [tenant_id], now) == {}
    return expected(engine, tenant_id, now=now)
