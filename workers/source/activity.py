"""Which clients did business lately."""

from __future__ import annotations

from workers.facts import ClientActivity
from workers.source.batch import Family

# How many distinct clients were active in each window? Active: an invoice was issued, a payment paid, a quote won.
# Credit notes, refunds and documents without a client make nobody active; a payment without one belongs to the client of
# what it pays. age: days before today.
ACTIVITY = Family(
    "activity",
    ClientActivity,
    """
    SELECT tenant_id,
           count(*) FILTER (WHERE current) AS current,
           count(*) FILTER (WHERE previous) AS previous,
           count(*) FILTER (WHERE complete) AS complete,
           count(*) FILTER (WHERE complete_previous) AS complete_previous,
           count(*) FILTER (WHERE complete AND complete_previous) AS retained
    FROM (
        SELECT tenant_id, client_id,
               bool_or(age <= 29) AS current,
               bool_or(age BETWEEN 30 AND 59) AS previous,
               bool_or(age BETWEEN 1 AND 30) AS complete,
               bool_or(age >= 31) AS complete_previous
        FROM (
            SELECT tenant_id, client_id, today - day AS age FROM recent_invoice WHERE kind = 'invoice' AND day >= today - 60
            UNION ALL
            SELECT tenant_id, client_id, today - day FROM recent_payment WHERE kind = 'payment'
            UNION ALL
            SELECT tenant_id, client_id, age FROM decided_quote WHERE outcome = 'won' AND age <= 60
        ) seen
        WHERE client_id IS NOT NULL
        GROUP BY tenant_id, client_id
    ) active
    GROUP BY tenant_id
""",
)
