"""Customer credit: clients' money that pays for nothing yet. Parts of the statement in balances.py."""

from __future__ import annotations

from workers.facts import CreditGroup
from workers.source.batch import Family

# What is left of each payment, refund and credit note that may have something left? What the host says, else what no target
# took: of wanted targets what they really did, of others (see doubtful.py) the whole amount. A credit note is used by the
# refunds that pay it out, too. A link whose worth in the source's currency no rate tells leaves it unknown: then only what
# links of its own currency took is known to be gone, and the value is not known at all; `lacks` names the currency, if it is
# not the source's own.
_SPARE = """
    source AS MATERIALIZED (
        SELECT d.tenant_id, d.source_kind, d.source_id, s.client_id::text AS client_id, s.day,
               coalesce(s.currency::text, 'XXX') AS currency, s.base_rate, coalesce(s.amount, 'NaN') AS amount, s.given
        FROM {reached} d
        JOIN asked a ON a.tenant_id = d.tenant_id
        CROSS JOIN LATERAL (
            SELECT client_id, paid_on AS day, currency, base_rate, amount, unapplied AS given
            FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND payment_id = d.source_id AND kind = d.source_kind
                AND status = 'succeeded' AND paid_on <= a.today
            UNION ALL
            SELECT client_id, issue_date, currency, base_rate, total, balance FROM dashboard.invoice AS note
            WHERE tenant_id = a.tenant_id AND invoice_id = d.source_id AND kind = d.source_kind AND kind = 'credit_note'
                AND status = 'posted' AND issue_date <= a.today
            OFFSET 0
        ) s
    ),
    used AS (
        SELECT tenant_id, source_kind, source_id, sum(worth) AS worth,
               sum(taken) FILTER (WHERE source_currency = target_currency) AS taken,
               bool_or(worth IS NULL AND taken > 0) AS unknown,
               min(lacks) FILTER (WHERE taken > 0) AS lacks
        FROM (
            SELECT tenant_id, source_kind, source_id, source_currency, target_currency, taken, worth, lacks FROM followed
            UNION ALL
            SELECT s.tenant_id, s.source_kind, s.source_id, s.currency, s.currency, l.amount, l.amount, NULL
            FROM source s
            CROSS JOIN LATERAL (
                SELECT invoice_id::text AS target_id, coalesce(amount, 'NaN') AS amount
                FROM dashboard.allocation AS allocation
                WHERE s.given IS NULL AND tenant_id = s.tenant_id AND source_kind = s.source_kind AND source_id = s.source_id
                OFFSET 0
            ) l
            FULL JOIN wanted w ON w.tenant_id = s.tenant_id AND w.target_id = l.target_id
            WHERE {there s.tenant_id} AND CASE WHEN w.tenant_id IS NULL THEN true ELSE false END
            UNION ALL
            SELECT tenant_id, target_kind, target_id, target_currency, target_currency, taken, taken, NULL
            FROM followed
            WHERE target_kind = 'credit_note'
        ) uses
        GROUP BY tenant_id, source_kind, source_id
    ),
    spare AS MATERIALIZED (
        SELECT s.*, s.given IS NULL AND coalesce(u.unknown, false) AS unknown, u.lacks,
               greatest(0, CASE WHEN s.given IS NOT NULL THEN s.given
                                WHEN u.unknown THEN s.amount - coalesce(u.taken, 0)
                                ELSE s.amount - coalesce(u.worth, 0) END) AS left_over
        FROM source s
        FULL JOIN used u ON u.tenant_id = s.tenant_id AND u.source_kind = s.source_kind AND u.source_id = s.source_id
        WHERE {there s.tenant_id}
    )
"""

_REACHED = """(
            SELECT tenant_id, source_kind, source_id FROM doubtful_source WHERE valid
            UNION
            SELECT w.tenant_id, l.source_kind::text, l.source_id::text
            FROM wanted w
            CROSS JOIN LATERAL (
                SELECT * FROM dashboard.allocation AS allocation
                WHERE tenant_id = w.tenant_id AND invoice_id = w.target_id
                OFFSET 0
            ) l
        )"""
SPARE = _SPARE.replace("{reached}", _REACHED)
SPARE_OF_UNSETTLED = _SPARE.replace("{reached}", "reached_source")

# Each of them that has something left: what in its own currency, and what that is worth.
UNSPENT = """
    SELECT a.tenant_id, {payer} AS client_id, p.kind, p.currency, own_money.amount,
           CASE p.kind WHEN 'refund' THEN -1 ELSE 1 END AS sign,
           CASE WHEN NOT p.unknown AND money.no_rate IS NULL
                THEN round(trimmed.left_over * money.factor, money.places) END AS base,
           CASE WHEN p.unknown THEN p.lacks END AS lacks, CASE WHEN p.unknown THEN p.day END AS since
    FROM asked a
    JOIN (SELECT *, source_kind AS kind, source_id AS payment_id FROM spare) p ON p.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (SELECT round(p.left_over, 20) AS left_over) trimmed
    CROSS JOIN LATERAL (SELECT round(trimmed.left_over, {minor p.currency}) AS amount) own_money
    CROSS JOIN LATERAL (SELECT p.currency, {balance p} AS rate_to_base OFFSET 0) converted
    {money converted}
    WHERE own_money.amount <> 0
"""

CREDITS = Family(
    "credits",
    CreditGroup,
    """
    SELECT tenant_id, client_id, kind, currency, count(*) AS documents, sum(sign * amount) AS amount,
           sum(sign * base) AS base, lacks, min(since) AS since
    FROM (
        {unspent}
    ) unspent
    GROUP BY tenant_id, client_id, kind, currency, base IS NULL, lacks
""".replace("{unspent}", UNSPENT),
)
