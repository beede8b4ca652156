"""A statement that lists documents, made of a fragment of workers/source that was made to be grouped.

It is about one tenant, `asked` with the first and last day of the question, and answers with the fields of a Document. What a
document adds to the number carries its sign.
"""

from __future__ import annotations

from workers.source.batch import expanded
from workers.source.links import PAYER

ASKED = """
    WITH asked AS MATERIALIZED (
        SELECT CAST(:tenant_id AS text) AS tenant_id, CAST(:today AS date) AS today, CAST(:base AS text) AS base,
               CAST(:places AS integer) AS places, CAST(:on_cash AS boolean) AS on_cash,
               CAST(:cash_balance_on AS date) AS cash_balance_on, CAST(:first AS date) AS first_day,
               CAST(:last AS date) AS last_day
    )
"""
# What clients are called is added to whatever is found.
_NAMED = """
    SELECT kind, id, reference, documents.client_id, vendor, category, amount, currency, base_amount,
           {date}, {due_date}, {also} named.name AS client_name
    FROM ({documents}) AS documents
    LEFT JOIN LATERAL (
        SELECT name FROM dashboard.client AS client
        WHERE tenant_id = :tenant_id AND client_id = documents.client_id
        OFFSET 0
    ) named ON true
    WHERE (CAST(:client_id AS text) IS NULL OR documents.client_id = :client_id)
        AND (CAST(:category AS text) IS NULL OR documents.category = :category)
        AND (CAST(:currency AS text) IS NULL OR documents.currency = :currency)
"""
# A date that Python cannot hold is shown as none.
_DATES = {
    f"{{{name}}}": f"CASE WHEN {name} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN {name} END AS {name}"
    for name in ("date", "due_date")
}


def with_columns(sql: str, anchor: str, more: str) -> str:
    """The fragment with more columns, put where it begins to name its own."""
    assert sql.count(anchor) == 1, anchor  # noqa: S101 (a fragment that was changed is noticed as this module is imported)
    return sql.replace(anchor, f"{anchor} {more},")


def of_days(sql: str) -> str:
    """The same rows of the days asked for, instead of the latest ones."""
    for window in ("a.today - 89 AND a.today", "a.today - 60 AND a.today"):
        sql = sql.replace(window, "a.first_day AND a.last_day")
    return sql


def statement(*parts: str, documents: str, also: str = "") -> str:
    """Common table expressions, and a query over them that lists the documents; `also`: more columns of theirs."""
    body = ", ".join(part.strip().strip(",") for part in (ASKED, *parts)) + _NAMED.replace("{documents}", documents)
    for mark, meaning in {**_DATES, "{also}": also, "{payer}": PAYER}.items():
        body = body.replace(mark, meaning)
    return expanded(body)
