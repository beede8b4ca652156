"""What past days came to, made by the same SQL as today's figures, and written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from shared.currency import exponent
from workers.source.batch import expanded
from workers.source.columns import Missing, with_nulls
from workers.source.expenses import EXPENSES, PAID_EXPENSES
from workers.source.invoices import INVOICES, RECENT_INVOICES
from workers.source.payments import PAYMENTS, RECENT_PAYMENTS
from workers.source.revenue import ALLOCATIONS, CASH_REVENUE, SETTLEMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Past days of a tenant, first to last, whose totals are to be made anew."""

    tenant_id: str
    base_currency: str
    on_cash: bool
    first: date
    last: date


_ASKED = """
    asked AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:tenant_ids AS text[]), CAST(:bases AS text[]), CAST(:places AS integer[]),
                             CAST(:on_cash AS boolean[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]),
                             CAST(:todays AS date[]))
                 AS a (tenant_id, base, places, on_cash, first, last, today)
    )
"""

_MADE = """
    made AS (
        SELECT tenant_id, day, no_rate, net AS revenue, documents AS revenue_documents, false AS revenue_in_part,
               0::numeric AS expenses, 0 AS expenses_documents, 0::numeric AS money_in, 0 AS money_in_documents,
               0::numeric AS money_out, 0 AS money_out_documents, day AS since
        FROM ({invoices}) invoices JOIN asked USING (tenant_id) WHERE NOT on_cash
        UNION ALL
        SELECT tenant_id, day, no_rate, net, 0, no_rate IS NULL, 0, 0, 0, 0, 0, 0, since FROM ({allocations}) allocations
        UNION ALL
        SELECT tenant_id, day, lacked, 0, documents, false, 0, 0, 0, 0, 0, 0, NULL
        FROM ({settlements}) settlements LEFT JOIN LATERAL unnest(lacking) AS lacked ON true
        UNION ALL
        SELECT tenant_id, day, no_rate, 0, 0, false, net, documents, 0, 0, 0, 0, day
        FROM ({expenses}) dated JOIN asked USING (tenant_id) WHERE NOT on_cash
        UNION ALL
        SELECT tenant_id, day, no_rate, 0, 0, false, CASE WHEN on_cash THEN net ELSE 0 END,
               CASE WHEN on_cash THEN documents ELSE 0 END, 0, 0, gross, documents, day
        FROM ({paid}) paid JOIN asked USING (tenant_id)
        UNION ALL
        SELECT tenant_id, day, no_rate, 0, 0, false, 0, 0, CASE kind WHEN 'payment' THEN amount ELSE 0 END,
               CASE kind WHEN 'payment' THEN documents ELSE 0 END, CASE kind WHEN 'refund' THEN -amount ELSE 0 END,
               CASE kind WHEN 'refund' THEN documents ELSE 0 END, day
        FROM ({payments}) payments
    )
    INSERT INTO dashboard.day_total (tenant_id, day, no_rate, revenue, revenue_documents, revenue_in_part, expenses,
                                     expenses_documents, money_in, money_in_documents, money_out, money_out_documents,
                                     since)
    SELECT tenant_id, day, coalesce(no_rate, ''), sum(revenue), sum(revenue_documents), bool_or(revenue_in_part),
           sum(expenses), sum(expenses_documents), sum(money_in), sum(money_in_documents), sum(money_out),
           sum(money_out_documents), CASE WHEN coalesce(no_rate, '') <> '' THEN min(since) END
    FROM made
    GROUP BY tenant_id, day, coalesce(no_rate, '')
"""

_CLEAR = text("""
    DELETE FROM dashboard.day_total AS kept
    USING unnest(CAST(:tenant_ids AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[])) AS a (tenant_id, first, last)
    WHERE kept.tenant_id = a.tenant_id AND kept.day BETWEEN a.first AND a.last
""")


def _of_stretch(sql: str) -> str:
    """The same rows of the days asked for, instead of the latest ones."""
    for window in ("a.today - 89 AND a.today", "a.today - 60 AND a.today"):
        sql = sql.replace(window, "a.first AND a.last")
    return sql


def _statement() -> str:
    rows = {
        "invoices": INVOICES, "allocations": ALLOCATIONS, "settlements": SETTLEMENTS, "expenses": EXPENSES,
        "paid": PAID_EXPENSES, "payments": PAYMENTS,
    }  # fmt: skip
    made = _MADE
    for name, family in rows.items():
        made = made.replace(f"{{{name}}}", family.rows)
    parts = (_ASKED, RECENT_INVOICES, RECENT_PAYMENTS.replace("{payer}", "NULL"), *CASH_REVENUE, made)
    return expanded("WITH " + ", ".join(_of_stretch(part).strip().strip(",") for part in parts))


_KEEP = _statement()


def keep(connection: Connection, stretches: Sequence[Stretch], missing: Missing, *, today: date) -> None:
    """Make the totals of these days anew, in the connection's transaction; `today`: no later day has come yet."""
    given = {
        "tenant_ids": [one.tenant_id for one in stretches],
        "firsts": [one.first for one in stretches],
        "lasts": [one.last for one in stretches],
    }
    connection.execute(_CLEAR, given)
    given |= {
        "bases": [one.base_currency for one in stretches],
        "places": [exponent(one.base_currency) for one in stretches],
        "on_cash": [one.on_cash for one in stretches],
        "todays": [today] * len(stretches),
    }
    connection.execute(text(with_nulls(_KEEP, missing)), given)
