"""Open invoices: by client and age, and the days on which their money is expected. Parts of the statement in balances.py."""

from __future__ import annotations

from workers.facts import IncomingGroup, OpenInvoiceGroup
from workers.source.batch import Family

# Where links are followed, of the invoices without a balance those are settled that are neither wanted nor without any link:
# see doubtful.py.
#
# Only invoices with a balance are looked at, however many were ever paid. One that rounds to 0 in its own currency is not
# open. amount: the balance rounded in its own currency; worth: in base units, or that again where there is no rate.
_SETTLED = """
    settled_sum AS (
        SELECT w.tenant_id, w.target_id, coalesce(sum(f.settles), 0) AS settles
        FROM wanted w
        FULL JOIN followed f ON f.tenant_id = w.tenant_id AND f.target_id = w.target_id
        WHERE {there w.tenant_id}
        GROUP BY w.tenant_id, w.target_id
        UNION ALL
        SELECT tenant_id, target_id, 0 FROM doubtful_target WHERE NOT linked
    )
"""

# {settled} joins what is settled, {settles} is it: where the host tells every balance, nothing. {asked} is where one looks,
# at whole books or at single documents, which {document} then picks out.
_OPEN = """
    open AS MATERIALIZED (
        SELECT a.tenant_id, a.today, a.invoice_id::text AS invoice_id, a.reference::text AS reference,
               a.client_id, a.issue_date, a.due_date, coalesce(a.currency::text, 'XXX') AS currency,
               a.tax IS NULL OR abs(a.total) < abs(a.tax) OR a.due_date IS NULL OR a.issue_date > a.today AS anomaly,
               a.balance, a.amount, money.factor, money.places, money.no_rate,
               round(a.balance * money.factor, money.places) AS worth
        FROM (
            SELECT i.tenant_id, i.invoice_id, i.reference, i.client_id, i.issue_date, i.due_date, i.currency, i.total, i.tax,
                   a.today, a.places, left_over.balance, own_money.amount, {balance i} AS rate_to_base
            FROM {asked} a
            CROSS JOIN LATERAL (
                SELECT tenant_id, invoice_id, reference, client_id, issue_date, due_date, currency, base_rate, total, tax,
                       balance
                FROM dashboard.invoice AS invoice
                WHERE tenant_id = a.tenant_id {document} AND status = 'posted' AND kind = 'invoice'
                    AND (balance IS NULL OR balance > 0)
                    AND (written_off_on IS NULL OR written_off_on > a.today)
                OFFSET 0
            ) i
            {settled}
            CROSS JOIN LATERAL (
                SELECT coalesce(i.balance, coalesce(i.total, 'NaN') - {settles}) AS balance
            ) left_over
            CROSS JOIN LATERAL (SELECT round(left_over.balance, {minor i.currency}) AS amount) own_money
            WHERE {there i.tenant_id} AND CASE WHEN own_money.amount > 0 THEN true ELSE false END
            OFFSET 0
        ) a
        {money a}
    )
"""
_SETTLED_SUM = "FULL JOIN settled_sum s ON s.tenant_id = i.tenant_id AND s.target_id = i.invoice_id"


OPEN = _OPEN.replace("{asked}", "told").replace("{document}", "").replace("{settled}", "").replace("{settles}", "0")
_FOLLOWED_OPEN = f"{_SETTLED}, {_OPEN}".replace("{settled}", _SETTLED_SUM)
_FOLLOWED_OPEN = _FOLLOWED_OPEN.replace("{settles}", "coalesce(s.settles, i.total, 'NaN')")
FOLLOWED_OPEN = _FOLLOWED_OPEN.replace("{asked}", "asked").replace("{document}", "")
FOLLOWED_OPEN_OF_UNSETTLED = _FOLLOWED_OPEN.replace("{asked}", "reached").replace(
    "{document}", "AND invoice_id = a.document_id"
)

OPEN_INVOICES = Family(
    "open_invoices",
    OpenInvoiceGroup,
    """
    SELECT owed.*, c.name
    FROM (
        SELECT tenant_id, client_id, currency,
               CASE WHEN due_date >= today OR due_date IS NULL THEN 'current'
                    WHEN today - due_date <= 30 THEN '1-30'
                    WHEN today - due_date <= 60 THEN '31-60'
                    WHEN today - due_date <= 90 THEN '61-90'
                    ELSE '90+' END AS bucket,
               count(*) AS documents, count(*) FILTER (WHERE anomaly) AS anomalies, sum(amount) AS amount,
               sum(worth) FILTER (WHERE no_rate IS NULL) AS base,
               count(*) FILTER (WHERE issue_date <= today) AS issued_documents,
               CASE WHEN no_rate IS NULL THEN coalesce(sum(worth) FILTER (WHERE issue_date <= today), 0) END AS issued_base,
               min(greatest(due_date, DATE '0001-01-01')) FILTER (WHERE due_date < DATE '9999-12-31') AS oldest_due,
               max(worth) FILTER (WHERE no_rate IS NULL) AS largest,
               (array_agg(invoice_id ORDER BY worth DESC, invoice_id COLLATE "C") FILTER (WHERE no_rate IS NULL))[1]
                   AS largest_id,
               (array_agg(CASE WHEN due_date < today THEN reference END ORDER BY worth DESC, invoice_id COLLATE "C")
                FILTER (WHERE no_rate IS NULL))[1] AS largest_reference
        FROM open
        GROUP BY tenant_id, client_id, currency, bucket, no_rate
    ) owed
    LEFT JOIN LATERAL (
        SELECT name FROM dashboard.client AS client WHERE tenant_id = owed.tenant_id AND client_id = owed.client_id
        OFFSET 0
    ) c ON true
""",
)

# On which of the 30 days from today is that money expected? What payments dated ahead are allocated to an invoice comes on
# their days, in their order and no more than the balance; the rest when it is due, without a due date today, and what is
# overdue on no day. Each piece is rounded by itself and the last one is what is left of the rounded whole.
PIECES = """
    WITH promised AS (
        SELECT o.tenant_id, o.today, o.invoice_id, o.balance, o.worth, o.factor, o.places, o.no_rate, l.amount AS promised,
               p.paid_on AS day, p.payment_id, l.allocation_id
        FROM asked a
        CROSS JOIN LATERAL (
            SELECT payment_id, kind, paid_on FROM dashboard.payment AS payment
            WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND paid_on > a.today
            OFFSET 0
        ) p
        CROSS JOIN LATERAL (
            SELECT allocation_id, invoice_id, amount FROM dashboard.allocation AS allocation
            WHERE tenant_id = a.tenant_id AND source_kind = 'payment' AND source_id = p.payment_id
            OFFSET 0
        ) l
        FULL JOIN open o ON o.tenant_id = a.tenant_id AND o.invoice_id = l.invoice_id
        WHERE {both a.tenant_id o.tenant_id} AND CASE WHEN p.kind = 'payment' AND l.amount > 0 THEN true ELSE false END
    ),
    promised_so_far AS (
        SELECT *, sum(promised) OVER (PARTITION BY tenant_id, invoice_id
            ORDER BY day, payment_id COLLATE "C", allocation_id COLLATE "C" ROWS UNBOUNDED PRECEDING) AS so_far
        FROM promised
    ),
    part AS (
        SELECT *, so_far >= balance AS final,
               round(least(promised, balance - (so_far - promised)) * factor, places) AS part
        FROM promised_so_far
        WHERE so_far - promised < balance
    ),
    part_sum AS (
        SELECT tenant_id, invoice_id, bool_or(final) AS complete, sum(part) FILTER (WHERE NOT final) AS parts
        FROM part
        GROUP BY tenant_id, invoice_id
    ),
    piece AS (
        SELECT p.tenant_id, p.today, p.invoice_id, p.no_rate, p.day,
               CASE WHEN p.final THEN p.worth - coalesce(s.parts, 0) ELSE p.part END AS amount, false AS whole
        FROM (SELECT * FROM part WHERE day BETWEEN today AND today + 29) p
        FULL JOIN part_sum s ON s.tenant_id = p.tenant_id AND s.invoice_id = p.invoice_id
        WHERE {there p.tenant_id}
        UNION ALL
        SELECT o.tenant_id, o.today, o.invoice_id, o.no_rate, coalesce(o.due_date, o.today),
               o.worth - coalesce(s.parts, 0), s.tenant_id IS NULL
        FROM (SELECT * FROM open WHERE coalesce(due_date, today) BETWEEN today AND today + 29) o
        FULL JOIN part_sum s ON s.tenant_id = o.tenant_id AND s.invoice_id = o.invoice_id
        WHERE {there o.tenant_id} AND s.complete IS NOT TRUE
    )
"""

INCOMING = Family(
    "incoming",
    IncomingGroup,
    """
    {pieces}
    SELECT tenant_id, day, no_rate, count(*) AS documents, sum(amount) AS amount, count(*) FILTER (WHERE again) AS again
    FROM (
        SELECT tenant_id, day, no_rate, amount, false AS again FROM piece WHERE whole
        UNION ALL
        SELECT tenant_id, day, no_rate, sum(amount), min(day) OVER (PARTITION BY tenant_id, invoice_id) < day
        FROM piece
        WHERE NOT whole
        GROUP BY tenant_id, invoice_id, day, no_rate
    ) coming
    GROUP BY tenant_id, day, no_rate
""".replace("{pieces}", PIECES),
)
