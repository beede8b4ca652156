"""Tenants: their settings, with a stand-in and a data issue for each that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from shared.currency import is_known
from shared.snapshot import Basis, DataIssue
from workers.facts import Tenant
from workers.source.clock import zone

# Which tenants are there?
ALL_TENANTS = text("SELECT tenant_id FROM dashboard.tenant WHERE tenant_id IS NOT NULL ORDER BY tenant_id")

# How does each of these tenants do business, and has it any document at all? (Of any date: it found its first row.)
TENANTS = text("""
    SELECT t.tenant_id, t.name, t.timezone, t.base_currency::text, t.basis, t.fiscal_year_start_month,
           EXISTS (SELECT FROM dashboard.invoice i WHERE i.tenant_id = t.tenant_id AND i.status = 'posted')
           OR EXISTS (SELECT FROM dashboard.payment p WHERE p.tenant_id = t.tenant_id AND p.status = 'succeeded')
           OR EXISTS (SELECT FROM dashboard.expense e WHERE e.tenant_id = t.tenant_id AND e.status = 'posted')
           OR EXISTS (SELECT FROM dashboard.quote q
                      WHERE q.tenant_id = t.tenant_id AND q.status NOT IN ('draft', 'void')) AS has_documents
    FROM dashboard.tenant t
    WHERE t.tenant_id = ANY(:tenant_ids)
""")

NO_CURRENCY = "XXX"
_LONGEST_DETAIL = 60


def read_tenants(connection: Connection, tenant_ids: Sequence[str]) -> tuple[dict[str, Tenant], dict[str, bool]]:
    """Those of the tenants that exist, in the order asked, and whether each has documents."""
    rows = {row.tenant_id: row for row in connection.execute(TENANTS, {"tenant_ids": list(tenant_ids)})}
    tenants = {
        tenant_id: _tenant(tenant_id, row.name, row.timezone, row.base_currency, row.basis, row.fiscal_year_start_month)
        for tenant_id in tenant_ids
        if (row := rows.get(tenant_id))
    }
    return tenants, {tenant_id: row.has_documents for tenant_id, row in rows.items()}


def _tenant(
    tenant_id: str,
    name: str | None,
    timezone: str | None,
    currency: str | None,
    basis: str | None,
    fiscal_year_start_month: int | None,
) -> Tenant:
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
        tenant_id=tenant_id,
        name=name,
        timezone=timezone if timezone and zone(timezone) else "UTC",
        base_currency=currency or NO_CURRENCY,
        basis=on,
        fiscal_year_start_month=fiscal_year_start_month or 1,
        issues=tuple(issues),
    )


def _named(what: str, value: str | None) -> str:
    if value is None:
        return f"no {what} is given"
    shown = value if len(value) <= _LONGEST_DETAIL else value[:_LONGEST_DETAIL] + "…"
    return f"there is no {what} {shown!r}"
