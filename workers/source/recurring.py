"""Templates of recurring invoices and expenses."""

from __future__ import annotations

from workers.facts import Recurring
from workers.source.batch import Family

# Which templates will make a document within the 30 days that begin today, and which was the newest that each made? One
# that ends in the distant future (or a date that Python cannot hold) just does not end.
RECURRING = Family(
    "recurring",
    Recurring,
    """
    SELECT a.tenant_id, r.kind, coalesce(r.currency::text, 'XXX') AS currency,
           round(r.worth, {minor r.currency}) AS amount,
           CASE WHEN money.no_rate IS NULL THEN round(r.worth * money.factor, money.places) END AS base,
           r.interval_unit, r.interval_count, r.next_on,
           CASE WHEN r.ends_on < DATE '9999-12-31' THEN {held r.ends_on} END AS ends_on,
           coalesce(r.terms_days, 0) AS terms_days, {held made.newest} AS newest_document
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT *, {balance active} AS rate_to_base
        FROM (
            SELECT tenant_id, recurring_id, kind, currency, coalesce(amount, 'NaN') AS worth, NULL::numeric AS base_rate,
                   interval_unit, interval_count, next_on, ends_on, terms_days
            FROM dashboard.recurring AS template WHERE tenant_id = a.tenant_id AND active
        ) active
        OFFSET 0
    ) r
    {money r}
    CROSS JOIN LATERAL (
        SELECT CASE r.kind
            WHEN 'invoice' THEN (
                SELECT max(i.issue_date) FROM dashboard.invoice AS i
                WHERE i.tenant_id = r.tenant_id AND i.recurring_id = r.recurring_id AND i.status = 'posted'
                    AND i.kind = 'invoice')
            ELSE (
                SELECT max(e.expense_date) FROM dashboard.expense AS e
                WHERE e.tenant_id = r.tenant_id AND e.recurring_id = r.recurring_id AND e.status = 'posted')
            END AS newest
        OFFSET 0
    ) made
    WHERE r.kind IN ('invoice', 'expense') AND r.interval_unit IN ('day', 'week', 'month', 'year')
        AND r.interval_count > 0 AND r.next_on <= a.today + 29
""",
)
