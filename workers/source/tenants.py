"""Tenants: their settings, with a stand-in and a data issue for each that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, text

from shared.currency import is_known
from shared.snapshot import Basis, DataIssue
from workers.facts import Tenant
from workers.source.batch import Batch, Statement, refuse_nonsense, statement
from workers.source.clock import zone
from workers.source.columns import Missing
from workers.source.conversion import with_conversions

# Which tenants are there?
ALL_TENANTS = text("SELECT tenant_id FROM dashboard.tenant WHERE tenant_id IS NOT NULL ORDER BY tenant_id")

# How does each of these tenants do business, and has it any document at all? (Of any date: it found its first row.)
TENANTS = Statement(
    with_conversions("""
    SELECT t.tenant_id, t.name, t.timezone, t.base_currency::text, t.basis, t.fiscal_year_start_month,
           round(t.cash_balance, {minor t.base_currency}) AS cash_balance, t.cash_balance_on,
           EXISTS (SELECT FROM dashboard.invoice i WHERE i.tenant_id = t.tenant_id AND i.status = 'posted' OFFSET 0)
           OR EXISTS (SELECT FROM dashboard.payment p WHERE p.tenant_id = t.tenant_id AND p.status = 'succeeded' OFFSET 0)
           OR EXISTS (SELECT FROM dashboard.expense e WHERE e.tenant_id = t.tenant_id AND e.status = 'posted' OFFSET 0)
           OR EXISTS (SELECT FROM dashboard.quote q
                      WHERE q.tenant_id = t.tenant_id AND q.status NOT IN ('draft', 'void') OFFSET 0) AS has_documents
    FROM dashboard.tenant AS t
    WHERE t.tenant_id = ANY(:tenant_ids)
""")
)

# Of which tenants can nobody say which money paid for what (`unknown`)? Balances are kept, there is money, and nothing says
# where it went: neither an allocation nor what is unapplied. And which of the others leave it to us to find out what is open
# and what is left over (`followed`)? Only where every `balance` and every `unapplied` is filled links need not be read.
#
# OFFSET 0 keeps the planner from reading all tenants' rows into a hash table instead of looking for one row.
LINKS = statement("""
    SELECT a.tenant_id, said.nothing AS unknown,
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
           ) AS followed
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
""")

NO_CURRENCY = "XXX"
_LONGEST_DETAIL = 60


def read_tenants(
    connection: Connection, tenant_ids: Sequence[str], missing: Missing
) -> tuple[dict[str, Tenant], dict[str, bool]]:
    """Those of the tenants that exist, in the order asked, and whether each has documents.

    Raises InvalidData for a cash balance that is no number.
    """
    asked = {"tenant_ids": list(tenant_ids)}
    rows = {row.tenant_id: row for row in connection.execute(TENANTS.reading(missing), asked)}
    tenants = {tenant_id: _tenant(row) for tenant_id in tenant_ids if (row := rows.get(tenant_id))}
    return tenants, {tenant_id: row.has_documents for tenant_id, row in rows.items()}


def with_links(batch: Batch) -> Batch:
    """The batch with what is known of its tenants' links."""
    rows = batch.execute(LINKS).all()
    return replace(
        batch,
        links_unknown=frozenset(row.tenant_id for row in rows if row.unknown),
        links_followed=frozenset(row.tenant_id for row in rows if row.followed),
    )


def _tenant(row: Row[Any]) -> Tenant:
    refuse_nonsense(row.tenant_id, [row.cash_balance])
    timezone: str | None = row.timezone
    currency: str | None = row.base_currency
    basis: str | None = row.basis
    issues = []
    if zone(timezone) is None:
        issues.append(
            DataIssue(code="unknown_timezone", detail=f"{_named('time zone', timezone)}; UTC is used instead")
        )
    if currency is None or not is_known(currency):
        detail = f"{_named('base currency', currency)}; two decimals are assumed"
        issues.append(DataIssue(code="unknown_currency", detail=detail))
    if basis not in ("accrual", "cash", None):
        issues.append(DataIssue(code="unknown_basis", detail=f"{_named('basis', basis)}; accrual is used instead"))
    on: Basis = "cash" if basis == "cash" else "accrual"
    return Tenant(
        tenant_id=row.tenant_id,
        name=row.name,
        timezone=timezone if timezone and zone(timezone) else "UTC",
        base_currency=currency or NO_CURRENCY,
        basis=on,
        fiscal_year_start_month=row.fiscal_year_start_month or 1,
        cash_balance=row.cash_balance,
        cash_balance_on=row.cash_balance_on,
        issues=tuple(issues),
    )


def _named(what: str, value: str | None) -> str:
    if value is None:
        return f"no {what} is given"
    shown = value if len(value) <= _LONGEST_DETAIL else value[:_LONGEST_DETAIL] + "…"
    return f"there is no {what} {shown!r}"
