"""Revenue on cash basis: what the money of the last days brought, allocation by allocation."""

from __future__ import annotations

from workers.facts import AllocationGroup, SettlementGroup
from workers.source.batch import Family
from workers.source.links import FOLLOWED, LINKS_OF_WANTED

# What did the payments and refunds of the trailing 60 days and today bring, without the tax that is in it, and how many of
# them can be converted? Each link brings its target's share without tax, at its target's rate, rounded by itself; a refund
# takes it away. What a link takes depends on the earlier ones of its target, and for a refund of a credit note on what
# invoices took of that: so all links of these few targets are read. Rounding to 40 places makes the division keep as many.
_WANTED = """
    recent AS MATERIALIZED (
        SELECT a.*, p.kind AS source_kind, p.payment_id::text AS source_id, p.paid_on AS day
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment AS payment
            WHERE a.on_cash AND tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.today - 60 AND a.today
            OFFSET 0
        ) p
        WHERE p.kind IN ('payment', 'refund')
    ),
    touched AS (
        SELECT a.tenant_id, l.invoice_id::text AS target_id
        FROM recent a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = a.tenant_id AND source_kind = a.source_kind AND source_id = a.source_id
            OFFSET 0
        ) l
        GROUP BY a.tenant_id, l.invoice_id::text
    ),
    refunded AS (
        SELECT n.tenant_id, n.invoice_id
        FROM touched t
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS note
            WHERE tenant_id = t.tenant_id AND invoice_id = t.target_id AND kind = 'credit_note' AND balance IS NULL
            OFFSET 0
        ) n
    ),
    wanted AS (
        SELECT tenant_id, target_id FROM touched
        UNION
        SELECT l.tenant_id, l.invoice_id
        FROM refunded n
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.allocation AS allocation
            WHERE tenant_id = n.tenant_id AND source_kind = 'credit_note' AND source_id = n.invoice_id
            OFFSET 0
        ) l
    )
"""
_BROUGHT = """
    brought AS MATERIALIZED (
        SELECT f.tenant_id, f.day, f.source_kind, f.source_id, money.no_rate, a.issue_date,
               CASE WHEN a.target_kind = 'credit_note' THEN -1 ELSE 1 END
               * CASE WHEN a.total = 0 THEN 0
                      WHEN a.tax = 0 THEN round(f.settles * money.factor, money.places)
                      ELSE round(round(f.settles * (a.total - a.tax) * money.factor, 40) / a.total, money.places) END AS net
        FROM (
            SELECT f.tenant_id, f.target_id, f.settles, r.source_kind, r.source_id, r.day
            FROM followed f
            FULL JOIN recent r
                ON r.tenant_id = f.tenant_id AND r.source_kind = f.source_kind AND r.source_id = f.source_id
            WHERE {both f.tenant_id r.tenant_id} AND CASE WHEN f.settles = 0 THEN false ELSE true END
        ) f
        FULL JOIN target a ON a.tenant_id = f.tenant_id AND a.target_id = f.target_id
        CROSS JOIN LATERAL (SELECT a.currency, {flow a on a.issue_date} AS rate_to_base OFFSET 0) converted
        {money converted}
        WHERE {both f.tenant_id a.tenant_id}
    )
"""
CASH_REVENUE = (_WANTED, LINKS_OF_WANTED, FOLLOWED, _BROUGHT)

# What each day brought…
ALLOCATIONS = Family(
    "allocations",
    AllocationGroup,
    """
    SELECT tenant_id, day, no_rate, sum(net) AS net, CASE WHEN no_rate IS NOT NULL THEN {held min(issue_date)} END AS since
    FROM brought
    GROUP BY tenant_id, day, no_rate
""",
)

# …and the payments and refunds behind it.
SETTLEMENTS = Family(
    "settlements",
    SettlementGroup,
    """
    SELECT tenant_id, day, count(*) AS documents, lacking
    FROM (
        SELECT r.tenant_id, r.day,
               coalesce(array_agg(DISTINCT b.no_rate) FILTER (WHERE b.no_rate IS NOT NULL), '{}') AS lacking
        FROM recent r
        FULL JOIN brought b
            ON b.tenant_id = r.tenant_id AND b.source_kind = r.source_kind AND b.source_id = r.source_id
        GROUP BY r.tenant_id, r.day, r.source_kind, r.source_id
    ) settled
    GROUP BY tenant_id, day, lacking
""",
)
