"""Quotes: how they were decided lately, and which are still open."""

from __future__ import annotations

from workers.source.batch import statement

# How were the quotes of the trailing 180 days decided, and what is still out? A sent quote is decided, and lost, on the
# day after its expiry (that is the function's rule); until then it is open. Drafts and void ones are never decided.
QUOTES = statement("""
    SELECT a.tenant_id, q."window", q.outcome, money.currency,
           CASE WHEN own.rate IS NULL THEN q.issue_date END AS rate_date,
           count(*) AS documents, count(*) FILTER (WHERE q.issue_date > a.today) AS anomalies,
           sum(coalesce(q.total, 'NaN') * money.factor) AS amount, q.expires_on
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN a.today - decided.decision_day < 30 THEN 'recent'
                    WHEN a.today - decided.decision_day < 90 THEN 'current'
                    ELSE 'previous' END AS "window",
               CASE WHEN decided.status IN ('accepted', 'converted') THEN 'won' ELSE 'lost' END AS outcome,
               decided.issue_date, decided.currency, decided.base_rate, decided.total, NULL::date AS expires_on
        FROM (
            SELECT *, dashboard.decision_date(status, decided_on, expiry_date, issue_date) AS decision_day
            FROM dashboard.quote
        ) decided
        WHERE decided.tenant_id = a.tenant_id AND decided.decision_day BETWEEN a.today - 179 AND a.today
        UNION ALL
        SELECT NULL, 'open', issue_date, currency, base_rate, total,
               CASE WHEN expiry_date <= a.today + 90 THEN expiry_date END
        FROM dashboard.quote
        WHERE tenant_id = a.tenant_id AND status = 'sent' AND coalesce(expiry_date, 'infinity') >= a.today
        OFFSET 0
    ) q
    {converted q}
    GROUP BY a.tenant_id, q."window", q.outcome, money.currency, rate_date, q.expires_on
""")
