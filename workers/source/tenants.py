"""Tenants: their settings, with a stand-in and a data issue for each that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import text

from shared.currency import is_known
from shared.snapshot import Basis, DataIssue
from shared.store import SourceState
from workers.facts import Tenant
from workers.periods.behind import BEHIND, CHANGED, MONEY, needed
from workers.query import Query
from workers.source.batch import refuse_nonsense
from workers.source.clock import zone
from workers.source.columns import Missing, with_nulls
from workers.source.conversion import with_conversions
from workers.source.state import STATE, state_of

# Which tenants are there?
ALL_TENANTS = text("SELECT tenant_id FROM dashboard.tenant WHERE tenant_id IS NOT NULL ORDER BY tenant_id")

# In which state is the database, how does each of these tenants do business, which of its changes are pending, how often did
# its alerts change, which transaction made the totals of its past, and are they behind? What is pending in a state is in the
# facts of that state: it may be settled once they are published, but a change of a past day only after the totals of that
# day are mended, see workers/periods. A change for everyone is nobody's to settle. In the order of an index, as `pending_of`.
OPENING = with_conversions(
    """
    SELECT state.*, wanted.tenant_id AS wanted_id, t.tenant_id, t.name, t.timezone, t.base_currency::text, t.basis,
           t.fiscal_year_start_month, round(t.cash_balance, {minor t.base_currency}) AS cash_balance, t.cash_balance_on,
           ARRAY(
               SELECT id FROM dashboard.change own
               WHERE own.tenant_id = wanted.tenant_id AND own.tenant_id <> '*'
                   AND (t.tenant_id IS NULL
                        OR own.oldest_day > b.kept_through AND (m.oldest IS NULL OR m.oldest > b.kept_through))
               ORDER BY id
           ) AS pending,
           board.revision, b.xmin::text AS past, t.tenant_id IS NOT NULL AND {behind} AS behind
    FROM ({state} OFFSET 0) state
    LEFT JOIN unnest(CAST(:tenant_ids AS text[])) AS wanted (tenant_id) ON true
    LEFT JOIN (
        SELECT * FROM dashboard.tenant AS tenant WHERE tenant_id = ANY(CAST(:tenant_ids AS text[])) OFFSET 0
    ) t ON t.tenant_id = wanted.tenant_id
    LEFT JOIN dashboard.alert_board board ON board.tenant_id = wanted.tenant_id
    LEFT JOIN dashboard.day_book b ON b.tenant_id = t.tenant_id
    LEFT JOIN {changed} c ON true
    LEFT JOIN {money} m ON true
""".replace("{state}", STATE)
    .replace("{behind}", BEHIND)
    .replace("{changed}", CHANGED)
    .replace("{money}", MONEY)
)

NO_CURRENCY = "XXX"
_LONGEST_DETAIL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a transaction begins with. tenants: those that exist, in the order asked; board_revisions: how often the alerts
    of each changed; pending: ids of the changes that this state has seen, also of tenants that do not exist. changed: whose
    those are. pasts: of each tenant that has totals of past days, which they are; see workers/periods/load.py. behind:
    whether some tenant's have to be mended before they can be told."""

    state: SourceState
    moment: datetime
    tenants: Mapping[str, Tenant]
    board_revisions: dict[str, int]
    pending: tuple[int, ...]
    changed: frozenset[str]
    pasts: Mapping[str, str]
    behind: bool


def read_opening(
    connection: psycopg.Connection, tenant_ids: Sequence[str], missing: Missing, now: datetime | None
) -> Opening:
    """The first look of a REPEATABLE READ transaction. Raises InvalidData for a cash balance that is no number."""
    asked = {"tenant_ids": list(tenant_ids), "needed": needed(now)}
    rows = opening(missing).run(connection, asked, namedtuple_row).fetchall()
    found = {row.wanted_id: row for row in rows}
    state, moment = state_of(rows[0], now)
    tenants = {tenant_id: _tenant(row) for tenant_id in tenant_ids if (row := found[tenant_id]).tenant_id is not None}
    return Opening(
        state=state,
        moment=moment,
        tenants=tenants,
        board_revisions={tenant_id: found[tenant_id].revision or 0 for tenant_id in tenants},
        pending=tuple(change for row in rows for change in row.pending),
        changed=frozenset(row.wanted_id for row in rows if row.pending),
        behind=any(row.behind for row in rows),
        pasts={t: f"{state.lineage} {past}" for t in tenants if (past := found[t].past) is not None},
    )


@lru_cache
def opening(missing: Missing) -> Query:
    """The statement that a load begins with."""
    return Query(with_nulls(OPENING, missing))


def _tenant(row: Any) -> Tenant:
    refuse_nonsense(row.tenant_id, row.cash_balance)
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
        fiscal_year_start_month=month if (month := row.fiscal_year_start_month) in range(1, 13) else 1,
        cash_balance=row.cash_balance,
        cash_balance_on=row.cash_balance_on,
        issues=tuple(issues),
    )


def _named(what: str, value: str | None) -> str:
    if value is None:
        return f"no {what} is given"
    shown = value if len(value) <= _LONGEST_DETAIL else value[:_LONGEST_DETAIL] + "…"
    return f"there is no {what} {shown!r}"
