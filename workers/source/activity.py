"""Which clients did business lately."""

from __future__ import annotations

from workers.source.batch import statement
from workers.source.links import PAYER

# How many distinct clients were active in each window? Active: an invoice was issued, a payment paid, a quote won.
# Credit notes, refunds and documents without a client make nobody active; a payment without one belongs to the client of
# what it pays. age: days before today.
ACTIVITY = statement(
    """
    , seen AS (
        SELECT a.tenant_id, i.client_id, a.today - i.issue_date AS age
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.invoice AS invoice
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND issue_date BETWEEN a.today - 60 AND a.today
            OFFSET 0
        ) i
        WHERE i.kind = 'invoice'
        UNION ALL
        SELECT a.tenant_id, coalesce(p.client_id, payer.client_id), a.today - p.paid_on
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on BETWEEN a.today - 60 AND a.today
            OFFSET 0
        ) p
        {payer}
        WHERE p.kind = 'payment'
        UNION ALL
        SELECT a.tenant_id, q.client_id, a.today - q.decision_day
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT * FROM (
                SELECT *, dashboard.decision_date(status, decided_on, expiry_date, issue_date) AS decision_day
                FROM dashboard.quote AS quote
            ) decided
            WHERE tenant_id = a.tenant_id AND decision_day BETWEEN a.today - 60 AND a.today
            OFFSET 0
        ) q
        WHERE q.status IN ('accepted', 'converted')
    ),
    clients AS (
        SELECT tenant_id, client_id,
               bool_or(age <= 29) AS current,
               bool_or(age BETWEEN 30 AND 59) AS previous,
               bool_or(age BETWEEN 1 AND 30) AS complete,
               bool_or(age >= 31) AS complete_previous
        FROM seen
        WHERE client_id IS NOT NULL
        GROUP BY tenant_id, client_id
    )
    SELECT tenant_id,
           count(*) FILTER (WHERE current) AS current,
           count(*) FILTER (WHERE previous) AS previous,
           count(*) FILTER (WHERE complete) AS complete,
           count(*) FILTER (WHERE complete_previous) AS complete_previous,
           count(*) FILTER (WHERE complete AND complete_previous) AS retained
    FROM clients
    GROUP BY tenant_id
""",
    payer=PAYER,
)
