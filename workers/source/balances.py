"""What is open now, and what pays for nothing yet: both follow from the same links where the host does not keep them."""

from __future__ import annotations

from workers.source.batch import statement
from workers.source.credits import CREDITS, SPARE, SPARE_OF_UNSETTLED
from workers.source.doubtful import DOUBTFUL, DOUBTFUL_OF_UNSETTLED
from workers.source.links import FOLLOWED, LINKS_OF_WANTED, PAYER
from workers.source.receivables import FOLLOWED_OPEN, FOLLOWED_OPEN_OF_UNSETTLED, INCOMING, OPEN, OPEN_INVOICES

# A host that fills `balance` and `unapplied` has said it all: only what is open and unapplied is looked at, however much
# ever was. A tenant of whom nobody can say where its money went has no links at all: its credit notes are whole.
_TOLD = """
    told AS (SELECT * FROM books WHERE NOT links_followed),
    spare AS (
        SELECT a.tenant_id, p.kind::text AS source_kind, p.payment_id::text AS source_id, p.client_id::text AS client_id,
               p.paid_on AS day, coalesce(p.currency::text, 'XXX') AS currency, p.base_rate, p.unapplied AS left_over,
               false AS unknown, NULL::text AS lacks
        FROM told a
        CROSS JOIN LATERAL (
            SELECT payment_id, client_id, kind, paid_on, currency, base_rate, unapplied FROM dashboard.payment AS payment
            WHERE a.links_known AND tenant_id = a.tenant_id AND status = 'succeeded'
                AND (unapplied IS NULL OR unapplied > 0) AND paid_on <= a.today AND kind IN ('payment', 'refund')
            OFFSET 0
        ) p
        UNION ALL
        SELECT a.tenant_id, 'credit_note', n.invoice_id::text, n.client_id::text, n.issue_date,
               coalesce(n.currency::text, 'XXX'), n.base_rate,
               coalesce(n.balance, n.total, 'NaN'), false, NULL
        FROM told a
        CROSS JOIN LATERAL (
            SELECT invoice_id, client_id, issue_date, currency, base_rate, total, balance FROM dashboard.invoice AS note
            WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'credit_note'
                AND (balance IS NULL OR balance > 0) AND issue_date <= a.today
            OFFSET 0
        ) n
    )
"""

# What do clients owe now, for how long, and when is it expected? What money of theirs pays for nothing yet?
BALANCES = (OPEN_INVOICES, INCOMING, CREDITS)
TOLD = (_TOLD, OPEN)

# Of a tenant that leaves some of it out all links are added up, where nobody knows beforehand what is open…
WHOLE = (DOUBTFUL, LINKS_OF_WANTED, FOLLOWED, FOLLOWED_OPEN, SPARE)
FOLLOWED_BALANCES = statement(*WHOLE, *BALANCES, payer=PAYER)

# …and those of a few documents, where it is known which ones are not settled (workers/unsettled/).
UNSETTLED = (DOUBTFUL_OF_UNSETTLED, LINKS_OF_WANTED, FOLLOWED, FOLLOWED_OPEN_OF_UNSETTLED, SPARE_OF_UNSETTLED)
UNSETTLED_BALANCES = statement(*UNSETTLED, *BALANCES, payer=PAYER)
