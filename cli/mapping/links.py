"""What must not be found across rows: questions over whole relations, and between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cli.mapping.contract import RELATIONS, row_id
from cli.mapping.finding import Level
from shared.currency import EXPONENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """SQL that yields (tenant_id, row_id, value) of each mistaken row of `table`, `column` being what the value is of.

    {invoice} stands for the invoices' rows, and so on; what cannot be read of them is null, and a null is no mistake.
    """

    table: str
    column: str
    sql: str
    says: str
    advice: str
    level: Level = "error"


# Relations that hold documents: the column of their date, of their amount, and the status of those that count.
_DOCUMENTS = {
    "invoice": ("issue_date", "total", "posted"),
    "payment": ("paid_on", "amount", "succeeded"),
    "expense": ("expense_date", "total", "posted"),
}
_FEW = 3
"""So many rows are needed before what all of them share is called a mistake."""


def questions() -> Iterator[Question]:
    """Every question, those that read least first."""
    for table in RELATIONS:
        yield _duplicates(table)
    for table, (_, _, counted) in _DOCUMENTS.items():
        yield _nothing_counts(table, counted)
    yield from _ALWAYS
    for table in ("invoice", "payment", "quote"):
        yield _client_unknown(table)
    for table in _DOCUMENTS:
        yield from _rates(table)
    for one in _DOCUMENTS:
        for other in _DOCUMENTS:
            if one != other:
                yield _another_scale(one, other)


def _duplicates(table: str) -> Question:
    key = ", ".join(("tenant_id", *RELATIONS[table].key))
    whole = " AND ".join(f"r.{column} IS NOT NULL" for column in ("tenant_id", *RELATIONS[table].key))
    return Question(
        table=table,
        column="rows of this id",
        sql=f"""SELECT tenant_id, {row_id(table)} AS row_id, count(*)::text AS value FROM {{{table}}} AS r
            WHERE {whole} GROUP BY {key} HAVING count(*) > 1""",
        says="ids that several rows have",
        advice="a join doubles rows: join only what is there once, or aggregate it first",
    )


def _nothing_counts(table: str, counted: str) -> Question:
    return Question(
        table=table,
        column="status",
        sql=f"""SELECT min(tenant_id) AS tenant_id, min({table}_id) AS row_id, min(status) AS value FROM {{{table}}} AS r
            HAVING count(status) >= {_FEW} AND count(*) FILTER (WHERE status = '{counted}') = 0""",
        says=f"not one row is {counted}, so nothing counts",
        advice="correct how the view translates your statuses",
    )


def _client_unknown(table: str) -> Question:
    return Question(
        table=table,
        column="client_id",
        sql=f"""SELECT r.tenant_id, {row_id(table)} AS row_id, client_id AS value FROM {{{table}}} AS r
            WHERE client_id IS NOT NULL AND EXISTS (SELECT FROM {{client}} AS any_client)
                AND NOT EXISTS (SELECT FROM {{client}} AS k WHERE (k.tenant_id, k.client_id) = (r.tenant_id, r.client_id))""",
        says="clients that dashboard.client does not have",
        advice="they are shown by their id: is client_id the right column? Else add the clients",
        level="warning",
    )


def _rates(table: str) -> Iterator[Question]:
    date, _, counted = _DOCUMENTS[table]
    pairs = f"""
        WITH foreign_rows AS MATERIALIZED (
            SELECT r.tenant_id, {row_id(table)} AS row_id, r.base_rate::float8 AS base_rate, r.currency, r.status,
                   t.base_currency, r.{date} AS day
            FROM {{{table}}} AS r JOIN {{tenant}} AS t USING (tenant_id)
            WHERE r.currency <> t.base_currency AND r.base_rate IS DISTINCT FROM 'NaN'
        ),
        usual AS (
            SELECT currency, base_currency, percentile_cont(0.5) WITHIN GROUP (ORDER BY rate::float8) AS rate
            FROM {{fx_rate}} AS f WHERE rate > 0 AND rate <> 'NaN' GROUP BY currency, base_currency
        ),
        among AS (
            SELECT currency, base_currency, percentile_cont(0.5) WITHIN GROUP (ORDER BY base_rate) AS rate
            FROM foreign_rows WHERE base_rate > 0 GROUP BY currency, base_currency HAVING count(base_rate) > 2
        )
    """
    compared = f"""{pairs}
        SELECT d.tenant_id, d.row_id, d.base_rate::text AS value
        FROM foreign_rows AS d LEFT JOIN usual USING (currency, base_currency)
        LEFT JOIN among USING (currency, base_currency)
        CROSS JOIN LATERAL (SELECT coalesce(usual.rate, among.rate) AS rate) AS known
        WHERE d.base_rate > 0 AND known.rate > 0"""
    yield Question(
        table=table,
        column="base_rate",
        sql=f"""{compared} AND abs(ln(d.base_rate * known.rate)) < 0.1 AND abs(ln(d.base_rate / known.rate)) > 0.15""",
        says="a base_rate that is the inverse of the currencies' other rates",
        advice="base_rate is base units per 1 unit of the document's currency: 1 / rate, if yours is the other way round",
    )
    yield Question(
        table=table,
        column="base_rate",
        sql=f"""{compared} AND abs(ln(d.base_rate * known.rate)) >= 0.1 AND abs(ln(d.base_rate / known.rate)) > 1.2""",
        says="a base_rate far from the currencies' other rates",
        advice="base_rate is base units per 1 unit of the document's currency; is it of another pair, or per 100 units?",
        level="warning",
    )
    yield Question(
        table=table,
        column="currency",
        sql=f"""{pairs} SELECT d.tenant_id, d.row_id, d.currency AS value
            FROM foreign_rows AS d
            WHERE d.status = '{counted}' AND d.base_rate IS NULL AND NOT EXISTS (
                SELECT FROM {{fx_rate}} AS f
                WHERE f.currency = d.currency AND f.base_currency = d.base_currency AND f.tenant_id IN (d.tenant_id, '*')
                    AND f.rate_date BETWEEN d.day - 7 AND d.day
            )""",
        says="documents in a foreign currency that no rate is known for, so that they are left out",
        advice="give their base_rate, or rates in dashboard.fx_rate for their days; the dashboard lists them as unconverted",
        level="info",
    )


def _typical(table: str) -> str:
    amount = _DOCUMENTS[table][1]
    return f"""(
        SELECT currency, exp(avg(ln({amount}::float8))) AS amount, bool_and({amount} = trunc({amount})) AS whole,
               min(tenant_id) AS tenant_id, count(*) AS number
        FROM {{{table}}} AS r
        WHERE {amount} > 0 AND {amount} < 1e15 AND currency <> ALL ('{{{{{_WITHOUT_CENTS}}}}}')
        GROUP BY currency
    )"""


_WITHOUT_CENTS = ",".join(code for code, places in EXPONENTS.items() if places == 0)


def _another_scale(one: str, other: str) -> Question:
    amount, other_amount = _DOCUMENTS[one][1], _DOCUMENTS[other][1]
    return Question(
        table=one,
        column=f"the typical {amount}",
        sql=f"""SELECT a.tenant_id, NULL::text AS row_id, round(a.amount::numeric, 2) || ' ' || currency AS value
            FROM {_typical(one)} AS a JOIN {_typical(other)} AS b USING (currency)
            WHERE a.whole AND a.amount > b.amount * CASE WHEN least(a.number, b.number) < 20 THEN 1000 ELSE 60 END""",
        says=f"all whole numbers, and typically far more than the {other}s' {other_amount}",
        advice="are these cents? Divide by 100, in every column of money alike",
        level="warning",
    )


# Allocations, but for those of what is known not to count; is_ahead: of what is dated later, or already today elsewhere.
_COUNTING = """
    source AS (
        SELECT tenant_id, payment_id AS source_id, kind AS source_kind, status <> 'succeeded' AS is_out,
               paid_on > current_date AS is_ahead
        FROM {payment} AS p
        UNION ALL
        SELECT tenant_id, invoice_id, kind, status <> 'posted', issue_date > current_date
        FROM {invoice} AS n WHERE kind = 'credit_note'
    ),
    counting AS (
        SELECT r.*, coalesce(s.is_ahead, false) AS is_ahead
        FROM {allocation} AS r LEFT JOIN source AS s USING (tenant_id, source_kind, source_id)
        WHERE s.is_out IS NOT TRUE
    )
"""

_TAKEN = "a.amount * CASE a.source_kind WHEN 'refund' THEN -1 ELSE 1 END"
_ANOTHER_BALANCE = "abs(i.balance - greatest(i.total - greatest(taken.amount, 0), 0)) > 0.01 * i.total + 0.01"

_ALWAYS = (
    Question(
        table="invoice",
        column="due_date",
        sql=f"""SELECT min(tenant_id) AS tenant_id, min(invoice_id) AS row_id, NULL::text AS value FROM {{invoice}} AS r
            WHERE status = 'posted' AND kind = 'invoice' HAVING count(*) >= {_FEW} AND count(due_date) = 0""",
        says="not one invoice has a due date, so none is ever overdue",
        advice="map the day that they are due",
        level="warning",
    ),
    Question(
        table="invoice",
        column="issue_date",
        sql="""SELECT min(tenant_id) AS tenant_id, min(invoice_id) AS row_id, min(issue_date)::text AS value
            FROM {invoice} AS r WHERE status = 'posted' HAVING count(*) >= 20 AND count(DISTINCT issue_date) = 1""",
        says="every invoice was issued on the same day",
        advice="is issue_date the day of an import? Map the day on the document",
        level="warning",
    ),
    Question(
        table="expense",
        column="total",
        sql=f"""SELECT min(tenant_id) AS tenant_id, min(expense_id) AS row_id, min(total)::text AS value FROM {{expense}} AS r
            HAVING count(*) >= {_FEW} AND count(*) FILTER (WHERE total < 0) > 0.8 * count(*)""",
        says="nearly every expense is negative, which is a vendor's credit",
        advice="turn the sign round: an expense is positive",
    ),
    Question(
        table="tenant",
        column="base_currency",
        sql="""SELECT t.tenant_id, NULL::text AS row_id, min(t.base_currency) AS value
            FROM {tenant} AS t JOIN (
                SELECT tenant_id, currency FROM {invoice} AS i WHERE status = 'posted'
                UNION ALL SELECT tenant_id, currency FROM {payment} AS p WHERE status = 'succeeded'
                UNION ALL SELECT tenant_id, currency FROM {expense} AS e WHERE status = 'posted'
            ) AS d USING (tenant_id)
            GROUP BY t.tenant_id HAVING bool_and(d.currency <> t.base_currency)""",
        says="tenants whose every document is in another currency",
        advice="base_currency is the currency of the tenant's books: is it the right column?",
        level="warning",
    ),
    Question(
        table="payment",
        column="invoice balance",
        sql="""SELECT tenant_id, invoice_id AS row_id, balance::text AS value FROM {invoice} AS r
            WHERE status = 'posted' AND kind = 'invoice' AND balance < total AND written_off_on IS NULL
                AND NOT EXISTS (SELECT FROM {payment} AS p)""",
        says="invoices are paid, and there is not one payment",
        advice="map payments: without them no money comes in, and nothing is known on cash basis",
        level="warning",
    ),
    Question(
        table="allocation",
        column="source_id",
        sql="""SELECT r.tenant_id, allocation_id AS row_id, source_kind || ' ' || source_id AS value FROM {allocation} AS r
            LEFT JOIN (SELECT DISTINCT tenant_id, payment_id, coalesce(kind, '') AS kind FROM {payment} AS p) AS p
                ON (p.tenant_id, p.payment_id) = (r.tenant_id, r.source_id)
            LEFT JOIN {invoice} AS n ON (n.tenant_id, n.invoice_id, n.kind) = (r.tenant_id, r.source_id, 'credit_note')
            WHERE source_kind IN ('payment', 'refund') AND (p.kind IN (r.source_kind, '')) IS NOT TRUE
                OR source_kind = 'credit_note' AND n.invoice_id IS NULL""",
        says="allocations of a payment, refund or credit note that is not there",
        advice="they settle nothing: source_id is the payment_id, or the credit note's invoice_id; is source_kind its kind?",
    ),
    Question(
        table="allocation",
        column="invoice_id",
        sql="""SELECT r.tenant_id, allocation_id AS row_id, r.invoice_id AS value FROM {allocation} AS r
            WHERE r.invoice_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM {invoice} AS i WHERE (i.tenant_id, i.invoice_id) = (r.tenant_id, r.invoice_id)
            )""",
        says="allocations to an invoice that is not there",
        advice="they settle nothing: is invoice_id the right column, and does the invoice's view leave some out?",
    ),
    Question(
        table="allocation",
        column="allocated",
        sql="""WITH beyond AS MATERIALIZED (
                SELECT p.tenant_id, p.payment_id, p.currency, a.amount AS allocated, p.amount
                FROM (
                    SELECT tenant_id, source_id, source_kind, sum(amount) AS amount FROM {allocation} AS r
                    GROUP BY tenant_id, source_id, source_kind
                ) AS a JOIN {payment} AS p ON (p.tenant_id, p.payment_id, p.kind) = (a.tenant_id, a.source_id, a.source_kind)
                WHERE a.amount > 1.005 * p.amount + 0.01
            )
            SELECT tenant_id, payment_id AS row_id, allocated || ' of ' || amount AS value FROM beyond
            WHERE NOT EXISTS (
                SELECT FROM {allocation} AS l JOIN {invoice} AS i USING (tenant_id, invoice_id)
                WHERE (l.tenant_id, l.source_id) = (beyond.tenant_id, beyond.payment_id) AND i.currency <> beyond.currency
            )""",
        says="payments and refunds of which more is allocated than they are",
        advice="are allocations doubled by a join, or in another unit (cents) than payments?",
    ),
    Question(
        table="allocation",
        column="settled",
        sql=f"""WITH {_COUNTING},
            doubtful AS MATERIALIZED (
                SELECT i.tenant_id, i.invoice_id, i.total
                FROM (
                    SELECT tenant_id, invoice_id, sum(amount) AS amount FROM {{allocation}} AS r
                    WHERE source_kind <> 'refund' GROUP BY tenant_id, invoice_id
                ) AS a JOIN {{invoice}} AS i USING (tenant_id, invoice_id)
                WHERE i.kind = 'invoice' AND a.amount > 1.5 * i.total + 0.01
            )
            SELECT tenant_id, invoice_id AS row_id, sum(amount) || ' of ' || total AS value
            FROM doubtful JOIN counting USING (tenant_id, invoice_id) WHERE source_kind <> 'refund'
            GROUP BY tenant_id, invoice_id, total HAVING sum(amount) > 1.5 * total + 0.01""",
        says="invoices that far more is allocated to than they are",
        advice="are allocations doubled by a join, or in another unit (cents) than invoices?",
        level="warning",
    ),
    Question(
        table="invoice",
        column="total",
        sql=f"""SELECT min(tenant_id) AS tenant_id, min(invoice_id) AS row_id, min(total || ' paid by ' || settled) AS value
            FROM (
                SELECT tenant_id, invoice_id, sum(amount) AS settled FROM {{allocation}} AS r
                WHERE source_kind = 'payment' GROUP BY tenant_id, invoice_id
            ) AS paid JOIN {{invoice}} AS i USING (tenant_id, invoice_id)
            HAVING count(*) >= {_FEW} AND count(*) FILTER (WHERE total = 100 * settled) > 0.5 * count(*)""",
        says="most invoices are exactly a hundred times what paid them",
        advice="are totals in cents? Divide by 100, in every column of money alike",
    ),
    Question(
        table="invoice",
        column="balance",
        sql=f"""WITH {_COUNTING},
            doubtful AS MATERIALIZED (
                SELECT i.tenant_id, i.invoice_id, i.total, i.balance
                FROM {{invoice}} AS i JOIN (
                    SELECT a.tenant_id, a.invoice_id, sum({_TAKEN}) AS amount
                    FROM {{allocation}} AS a GROUP BY a.tenant_id, a.invoice_id
                ) AS taken USING (tenant_id, invoice_id)
                WHERE i.status = 'posted' AND i.kind = 'invoice' AND i.written_off_on IS NULL AND i.balance >= 0
                    AND {_ANOTHER_BALANCE} AND i.balance <= i.total
            )
            SELECT i.tenant_id, i.invoice_id AS row_id, i.balance || ' of ' || i.total || ' less ' || taken.amount AS value
            FROM doubtful AS i
            LEFT JOIN (
                SELECT a.tenant_id, a.invoice_id, sum({_TAKEN}) AS amount, bool_or(a.is_ahead) AS is_ahead
                FROM doubtful JOIN counting AS a USING (tenant_id, invoice_id) GROUP BY a.tenant_id, a.invoice_id
            ) AS counted USING (tenant_id, invoice_id)
            CROSS JOIN LATERAL (SELECT coalesce(counted.amount, 0) AS amount) AS taken
            WHERE {_ANOTHER_BALANCE} AND counted.is_ahead IS NOT TRUE""",
        says="a balance other than the total less what is allocated",
        advice="balance is what is open now: is it kept up to date, do allocations lack some, are both in the same unit?",
        level="warning",
    ),
    Question(
        table="quote",
        column="invoice_id",
        sql="""SELECT tenant_id, quote_id AS row_id, NULL::text AS value FROM {quote} AS r
            WHERE status = 'converted' AND invoice_id IS NULL
                AND EXISTS (SELECT FROM {quote} AS q WHERE q.invoice_id IS NOT NULL)""",
        says="converted quotes without their invoice",
        advice="map the invoice that a quote became",
        level="warning",
    ),
    Question(
        table="quote",
        column="invoice_id",
        sql="""SELECT tenant_id, quote_id AS row_id, invoice_id AS value FROM {quote} AS r
            WHERE invoice_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM {invoice} AS i WHERE (i.tenant_id, i.invoice_id) = (r.tenant_id, r.invoice_id)
            )""",
        says="quotes that became an invoice that is not there",
        advice="is invoice_id the right column?",
        level="warning",
    ),
    Question(
        table="invoice",
        column="reference",
        sql="""SELECT tenant_id, min(invoice_id) AS row_id, reference AS value FROM {invoice} AS r
            WHERE reference IS NOT NULL AND kind = 'invoice' GROUP BY tenant_id, reference HAVING count(*) > 1""",
        says="numbers that several invoices have",
        advice="nothing depends on it, but people know documents by their number",
        level="info",
    ),
    Question(
        table="fx_rate",
        column="rate",
        sql="""SELECT a.tenant_id, concat_ws(' ', a.currency, a.base_currency, a.rate_date) AS row_id, a.rate::text AS value
            FROM {fx_rate} AS a JOIN (
                SELECT currency, base_currency, percentile_cont(0.5) WITHIN GROUP (ORDER BY rate::float8) AS usual
                FROM {fx_rate} AS f WHERE rate > 0 AND rate <> 'NaN' GROUP BY currency, base_currency
            ) AS pair USING (currency, base_currency)
            WHERE a.rate > 0 AND a.rate <> 'NaN' AND a.currency <> a.base_currency AND (
                abs(ln(a.rate::float8 / usual)) > 1.2
                OR abs(ln(a.rate::float8 / usual)) > 0.15 AND abs(ln(a.rate::float8 * usual)) < 0.05
            )""",
        says="rates far from the same pair's others, or their inverse",
        advice="rate is base units per 1 unit of currency, on every day alike",
    ),
    Question(
        table="fx_rate",
        column="rate",
        sql="""WITH pair AS (
                SELECT currency, base_currency, min(tenant_id) AS tenant_id,
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY rate::float8) AS usual
                FROM {fx_rate} AS f WHERE rate > 0 AND rate <> 'NaN' AND currency <> base_currency
                GROUP BY currency, base_currency
            )
            SELECT a.tenant_id, concat_ws(' ', a.currency, a.base_currency) AS row_id, a.usual::text AS value
            FROM pair AS a JOIN pair AS b ON (a.currency, a.base_currency) = (b.base_currency, b.currency)
            WHERE abs(ln(a.usual * b.usual)) > 0.15""",
        says="rates that do not fit those of the opposite direction",
        advice="one direction is the inverse of the other: rate is base units per 1 unit of currency",
    ),
)
