"""SQL for the documents of days: what was sold, spent, moved, decided, and what active clients did."""

from __future__ import annotations

from collections.abc import Sequence

from workers.receipts.statement import of_days, statement, with_columns
from workers.source.expenses import SPENT
from workers.source.invoices import RECENT_INVOICES
from workers.source.payments import RECENT_PAYMENTS
from workers.source.quotes import DECIDED_QUOTES
from workers.source.revenue import CASH_REVENUE

_INVOICES = of_days(
    with_columns(
        RECENT_INVOICES,
        "SELECT a.tenant_id,",
        """i.invoice_id::text AS id, i.reference::text AS reference, i.due_date,
           coalesce(i.currency::text, 'XXX') AS currency,
           CASE i.kind WHEN 'invoice' THEN 1 ELSE -1 END
           * round(worth.total - coalesce(i.tax, 0), {minor i.currency}) AS own_net,
           CASE i.kind WHEN 'invoice' THEN 1 ELSE -1 END * round(worth.total, {minor i.currency}) AS own_gross""",
    )
)
_PAYMENTS = of_days(
    with_columns(
        RECENT_PAYMENTS,
        "SELECT a.tenant_id,",
        """p.payment_id::text AS id, p.reference::text AS reference, coalesce(p.currency::text, 'XXX') AS currency,
           CASE p.kind WHEN 'refund' THEN -1 ELSE 1 END * round(coalesce(p.amount, 'NaN'), {minor p.currency}) AS own""",
    )
)
_SPENT = of_days(
    with_columns(
        SPENT,
        "SELECT a.tenant_id,",
        """e.expense_id::text AS id, e.reference::text AS reference, e.due_date, e.vendor::text AS vendor,
           coalesce(e.currency::text, 'XXX') AS currency,
           round(coalesce(e.total, 'NaN') - coalesce(e.tax, 0), {minor e.currency}) AS own_net,
           round(coalesce(e.total, 'NaN'), {minor e.currency}) AS own_gross""",
    )
)
_DECIDED = with_columns(
    DECIDED_QUOTES,
    "SELECT a.tenant_id,",
    """q.quote_id::text AS id, q.reference::text AS reference, q.decision_day AS day, q.expiry_date,
       q.decision_day BETWEEN a.first_day AND a.last_day AS in_time,
       coalesce(q.currency::text, 'XXX') AS currency, round(coalesce(q.total, 'NaN'), {minor q.currency}) AS own""",
)
_BROUGHT = [of_days(part) for part in CASH_REVENUE]
_BROUGHT[-1] = with_columns(
    _BROUGHT[-1],
    "SELECT f.tenant_id, f.day,",
    """coalesce(a.currency::text, 'XXX') AS currency,
       CASE WHEN a.target_kind = 'credit_note' THEN -1 ELSE 1 END
       * CASE WHEN a.total = 0 THEN 0
              ELSE round(round(f.settles * (a.total - a.tax), 40) / a.total, {minor a.currency}) END AS own""",
)

_SOLD = """
    SELECT kind, id, reference, day AS date, due_date, client_id, NULL::text AS vendor, NULL::text AS category,
           own_net AS amount, currency, CASE WHEN no_rate IS NULL THEN net END AS base_amount
    FROM recent_invoice
"""
# A payment once for each currency that it paid for: some of it may convert and some not.
_EARNED = """
    SELECT b.source_kind AS kind, b.source_id AS id, p.reference::text AS reference, b.day AS date, NULL::date AS due_date,
           p.client_id, NULL::text AS vendor, NULL::text AS category, b.own AS amount, b.currency, b.net AS base_amount
    FROM (
        SELECT tenant_id, source_kind, source_id, day, currency, sum(own) AS own,
               CASE WHEN no_rate IS NULL THEN sum(net) END AS net
        FROM brought
        GROUP BY tenant_id, source_kind, source_id, day, currency, no_rate
    ) b
    CROSS JOIN LATERAL (
        SELECT p.reference, {payer} AS client_id
        FROM (
            SELECT * FROM dashboard.payment AS payment
            WHERE tenant_id = b.tenant_id AND payment_id = b.source_id AND kind = b.source_kind
            OFFSET 0
        ) p
    ) p
"""
# Money that paid for nothing.
_FOR_NOTHING = """
    SELECT r.source_kind AS kind, r.source_id AS id, NULL::text AS reference, r.day AS date, NULL::date AS due_date,
           NULL::text AS client_id, NULL::text AS vendor, NULL::text AS category, 0 AS amount, r.base AS currency,
           0 AS base_amount
    FROM recent r
    FULL JOIN brought b ON b.tenant_id = r.tenant_id AND b.source_kind = r.source_kind AND b.source_id = r.source_id
    WHERE {there r.tenant_id} AND CASE WHEN b.source_id IS NULL THEN true ELSE false END
"""


def _spent(day: str, amount: str, sign: int) -> str:
    return f"""
        SELECT 'expense' AS kind, id, reference, day AS date, due_date, NULL::text AS client_id, vendor,
               category::text AS category, {sign} * own_{amount} AS amount, currency,
               CASE WHEN no_rate IS NULL THEN {sign} * {amount} END AS base_amount
        FROM ({_SPENT.replace("{day}", day)}) AS spent
    """  # noqa: S608 (our own words)


def _moved(kinds: Sequence[str], sign: int) -> str:
    return f"""
        SELECT kind, id, reference, day AS date, NULL::date AS due_date, client_id, NULL::text AS vendor,
               NULL::text AS category, {sign} * own AS amount, currency,
               CASE WHEN no_rate IS NULL THEN {sign} * amount END AS base_amount
        FROM recent_payment WHERE kind IN ({", ".join(f"'{kind}'" for kind in kinds)})
    """  # noqa: S608 (our own words)


def revenue(*, on_cash: bool, negative_costs: bool = False) -> str:
    """Sales of the days asked for; with `negative_costs` what was spent in them, too: the profit."""
    parts, documents = (_BROUGHT, _EARNED) if on_cash else ([_INVOICES], _SOLD)
    costs = _spent("paid_on" if on_cash else "expense_date", "net", -1)
    return statement(*parts, documents=f"{documents} UNION ALL {costs}" if negative_costs else documents)


def paid_for_nothing() -> str:
    """Payments and refunds of the days asked for that are in no revenue: on cash basis they are documents that convert."""
    return statement(*_BROUGHT, documents=_FOR_NOTHING)


def expenses(*, on_cash: bool) -> str:
    """What was spent on the days asked for."""
    return statement(documents=_spent("paid_on" if on_cash else "expense_date", "net", 1))


def money_in() -> str:
    """Payments of the days asked for."""
    return statement(_PAYMENTS, documents=_moved(["payment"], 1))


def money_out() -> str:
    """Refunds and paid expenses of the days asked for."""
    refunds, paid = _moved(["refund"], -1), _spent("paid_on", "gross", 1)
    return statement(_PAYMENTS, documents=f"{refunds} UNION ALL {paid}")


def cash_flow() -> str:
    """All of it, what went out with a minus."""
    moved, paid = _moved(["payment", "refund"], 1), _spent("paid_on", "gross", -1)
    return statement(_PAYMENTS, documents=f"{moved} UNION ALL {paid}")


_QUOTES = """
    SELECT 'quote' AS kind, id, reference, day AS date, expiry_date AS due_date, client_id, NULL::text AS vendor,
           NULL::text AS category, own AS amount, currency, CASE WHEN no_rate IS NULL THEN amount END AS base_amount
    FROM decided_quote
    WHERE {which}
"""


def decided_quotes() -> str:
    """The quotes that were decided on the days asked for, at most 180 days ago."""
    return statement(_DECIDED, documents=_QUOTES.replace("{which}", "in_time"))


def activity() -> str:
    """What the active clients of the days asked for did."""
    billed = _SOLD.replace("own_net", "own_gross").replace("THEN net END", "THEN gross END")
    paid, won = _moved(["payment"], 1), _QUOTES.replace("{which}", "outcome = 'won' AND in_time")
    documents = f"""
        SELECT * FROM (
            {billed} WHERE kind = 'invoice' UNION ALL {paid}
            UNION ALL {won}
        ) AS active
        WHERE client_id IS NOT NULL
    """  # noqa: S608 (our own words)
    return statement(_INVOICES, _PAYMENTS, _DECIDED, documents=documents)
