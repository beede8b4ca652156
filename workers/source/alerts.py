"""What Daybook keeps of alerts, as a load reads it: the ones that matter now, and where each tenant's rules begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from shared.thresholds import LIMITS, AlertThresholds
from workers.facts import KnownAlert
from workers.source.batch import Batch, refuse_nonsense, statement

# Which alerts could be changed by what is computed now? Today's, those that have not ended, and those whose snooze runs on.
# The revision stands in every row; a tenant without such alerts has one row all the same.
KNOWN = statement("""
    SELECT a.tenant_id, coalesce(b.revision, 0) AS revision, k.alert_id, k.rule, k.subject, k.local_date, k.level,
           k.message, k.metric, k.action_required, k.provisional, k.raised_at, k.snoozed_until, k.cleared_at
    FROM asked a
    LEFT JOIN dashboard.alert_board b ON b.tenant_id = a.tenant_id
    LEFT JOIN LATERAL (
        SELECT * FROM dashboard.alert
        WHERE tenant_id = a.tenant_id AND b.revision > 0
            AND (cleared_at IS NULL OR local_date = a.today OR snoozed_until > CAST(:now AS timestamptz))
        OFFSET 0
    ) k ON true
""")

# Where do this tenant's rules begin? A rule that this version does not know is left alone.
THRESHOLDS = statement("""
    SELECT a.tenant_id, t.rule, t.value FROM asked a JOIN dashboard.threshold t ON t.tenant_id = a.tenant_id
""")


def read_known(batch: Batch) -> tuple[dict[str, int], dict[str, tuple[KnownAlert, ...]]]:
    """Each tenant's revision, and its alerts that matter now."""
    revisions: dict[str, int] = {}
    known: dict[str, list[KnownAlert]] = {}
    for tenant_id, revision, *columns in batch.execute(KNOWN):
        revisions[tenant_id] = revision
        if columns[0] is not None:
            known.setdefault(tenant_id, []).append(known_alert(columns))
    return revisions, {tenant_id: tuple(alerts) for tenant_id, alerts in known.items()}


def known_alert(columns: Sequence[Any]) -> KnownAlert:
    """An alert from columns in the order of KnownAlert's fields."""
    return KnownAlert(**dict(zip((field.name for field in fields(KnownAlert)), columns, strict=True)))


def read_thresholds(batch: Batch, defaults: AlertThresholds) -> Mapping[str, AlertThresholds]:
    """The tenants' thresholds; raises InvalidData for one that is no number."""
    own: dict[str, dict[str, Decimal]] = {}
    for tenant_id, rule, value in batch.execute(THRESHOLDS):
        refuse_nonsense(tenant_id, [value])
        if rule in LIMITS:
            own.setdefault(tenant_id, {})[rule] = value
    return {tenant_id: replace(defaults, **own.get(tenant_id, {})) for tenant_id in batch.tenants}
