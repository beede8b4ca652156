"""Whose totals of past days are not what the documents say any more: parts of the statements that ask."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

# A load reads the 60 days before the tenant's today by itself, whatever its time zone.
LATEST_KEPT = timedelta(days=57)

# What has the tenant t changed of its past that nobody has seen to? A change for everyone concerns each tenant until it has
# been noted for each of them.
CHANGED = """
    LATERAL (
        SELECT min(least(CASE WHEN oldest_day < DATE '0001-01-01' THEN DATE '0001-01-01' ELSE oldest_day END,
                         DATE '9999-12-31')) FILTER (WHERE oldest_day < 'infinity') AS oldest,
               coalesce(bool_or(oldest_day IS NULL), false) AS unknown,
               array_agg(id) FILTER (WHERE tenant_id <> '*') AS own,
               (SELECT array_agg(DISTINCT named) FROM dashboard.change d, unnest(d.document_ids) AS named
                WHERE d.tenant_id IN (t.tenant_id, '*')) AS documents
        FROM dashboard.change
        WHERE tenant_id IN (t.tenant_id, '*') AND (oldest_day IS DISTINCT FROM 'infinity' OR document_ids IS NOT NULL)
        OFFSET 0
    )
"""

# Are the totals, of which b tells, on another currency or basis?
OTHER = """
    (b.base_currency IS DISTINCT FROM coalesce(t.base_currency::text, 'XXX')
     OR b.on_cash IS DISTINCT FROM coalesce(t.basis = 'cash', false))
"""

# Are they missing, on another basis, too short, or older than a change of them that is pending (c)?
BEHIND = f"""
    (b.tenant_id IS NULL OR b.kept_through IS NULL OR b.kept_through < CAST(:needed AS date) OR {OTHER}
     OR c.unknown OR c.oldest <= b.kept_through OR t.basis = 'cash' AND c.documents IS NOT NULL)
"""


def needed(now: datetime | None) -> date:
    """Up to which day totals must be kept at that moment (aware; by default the present)."""
    return (now or datetime.now(UTC)).astimezone(UTC).date() - LATEST_KEPT
