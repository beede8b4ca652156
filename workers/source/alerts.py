"""What Daybook keeps of alerts, as a load reads it: the ones that matter now, and where each tenant's rules begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from shared.thresholds import LIMITS, AlertThresholds
from workers.facts import KnownAlert, Row
from workers.source.batch import Family


class Threshold(Row, frozen=True, kw_only=True):
    """Where one rule of a tenant begins."""

    rule: str
    value: Decimal


# Which alerts could be changed by what is computed now? Those that have not ended, of the others today's, and those whose
# snooze runs on; each of these through an index of its own, of which that of all that have ended must not be one.
KNOWN = Family(
    "alerts",
    KnownAlert,
    """
    SELECT k.*
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.alert WHERE tenant_id = a.tenant_id AND cleared_at IS NULL
        UNION ALL
        SELECT * FROM dashboard.alert WHERE tenant_id = a.tenant_id AND local_date = a.today AND {there cleared_at}
        UNION ALL
        SELECT * FROM dashboard.alert
        WHERE tenant_id = a.tenant_id AND snoozed_until > CAST(:now AS timestamptz)
            AND local_date <> a.today AND {there cleared_at}
        OFFSET 0
    ) k
""",
)

# Where do this tenant's rules begin?
THRESHOLDS = Family(
    "thresholds",
    Threshold,
    """
    SELECT t.*
    FROM asked a
    CROSS JOIN LATERAL (SELECT * FROM dashboard.threshold WHERE tenant_id = a.tenant_id OFFSET 0) t
""",
)


def with_own(defaults: AlertThresholds, own: Iterable[Threshold]) -> AlertThresholds:
    """The thresholds, the tenant's own first. A rule that this version does not know is left alone."""
    known = {threshold.rule: threshold.value for threshold in own if threshold.rule in LIMITS}
    return replace(defaults, **known) if known else defaults
