"""Whose totals of past days are not what the documents say any more: parts of the statements that ask."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from workers.capture.changes import pending_of

# A load reads the 60 days before the tenant's today by itself, whatever its time zone.
LATEST_KEPT = timedelta(days=57)

# What has the tenant t changed of its past that nobody has seen to? A change for everyone concerns each tenant until it has
# been noted for each of them.
CHANGED = f"""
    LATERAL (
        SELECT min(least(CASE WHEN oldest_day < DATE '0001-01-01' THEN DATE '0001-01-01' ELSE oldest_day END,
                         DATE '9999-12-31')) FILTER (WHERE oldest_day < 'infinity') AS oldest,
               coalesce(bool_or(oldest_day IS NULL), false) AS unknown,
               array_agg(id) FILTER (WHERE tenant_id <> '*') AS own,
               (SELECT array_agg(DISTINCT named) FROM {pending_of("t")} d, unnest(d.document_ids) AS named) AS documents
        FROM {pending_of("t")} c
        WHERE oldest_day IS DISTINCT FROM 'infinity' OR document_ids IS NOT NULL
        OFFSET 0
    )
"""  # noqa: S608 (our own words)

# On which day was the first money that is linked to one of these documents of the tenant t, or to a credit note that is? A
# refund of a credit note takes what invoices have left of it.
_FIRST_MONEY = """
    WITH RECURSIVE named AS (
        SELECT id FROM unnest(c.documents) AS given (id)
        UNION
        SELECT other.id
        FROM named
        CROSS JOIN LATERAL (
            SELECT source_id AS id FROM dashboard.allocation AS taking
            WHERE tenant_id = t.tenant_id AND invoice_id = named.id
            UNION ALL
            SELECT invoice_id FROM dashboard.allocation AS given
            WHERE tenant_id = t.tenant_id AND source_kind = 'credit_note' AND source_id = named.id
        ) other
    )
    SELECT min(CASE WHEN p.paid_on < DATE '0001-01-01' THEN DATE '0001-01-01' ELSE p.paid_on END)
               FILTER (WHERE p.paid_on <= DATE '9999-12-31')
    FROM named
    CROSS JOIN LATERAL (
        SELECT paid_on FROM dashboard.payment AS payment WHERE tenant_id = t.tenant_id AND payment_id = named.id OFFSET 0
    ) p
"""

# And on which before the oldest day of the changes c that is linked to documents issued since? A rate is one of the day on
# which an invoice was issued, and what a payment leaves to a credit note that comes after it decides what refunds of that
# note take, on whatever days they were paid.
_FIRST_AHEAD = """
    SELECT min(CASE WHEN p.paid_on < DATE '0001-01-01' THEN DATE '0001-01-01' ELSE p.paid_on END)
    FROM (
        SELECT * FROM dashboard.invoice AS issued
        WHERE tenant_id = t.tenant_id AND status = 'posted' AND issue_date >= c.oldest
        OFFSET 0
    ) i
    CROSS JOIN LATERAL (
        SELECT source_id FROM dashboard.allocation AS taking
        WHERE (i.kind = 'credit_note'
               OR i.currency::text IS DISTINCT FROM t.base_currency::text AND (i.base_rate > 0) IS NOT TRUE)
            AND tenant_id = t.tenant_id AND invoice_id = i.invoice_id
        OFFSET 0
    ) l
    CROSS JOIN LATERAL (
        SELECT paid_on FROM dashboard.payment AS payment WHERE tenant_id = t.tenant_id AND payment_id = l.source_id OFFSET 0
    ) p
    WHERE p.paid_on < c.oldest
"""

# Since when may money on cash basis have counted otherwise, for the changes c of the tenant t? Too many documents to be
# named stand for all days.
MONEY = f"""
    LATERAL (
        SELECT CASE WHEN t.basis = 'cash' AND '*' = ANY(c.documents) THEN DATE '0001-01-01'
                    WHEN t.basis = 'cash' THEN least(CASE WHEN c.documents IS NOT NULL THEN ({_FIRST_MONEY}) END,
                                                     CASE WHEN c.oldest IS NOT NULL THEN ({_FIRST_AHEAD}) END) END AS oldest
        OFFSET 0
    )
"""

# Are the totals, of which b tells, on another currency or basis?
OTHER = """
    (b.base_currency IS DISTINCT FROM coalesce(t.base_currency::text, 'XXX')
     OR b.on_cash IS DISTINCT FROM coalesce(t.basis = 'cash', false))
"""

# Are they missing, on another basis, too short, or older than a change of them that is pending (c, and its money m)?
BEHIND = f"""
    (b.tenant_id IS NULL OR b.kept_through IS NULL OR b.kept_through < CAST(:needed AS date) OR {OTHER}
     OR c.unknown OR c.oldest <= b.kept_through OR m.oldest <= b.kept_through)
"""


def needed(now: datetime | None) -> date:
    """Up to which day totals must be kept at that moment (aware; by default the present)."""
    return (now or datetime.now(UTC)).astimezone(UTC).date() - LATEST_KEPT
