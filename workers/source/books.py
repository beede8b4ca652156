"""What can be said of a tenant's books before they are read: whether there are any, and what they tell of links."""

from __future__ import annotations

from workers.facts import Row
from workers.source.batch import Family


class Books(Row, frozen=True, kw_only=True):
    """links_known: whether anybody can say which money paid for what. links_followed: whether links have to be followed to
    find out what is open and left over, because the host does not say all of it."""

    links_known: bool
    links_followed: bool
    has_documents: bool


# Of which tenants can nobody say which money paid for what (not `links_known`)? Balances are kept, there is money, and
# nothing says where it went: neither an allocation nor what is unapplied. And which of the others leave it to us to find out
# what is open and what is left over (`links_followed`)? Only where every `balance` and every `unapplied` is filled links need
# not be read.
#
# OFFSET 0 keeps the planner from reading all tenants' rows into a hash table instead of looking for one row.
#
# Has a tenant any document at all? (Of any date: it found its first row.)
READ_BOOKS = """
    books AS MATERIALIZED (
    SELECT a.*, NOT said.nothing AS links_known,
           NOT said.nothing AND (
               EXISTS (SELECT FROM dashboard.payment AS payment
                       WHERE tenant_id = a.tenant_id AND status = 'succeeded' AND unapplied IS NULL
                           AND (unapplied IS NULL OR unapplied > 0) OFFSET 0)
               OR EXISTS (SELECT FROM dashboard.invoice AS invoice
                          WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'invoice' AND balance IS NULL
                              AND (balance IS NULL OR balance > 0) OFFSET 0)
               OR EXISTS (SELECT FROM dashboard.invoice AS note
                          WHERE tenant_id = a.tenant_id AND status = 'posted' AND kind = 'credit_note' AND balance IS NULL
                              AND (balance IS NULL OR balance > 0) OFFSET 0)
           ) AS links_followed,
           EXISTS (SELECT FROM dashboard.invoice i WHERE i.tenant_id = a.tenant_id AND i.status = 'posted' OFFSET 0)
           OR EXISTS (SELECT FROM dashboard.payment p WHERE p.tenant_id = a.tenant_id AND p.status = 'succeeded' OFFSET 0)
           OR EXISTS (SELECT FROM dashboard.expense e WHERE e.tenant_id = a.tenant_id AND e.status = 'posted' OFFSET 0)
           OR EXISTS (SELECT FROM dashboard.quote q
                      WHERE q.tenant_id = a.tenant_id AND q.status NOT IN ('draft', 'void') OFFSET 0) AS has_documents
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT NOT EXISTS (SELECT FROM dashboard.allocation l WHERE l.tenant_id = a.tenant_id OFFSET 0)
            AND (EXISTS (SELECT FROM dashboard.payment AS p
                         WHERE p.tenant_id = a.tenant_id AND p.status = 'succeeded' AND p.paid_on <= a.today OFFSET 0)
                 OR EXISTS (SELECT FROM dashboard.invoice AS n
                            WHERE n.tenant_id = a.tenant_id AND n.status = 'posted' AND n.kind = 'credit_note' OFFSET 0))
            AND EXISTS (SELECT FROM dashboard.invoice AS i
                        WHERE i.tenant_id = a.tenant_id AND i.status = 'posted' AND i.balance IS NOT NULL OFFSET 0)
            AND NOT EXISTS (SELECT FROM dashboard.payment AS p
                            WHERE p.tenant_id = a.tenant_id AND p.unapplied IS NOT NULL OFFSET 0) AS nothing
        OFFSET 0
    ) said
    )
"""

BOOKS = Family("books", Books, "SELECT * FROM books")
