"""Templates of recurring invoices and expenses."""

from __future__ import annotations

from workers.source.batch import statement

# Which templates will make a document within the 30 days that begin today? One that ends in the distant future (or a date
# that Python cannot hold) just does not end.
RECURRING = statement("""
    SELECT a.tenant_id, r.kind, coalesce(r.currency::text, 'XXX') AS currency, coalesce(r.amount, 'NaN') AS amount,
           r.interval_unit, r.interval_count, r.next_on,
           CASE WHEN r.ends_on < DATE '9999-12-31' THEN r.ends_on END AS ends_on,
           coalesce(r.terms_days, 0) AS terms_days
    FROM asked a
    CROSS JOIN LATERAL (SELECT * FROM dashboard.recurring WHERE tenant_id = a.tenant_id AND active OFFSET 0) r
    WHERE r.kind IN ('invoice', 'expense') AND r.interval_unit IN ('day', 'week', 'month', 'year')
        AND r.interval_count > 0 AND r.next_on <= a.today + 29
    ORDER BY a.tenant_id, r.recurring_id
""")
