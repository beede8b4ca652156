"""Closed months: what they came to when they were last shown, and which documents have changed them today."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, text

from workers.facts import Clock, ShownMonths, Tenant
from workers.kpi.restatements import MOST_NAMED
from workers.source.batch import Family
from workers.source.columns import Missing, with_nulls

# How were the closed months last shown? How they stood before that day matters only while it lasts.
SHOWN_MONTHS = Family(
    "shown_months",
    ShownMonths,
    """
    SELECT a.tenant_id, s.day, s.base_currency, s.basis, s.months,
           CASE WHEN s.day >= a.today THEN s.before ELSE '{}' END AS before
    FROM asked a
    CROSS JOIN LATERAL (SELECT * FROM dashboard.shown_months WHERE tenant_id = a.tenant_id OFFSET 0) s
""",
)

# Goes into the statement that keeps the closes, with the same rule: what was computed from an older state replaces nothing.
KEEP_MONTHS = """
    INSERT INTO dashboard.shown_months AS kept (tenant_id, day, base_currency, basis, months, before, source_state)
    SELECT made.*, CAST(:state AS bigint)
    FROM unnest(CAST(:month_tenants AS text[]), CAST(:month_days AS date[]), CAST(:month_bases AS text[]),
                CAST(:month_basis AS text[]), CAST(:months AS jsonb[]), CAST(:months_before AS jsonb[])) AS made (tenant_id)
    ORDER BY made.tenant_id
    ON CONFLICT (tenant_id) DO UPDATE
    SET day = excluded.day, base_currency = excluded.base_currency, basis = excluded.basis, months = excluded.months,
        before = excluded.before, source_state = excluded.source_state
    WHERE kept.source_state <= excluded.source_state
"""

# Of which relation, by which day, and under which number is a document in a month?
_KINDS = (
    ("invoice", "posted", "issue_date", "SELECT 'revenue' WHERE NOT :on_cash"),
    ("expense", "posted", "expense_date", "SELECT 'expenses' WHERE NOT :on_cash"),
    (
        "payment",
        "succeeded",
        "paid_on",
        "SELECT CASE kind WHEN 'refund' THEN 'money_out' ELSE 'money_in' END UNION ALL SELECT 'revenue' WHERE :on_cash",
    ),
    ("expense", "posted", "paid_on", "SELECT 'money_out' UNION ALL SELECT 'expenses' WHERE :on_cash"),
)
# Those that count are found month by month through the indexes that there are for them; of those that count no more there
# are few, and a view may have no index for them: they are looked through once.
_COUNTING = """
    SELECT a.month, d.number, d.reference
    FROM months a
    CROSS JOIN LATERAL (
        SELECT named.number, coalesce(reference, {table}_id)::text AS reference
        FROM dashboard.{table} AS {table} CROSS JOIN LATERAL ({numbers}) AS named (number)
        WHERE tenant_id = :tenant_id AND status = '{status}' AND {day} BETWEEN a.first AND a.last AND updated_at >= :since
        ORDER BY updated_at, {table}_id LIMIT 2 * :most
    ) d
"""
_NO_MORE = """
    SELECT a.month, d.number, d.reference
    FROM (
        SELECT {day} AS day, named.number, coalesce(reference, {table}_id)::text AS reference
        FROM dashboard.{table} AS {table} CROSS JOIN LATERAL ({numbers}) AS named (number)
        WHERE tenant_id = :tenant_id AND status <> '{status}' AND updated_at >= :since
            AND {day} BETWEEN (SELECT min(first) FROM months) AND (SELECT max(last) FROM months)
        ORDER BY updated_at, {table}_id LIMIT 100 * :most
    ) d
    JOIN months a ON d.day BETWEEN a.first AND a.last
"""


def _of_each_kind(sql: str) -> list[str]:
    return [
        sql.replace("{table}", table).replace("{status}", status).replace("{day}", day).replace("{numbers}", numbers)
        for table, status, day, numbers in _KINDS
    ]


# Which documents of a span of days were written since the tenant's day began? More than are named, so that it shows when
# there are others.
_TOUCHED = """
    WITH months AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:months AS text[]), CAST(:firsts AS date[]), CAST(:lasts AS date[]))
            AS a (month, first, last)
    )
    {found}
""".replace("{found}", "UNION ALL".join(_of_each_kind(_COUNTING) + _of_each_kind(_NO_MORE)))


def keep_months_parameters(shown: Mapping[str, ShownMonths]) -> dict[str, Any]:
    """What KEEP_MONTHS asks for beside the state."""
    rows = shown.values()
    return {
        "month_tenants": list(shown),
        "month_days": [row.day for row in rows],
        "month_bases": [row.base_currency for row in rows],
        "month_basis": [row.basis for row in rows],
        "months": [_as_json(row.months) for row in rows],
        "months_before": [_as_json(row.before) for row in rows],
    }


def _as_json(months: Mapping[str, Sequence[Any]]) -> str:
    texts = {month: [None if one is None else str(one) for one in numbers] for month, numbers in months.items()}
    return json.dumps(texts)


def touched_documents(
    connection: Connection, tenant: Tenant, clock: Clock, spans: Mapping[str, tuple[date, date]], missing: Missing
) -> dict[tuple[str, str], tuple[str, ...]]:
    """By month and number, the references (else ids) of the documents in it that were written since the tenant's day began.
    What was deleted has no name any more, and neither has what a host without `updated_at` wrote.

    spans: by month, its first and last day.
    """
    asked = {
        "tenant_id": tenant.tenant_id,
        "months": list(spans),
        "firsts": [first for first, _ in spans.values()],
        "lasts": [last for _, last in spans.values()],
        "since": clock.day_start,
        "on_cash": tenant.basis == "cash",
        "most": MOST_NAMED + 1,
    }
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for month, number, reference in connection.execute(text(with_nulls(_TOUCHED, missing)), asked):
        found[month, number] = (*found.get((month, number), ()), reference)
    return found
