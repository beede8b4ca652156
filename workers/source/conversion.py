"""What a document is worth in base units, in SQL: its rate, and the minor unit that it is rounded to (SPEC 4.4, 4.5)."""

from __future__ import annotations

import json
import re

from shared.currency import EXPONENTS

# The newest rate on or before {day} and at most 7 days older; on one date the tenant's own before the one for all ('*').
# It stands in a CASE, so that a document that needs no rate looks for none.
_RATE = """(
        SELECT f.rate FROM dashboard.fx_rate AS f
        WHERE f.tenant_id IN (a.tenant_id, '*')
            AND f.currency = {document}.currency::bpchar AND f.base_currency = a.base::bpchar
            AND f.rate_date BETWEEN {day} - 7 AND {day} AND f.rate > 0
        ORDER BY f.rate_date DESC, f.tenant_id = '*'
        LIMIT 1
    )"""

# An amount times money.factor, rounded to money.places, is in base units, or where there is no rate in the document's own
# currency, which money.no_rate names. 'XXX' is ISO 4217's code for no currency. A rate that is not positive is none.
_MONEY = """
    CROSS JOIN LATERAL (
        SELECT coalesce({document}.rate_to_base, 1) AS factor,
               CASE WHEN {document}.rate_to_base IS NULL THEN coalesce({document}.currency::text, 'XXX') END AS no_rate,
               CASE WHEN {document}.rate_to_base IS NULL THEN {minor {document}.currency} ELSE a.places END AS places
    ) money
"""
_TO_BASE = "CASE WHEN {document}.currency::text = a.base THEN 1 ELSE {rate} END"
_OWN = "CASE WHEN {document}.base_rate > 0 THEN {document}.base_rate END"

_FLOW = _TO_BASE.replace("{rate}", f"coalesce({_OWN}, {_RATE})")
_BALANCE = _TO_BASE.replace("{rate}", f"coalesce({_RATE}, {_OWN})")

_PLACES = json.dumps({code: places for code, places in EXPONENTS.items() if places != 2})
_MINOR = f"coalesce(('{_PLACES}'::jsonb ->> {{currency}}::text)::integer, 2)"


def with_conversions(body: str) -> str:
    """The statement with its marks filled in; it must have the tenants as `a`.

    {flow d on day}: what the document d is converted by as a flow of that day; {balance d}: as a balance now; {balance d on
    day}: as that day ended. Where that is d.rate_to_base, selected behind OFFSET 0 so that it is looked up once a row,
    {money d} adds `money`. {minor c}: the decimals of the currency c.
    """
    body = re.sub(
        r"\{flow (\w+) on ([\w.]+)\}", lambda m: _FLOW.replace("{document}", m[1]).replace("{day}", m[2]), body
    )
    body = re.sub(
        r"\{balance (\w+)(?: on ([\w.]+))?\}",
        lambda m: _BALANCE.replace("{document}", m[1]).replace("{day}", m[2] or "a.today"),
        body,
    )
    body = re.sub(r"\{money (\w+)\}", lambda m: _MONEY.replace("{document}", m[1]), body)
    return re.sub(r"\{minor ([\w.]+)\}", lambda m: _MINOR.replace("{currency}", m[1]), body)
