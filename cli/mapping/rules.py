"""What must not stand in a row: conditions over one row and its tenant, all of a relation's asked in one reading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import available_timezones

from cli.mapping.contract import RELATIONS
from cli.mapping.finding import Level
from shared.currency import EXPONENTS
from shared.tenant_ids import WORDS, servable_sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Rows of one relation in which `where` holds; `column` is shown of the example.

    `where` is SQL over the row `r`, its tenant `t` (base, null: unknown) and its currency `c` (places, null: unknown). A rule
    is left out where a column of `r` that it names cannot be read.
    """

    column: str
    where: str
    says: str
    advice: str
    level: Level = "error"

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the row that are looked at."""
        return frozenset(re.findall(r"\br\.(\w+)", self.where)) | {self.column}


_WORDS = {
    ("invoice", "kind"): "invoice credit_note",
    ("invoice", "status"): "draft posted void",
    ("payment", "kind"): "payment refund",
    ("payment", "status"): "succeeded pending failed",
    ("allocation", "source_kind"): "payment refund credit_note",
    ("expense", "status"): "draft posted void",
    ("quote", "status"): "draft sent accepted declined expired converted void",
    ("recurring", "kind"): "invoice expense",
    ("recurring", "interval_unit"): "day week month year",
}
# The date that a document stands under, and how many days ahead of today it may be.
_DATES = {
    "invoice": ("issue_date", 366),
    "payment": ("paid_on", 366),
    "expense": ("expense_date", 366),
    "quote": ("issue_date", 366),
    "fx_rate": ("rate_date", 7),
}
_TOTAL = {"invoice": "total", "payment": "amount", "expense": "total", "quote": "total", "recurring": "amount"}
_MEND = "correct it where the view takes it from, or in the view"
_RATES_SAY = "base units per 1 unit of the document's currency"


def rules(table: str, *, encoding: str) -> list[Rule]:
    """Every rule for rows of this relation, in a database of that encoding."""
    return [
        *_identity(table, encoding),
        *_words(table),
        *_dates(table),
        *_money(table),
        *_rates(table),
        *OF_ONE_TABLE.get(table, ()),
        *([_UPDATED] if "updated_at" in RELATIONS[table].types else []),
    ]


_UPDATED = Rule(
    column="updated_at", where="r.updated_at IS NULL", says="rows without updated_at", advice="give created_at, or now()",
    level="info",
)  # fmt: skip


def _identity(table: str, encoding: str) -> Iterator[Rule]:
    yield Rule(
        column="tenant_id",
        where="r.tenant_id IS NULL",
        says="rows without tenant_id",
        advice="no tenant sees them: give the tenant in the view, or leave the rows out",
    )
    servable = servable_sql("r.tenant_id", encoding=encoding)
    everyone = " AND r.tenant_id <> '*'" if table == "fx_rate" else ""
    yield Rule(
        column="tenant_id",
        where=f"NOT {servable}{everyone}",
        says="tenant ids that cannot be served",
        advice=f"an id is {WORDS}; map another column, or encode it alike here and in your tokens",
    )
    if table != "tenant":
        yield Rule(
            column="tenant_id",
            where=f"r.tenant_id IS NOT NULL AND NOT t.there{everyone}",
            says="rows of tenants that dashboard.tenant does not have",
            advice="is tenant_id the right column? Else add the tenants, or leave their rows out",
            level="warning",
        )
    for column in RELATIONS[table].key:
        if RELATIONS[table].types[column] == "text" and column.endswith("_id"):
            yield Rule(
                column=column,
                where=f"coalesce(r.{column}, '') = ''",
                says=f"rows without {column}",
                advice="map the column that names the row",
            )


def _words(table: str) -> Iterator[Rule]:
    for (of, column), words in _WORDS.items():
        if of == table:
            known = ", ".join(f"'{word}'" for word in words.split())
            yield Rule(
                column=column,
                where=f"(r.{column} IN ({known})) IS NOT TRUE",
                says=f"unknown words in {column}, whose rows are not counted",
                advice=f"translate your words in the view: {', '.join(words.split())}",
            )


def _dates(table: str) -> Iterator[Rule]:
    if table not in _DATES:
        return
    column, ahead = _DATES[table]
    yield Rule(
        column=column,
        where=f"r.{column} IS NULL",
        says=f"rows without {column}",
        advice="they count on no day: map a date",
    )
    yield Rule(
        column=column,
        where=f"r.{column} < DATE '1980-01-01'",
        says=f"{column} before 1980",
        advice=f"a default such as 1970-01-01 stands for an unknown date: {_MEND}",
    )
    yield Rule(
        column=column,
        where=f"r.{column} > current_date + {ahead}",
        says=f"{column} far in the future",
        advice=_MEND,
    )


def _money(table: str) -> Iterator[Rule]:
    has = RELATIONS[table].types
    if "currency" in has:
        yield Rule(
            column="currency",
            where="c.places IS NULL",
            says="currencies that are no code of ISO 4217",
            advice="give three capital letters (EUR), no sign and no name; without a currency nothing can be converted",
        )
    if table not in _TOTAL:
        return
    total = _TOTAL[table]
    yield Rule(
        column=total,
        where=f"r.{total} IS NULL OR r.{total} IN ('NaN', 'Infinity', '-Infinity')",
        says=f"rows whose {total} is missing or no number",
        advice="their tenant cannot be computed: give a number, or leave the rows out",
    )
    if table != "expense":
        yield Rule(
            column=total,
            where=f"r.{total} < 0",
            says=f"a negative {total}",
            advice=_NEGATIVE.get(table, "give amounts without a sign"),
        )
    yield Rule(
        column=total,
        where=f"r.{total} <> round(r.{total}, c.places)",
        says=f"{total} with more decimals than the currency has",
        advice="is it divided by 100 twice, or a net amount that was never rounded? Amounts are rounded document by document",
        level="warning",
    )
    if "tax" in has:
        yield Rule(
            column="tax",
            where=f"abs(r.tax) > abs(r.{total}) AND r.tax <> 0",
            says="a tax greater than the total",
            advice="total includes the tax; are both in the same unit (cents)?",
        )
        yield Rule(
            column="tax",
            where=f"sign(r.tax) * sign(r.{total}) < 0",
            says="a tax of the other sign than the total",
            advice="the tax is a part of the total: give both the same sign",
        )


_NEGATIVE = {
    "invoice": "a credit note is kind 'credit_note' with a positive total: map those, and their sign",
    "payment": "money paid back is kind 'refund' with a positive amount",
}


def _rates(table: str) -> Iterator[Rule]:
    if "base_rate" not in RELATIONS[table].types:
        return
    yield Rule(
        column="base_rate",
        where="r.base_rate <= 0 OR r.base_rate IN ('NaN', 'Infinity')",
        says="a base_rate that is not above 0",
        advice=f"give {_RATES_SAY}, or null",
    )
    yield Rule(
        column="base_rate",
        where="r.currency = t.base AND r.base_rate <> 1",
        says="documents in the tenant's own currency with a base_rate other than 1",
        advice=f"is currency, or the tenant's base_currency, the right column? base_rate is {_RATES_SAY}",
    )


_ZONES = ", ".join(f"'{name}'" for name in sorted(available_timezones()))
_CODES = ", ".join(f"'{code}'" for code in sorted(EXPONENTS))

# What is particular to one relation.
OF_ONE_TABLE: dict[str, list[Rule]] = {
    "tenant": [
        Rule(
            column="timezone",
            where=f"(r.timezone IN ({_ZONES})) IS NOT TRUE",
            says="tenants without a time zone that there is",
            advice="give a name such as Europe/Berlin; their days are UTC's meanwhile",
        ),
        Rule(
            column="base_currency",
            where=f"(r.base_currency IN ({_CODES})) IS NOT TRUE",
            says="tenants whose base_currency is no code of ISO 4217",
            advice="give three capital letters (EUR): the currency that their books are kept in",
        ),
        Rule(
            column="fiscal_year_start_month",
            where="r.fiscal_year_start_month NOT BETWEEN 1 AND 12",
            says="a fiscal_year_start_month that is no month",
            advice="give 1 to 12",
        ),
        Rule(
            column="basis",
            where="r.basis NOT IN ('accrual', 'cash')",
            says="an unknown basis",
            advice="give 'accrual' or 'cash'",
        ),
        Rule(
            column="cash_balance",
            where="(r.cash_balance IS NULL) <> (r.cash_balance_on IS NULL)",
            says="a cash_balance without its day, or a day without it",
            advice="give cash_balance and cash_balance_on together, or neither",
            level="warning",
        ),
        Rule(
            column="cash_balance_on",
            where="r.cash_balance_on > current_date + 1",
            says="a cash_balance of a day that is still to come",
            advice="cash_balance_on is the day at whose end the accounts held it",
        ),
    ],
    "invoice": [
        Rule(
            column="due_date",
            where="r.due_date < r.issue_date - 366 OR r.due_date > r.issue_date + 3660",
            says="due dates years away from the issue date",
            advice=f"a typing error, or a default: {_MEND}",
        ),
        Rule(
            column="due_date",
            where="r.due_date < r.issue_date AND r.due_date >= r.issue_date - 366",
            says="invoices due before they were issued",
            advice="are due_date and issue_date the right columns?",
            level="warning",
        ),
        Rule(
            column="balance",
            where="r.balance IN ('NaN', 'Infinity', '-Infinity')",
            says="a balance that is no number",
            advice="their tenant cannot be computed: give a number, or null",
        ),
        Rule(
            column="balance",
            where="r.balance > r.total AND r.total >= 0",
            says="a balance above the total",
            advice="balance is what is still open of total, in the same unit and currency",
        ),
        Rule(
            column="balance",
            where="round(r.balance, coalesce(c.places, 2)) < 0",
            says="a negative balance, which counts as 0",
            advice="is its sign the wrong way round? What was paid too much belongs into payment.unapplied",
            level="warning",
        ),
        Rule(
            column="written_off_on",
            where="r.written_off_on < r.issue_date OR r.written_off_on > current_date + 366",
            says="written off before it was issued, or far in the future",
            advice="written_off_on is the day, null for what is not written off",
        ),
    ],
    "payment": [
        Rule(
            column="unapplied",
            where="r.unapplied > r.amount AND r.amount >= 0",
            says="more unapplied than was paid",
            advice="unapplied is what of amount pays for nothing yet, in the same unit and currency",
        ),
        Rule(
            column="unapplied",
            where="r.unapplied < 0",
            says="a negative unapplied",
            advice="give 0 for what is used up",
            level="warning",
        ),
        Rule(
            column="paid_at",
            where="abs(r.paid_at::date - r.paid_on) > 2",
            says="paid_at and paid_on on different days",
            advice="paid_on is the tenant's local day of paid_at",
            level="warning",
        ),
        Rule(
            column="paid_at",
            where="r.paid_at > now() + interval '10 minutes' AND r.paid_on <= current_date + 1",
            says="moments of payment that are still to come",
            advice="is local time taken for UTC? Give paid_at AT TIME ZONE its zone",
            level="warning",
        ),
    ],
    "allocation": [
        Rule(
            column="amount",
            where="r.amount IS NULL OR r.amount IN ('NaN', 'Infinity', '-Infinity')",
            says="rows whose amount is missing or no number",
            advice="their tenant cannot be computed: give a number, or leave the rows out",
        ),
        Rule(
            column="amount",
            where="r.amount < 0",
            says="a negative amount",
            advice="what is taken back is an allocation of source_kind 'refund' with a positive amount",
        ),
        Rule(
            column="source_id",
            where="coalesce(r.source_id, '') = '' OR coalesce(r.invoice_id, '') = ''",
            says="allocations without a source or an invoice",
            advice="leave rows out that link nothing",
        ),
    ],
    "expense": [
        Rule(
            column="due_date",
            where="r.due_date < r.expense_date - 366 OR r.due_date > r.expense_date + 3660",
            says="due dates years away from the expense's",
            advice=f"a typing error, or a default: {_MEND}",
        ),
        Rule(
            column="paid_on",
            where="r.paid_on < DATE '1980-01-01' OR r.paid_on > current_date + 366",
            says="paid before 1980, or far in the future",
            advice="paid_on is null for what is not paid",
        ),
    ],
    "quote": [
        Rule(
            column="expiry_date",
            where="r.expiry_date < r.issue_date OR r.expiry_date > r.issue_date + 3660",
            says="quotes that expire before they were made, or in years",
            advice="are expiry_date and issue_date the right columns?",
            level="warning",
        ),
        Rule(
            column="decided_on",
            where="r.decided_on < r.issue_date OR r.decided_on > current_date + 366",
            says="quotes decided before they were made, or far in the future",
            advice="decided_on is the day that the client answered, null before",
            level="warning",
        ),
    ],
    "recurring": [
        Rule(
            column="interval_count",
            where="(r.interval_count > 0) IS NOT TRUE",
            says="templates whose interval_count is not above 0, which never occur",
            advice="give 1 for every, 2 for every other",
        ),
        Rule(
            column="active",
            where="r.active IS NULL",
            says="templates of which nobody says whether they are active",
            advice="give true or false",
        ),
        Rule(
            column="next_on",
            where="r.active AND r.next_on IS NULL",
            says="active templates without next_on, which never occur",
            advice="give the day of the next occurrence, or active = false",
        ),
        Rule(
            column="next_on",
            where="r.active AND (r.next_on < current_date - 366 OR r.next_on > current_date + 3660)",
            says="active templates whose next_on is years away",
            advice="give the day of the next occurrence, or active = false",
            level="warning",
        ),
        Rule(
            column="terms_days",
            where="r.terms_days NOT BETWEEN 0 AND 3650",
            says="terms_days that are no terms",
            advice="give days from the invoice to its due date, or null",
        ),
    ],
    "fx_rate": [
        Rule(
            column="base_currency",
            where=f"(r.base_currency IN ({_CODES})) IS NOT TRUE",
            says="base currencies that are no code of ISO 4217",
            advice="give three capital letters (EUR)",
        ),
        Rule(
            column="rate",
            where="(r.rate > 0) IS NOT TRUE OR r.rate IN ('NaN', 'Infinity')",
            says="rates that are missing or not above 0",
            advice="rate is base units per 1 unit of currency; leave days without a rate out",
        ),
        Rule(
            column="rate",
            where="r.currency = r.base_currency AND r.rate <> 1",
            says="rates of a currency in itself that are not 1",
            advice="are currency and base_currency the right columns?",
        ),
    ],
}  # fmt: skip
