"""Optional columns of the host's tables and views: one that is missing is read as null, and something is lost by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """An optional column: what its nulls are typed as, and in words what is lost without it."""

    type: str
    lost: str


_RATE = Column(type="numeric", lost="documents are converted at the rates of dashboard.fx_rate only")
_CLIENT = Column(
    type="text", lost="nobody is told by name: top clients, debtors and client activity miss these documents"
)
_NUMBER = Column(type="text", lost="documents are shown by their id instead of the number that people know")
_WRITTEN = Column(
    type="timestamptz", lost="a closed month that changes is told without the documents that have changed it"
)
_TAX = Column(type="numeric", lost="amounts count as if they held no tax, and every document as an anomaly")
_MADE_FROM = Column(
    type="text", lost="the forecast cannot tell which documents already stand for a template's occurrence"
)

# What a view in the place of a table may lack altogether (SPEC 3). Only those that a statement reads, or a page shows.
OPTIONAL: Mapping[str, Mapping[str, Column]] = {
    "tenant": {
        "name": Column(type="text", lost="the business has no name"),
        "fiscal_year_start_month": Column(type="integer", lost="every fiscal year begins in January"),
        "basis": Column(type="text", lost="every tenant is on accrual basis"),
        "cash_balance": Column(type="numeric", lost="the cash forecast begins at 0 instead of what the accounts hold"),
        "cash_balance_on": Column(type="date", lost="the cash forecast begins at 0 instead of what the accounts hold"),
    },
    "client": {
        "name": Column(type="text", lost="clients are shown by their id"),
    },
    "invoice": {
        "client_id": _CLIENT,
        "reference": _NUMBER,
        "due_date": Column(type="date", lost="no invoice is ever overdue, and every one is an anomaly"),
        "tax": _TAX,
        "balance": Column(type="numeric", lost="what is open is worked out from allocations, reading all of them"),
        "base_rate": _RATE,
        "written_off_on": Column(type="date", lost="invoices that were written off stay open"),
        "recurring_id": _MADE_FROM,
        "updated_at": _WRITTEN,
    },
    "payment": {
        "updated_at": _WRITTEN,
        "client_id": Column(type="text", lost="a payment belongs to the client of the invoices that it pays, else to nobody"),
        "reference": _NUMBER,
        "base_rate": _RATE,
        "unapplied": Column(
            type="numeric", lost="what pays for nothing yet is worked out from allocations, reading all of them"
        ),
    },
    "expense": {
        "updated_at": _WRITTEN,
        "reference": _NUMBER,
        "category": Column(type="text", lost="expenses stand under no category"),
        "vendor": Column(type="text", lost="vendor credits lessen nothing in the cash forecast"),
        "due_date": Column(type="date", lost="the cash forecast expects every unpaid expense today"),
        "paid_on": Column(type="date", lost="no expense is ever paid: cash flow and cash basis miss them"),
        "tax": _TAX,
        "base_rate": _RATE,
        "recurring_id": _MADE_FROM,
    },
    "quote": {
        "client_id": _CLIENT,
        "reference": _NUMBER,
        "expiry_date": Column(type="date", lost="a quote that was sent never expires by itself"),
        "decided_on": Column(type="date", lost="a quote counts as decided on the day that it was issued"),
        "base_rate": _RATE,
    },
    "recurring": {
        "next_on": Column(type="date", lost="the cash forecast knows no template"),
        "ends_on": Column(type="date", lost="templates never end"),
        "terms_days": Column(type="integer", lost="a template's invoice is expected to be paid on the day that it is made"),
    },
}  # fmt: skip

Missing = frozenset[tuple[str, str]]
"""The (relation, column) pairs that are not there."""

_TABLE = re.compile(r"\bdashboard\.(\w+) AS\b")

# Which columns do the relations have? Also those of a view.
_COLUMNS = text("""
    SELECT relation.name, a.attname::text
    FROM unnest(CAST(:names AS text[])) AS relation (name)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = to_regclass('dashboard.' || relation.name)
    WHERE a.attnum > 0 AND NOT a.attisdropped
""")


def missing_columns(connection: Connection) -> Missing:
    """The optional columns that the relations do not have, as the catalogue says now."""
    found = {(name, column) for name, column in connection.execute(_COLUMNS, {"names": list(OPTIONAL)})}
    return frozenset(
        (table, column) for table in OPTIONAL for column in OPTIONAL[table] if (table, column) not in found
    )


def with_nulls(statement: str, missing: Missing) -> str:
    """The statement with a null in the place of each missing column, wherever it says `dashboard.TABLE AS`.

    A stale `missing` cannot go unnoticed: a column that has gone is undefined, and one that has come makes the name
    ambiguous.
    """

    def relation(match: re.Match[str]) -> str:
        table = match[1]
        nulls = [f"NULL::{OPTIONAL[table][name].type} AS {name}" for of, name in sorted(missing) if of == table]
        return f"(SELECT *, {', '.join(nulls)} FROM dashboard.{table}) AS" if nulls else match[0]  # noqa: S608 (our words)

    return _TABLE.sub(relation, statement)


def losses(missing: Missing) -> Iterator[tuple[str, str]]:
    """Each missing column as "invoice.due_date", with what is lost by it in words."""
    for table, column in sorted(missing):
        yield f"{table}.{column}", OPTIONAL[table][column].lost
