"""Quotes: how they were decided lately, and which are still open."""

from __future__ import annotations

from workers.facts import QuoteGroup
from workers.source.batch import Family

# How were the quotes of the trailing 180 days decided? A sent quote is decided, and lost, on the day after its expiry (that
# is the function's rule); until then it is open, and so is one whose decision is dated ahead. Drafts and void ones are never
# decided. Decisions are flows of their issue date. Read once, for whatever looks at it. age: days since the decision.
DECIDED_QUOTES = """
    decided_quote AS MATERIALIZED (
        SELECT a.tenant_id, q.client_id::text AS client_id, a.today - q.decision_day AS age,
               CASE WHEN q.status IN ('accepted', 'converted') THEN 'won' ELSE 'lost' END AS outcome,
               q.issue_date, q.issue_date > a.today AS anomaly, money.no_rate,
               round(coalesce(q.total, 'NaN') * money.factor, money.places) AS amount
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT quote_id, reference, client_id, status, issue_date, expiry_date, decision_day, currency, total,
                   {flow decided on decided.issue_date} AS rate_to_base
            FROM (
                SELECT *, dashboard.decision_date(status, decided_on, expiry_date, issue_date) AS decision_day
                FROM dashboard.quote AS quote
            ) decided
            WHERE tenant_id = a.tenant_id AND decision_day BETWEEN a.today - 179 AND a.today
            OFFSET 0
        ) q
        {money q}
    )
"""

# These, and what is still out: a balance.
QUOTES = Family(
    "quotes",
    QuoteGroup,
    """
    SELECT tenant_id, CASE WHEN age < 30 THEN 'recent' WHEN age < 90 THEN 'current' ELSE 'previous' END AS "window",
           outcome, no_rate, count(*) AS documents, count(*) FILTER (WHERE anomaly) AS anomalies, sum(amount) AS amount,
           NULL::date AS expires_on, CASE WHEN no_rate IS NOT NULL THEN {held min(issue_date)} END AS since
    FROM decided_quote
    GROUP BY tenant_id, "window", outcome, no_rate
    UNION ALL
    SELECT a.tenant_id, NULL, 'open', money.no_rate, count(*), count(*) FILTER (WHERE q.issue_date > a.today),
           sum(round(coalesce(q.total, 'NaN') * money.factor, money.places)), q.expires_on,
           CASE WHEN money.no_rate IS NOT NULL THEN a.today END
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT *, {balance undecided} AS rate_to_base
        FROM (
            SELECT issue_date, currency, base_rate, total,
                   CASE WHEN expiry_date <= a.today + 90 THEN expiry_date END AS expires_on
            FROM dashboard.quote AS sent
            WHERE tenant_id = a.tenant_id AND status = 'sent' AND coalesce(expiry_date, 'infinity') >= a.today
            UNION ALL
            SELECT issue_date, currency, base_rate, total, NULL
            FROM (
                SELECT *, dashboard.decision_date(status, decided_on, expiry_date, issue_date) AS decision_day
                FROM dashboard.quote AS quote
            ) decided
            WHERE tenant_id = a.tenant_id AND decision_day > a.today AND status <> 'sent'
        ) undecided
        OFFSET 0
    ) q
    {money q}
    GROUP BY a.tenant_id, a.today, q.expires_on, money.no_rate
""",
)
