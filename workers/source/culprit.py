"""Which row it is that cannot be computed: looked for only after a computation has failed, for one tenant, in little time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from workers.source.reasons import first_line

# The column that names a row, and the amounts and dates that a row that counts must have.
KEYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "tenant": ("tenant_id", ()),
    "invoice": ("invoice_id", ("issue_date", "total")),
    "payment": ("payment_id", ("paid_on", "amount")),
    "allocation": ("allocation_id", ("amount",)),
    "expense": ("expense_id", ("expense_date", "total")),
    "quote": ("quote_id", ("issue_date", "total")),
    "recurring": ("recurring_id", ("amount",)),
    "client": ("client_id", ()),
    "fx_rate": ("currency", ("rate_date", "rate")),
    "threshold": ("rule", ("value",)),
}
# Rows in these states are not read, whatever they hold.
_UNREAD = ("draft", "void", "pending", "failed")
_NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")
_DATES = ("date", "timestamp", "timestamptz")
BUDGET_S = 2.0
_STATEMENT_MS = 1000

_COLUMNS = """
    SELECT a.attname, coalesce(base.typname, own.typname)
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type base ON base.oid = own.typbasetype
    WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A row that cannot be computed, and why. row: its id; None where only the column is known."""

    table: str
    row: str | None
    column: str
    trouble: str

    def __str__(self) -> str:
        return f"dashboard.{self.table} {'' if self.row is None else f'{self.row!r} '}{self.column}: {self.trouble}"

    @property
    def words(self) -> str:
        """The same for the owner: no SQL, and nothing that PostgreSQL said."""
        what = self.table.replace("_", " ").replace("fx rate", "exchange rate")
        which = what if self.row is None or self.table == "tenant" else f"{what} {self.row}"
        return f"{self.column.replace('_', ' ')} of {which}"


def find_culprit(connection: psycopg.Connection, tenant_id: str) -> Culprit | None:
    """The first row of the tenant that holds what cannot be computed; None when none is found in time.

    `connection` is in autocommit. Of a table each column is read by itself, so that one which cannot be evaluated (a
    cast or a division in a view) is told from the others; its row is found by halving.
    """
    deadline = time.monotonic() + BUDGET_S
    for table, (key, required) in KEYS.items():
        columns: dict[str, str] = dict(connection.execute(_COLUMNS, [f"dashboard.{table}"]).fetchall())
        if not {"tenant_id", key} <= columns.keys():
            continue
        look = _Look(connection, tenant_id, table, key, deadline)
        for column, kind in columns.items():
            if time.monotonic() > deadline:
                return None
            if found := look.at(column, kind, required=column in required, with_status="status" in columns):
                return found
    return None


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at one table's rows of one tenant."""

    connection: psycopg.Connection
    tenant_id: str
    table: str
    key: str
    deadline: float

    def at(self, column: str, kind: str, *, required: bool, with_status: bool) -> Culprit | None:
        wrong = _wrong(column, kind, required=required)
        counts = sql.SQL("status NOT IN ({})").format(sql.SQL(", ").join(_UNREAD)) if with_status else sql.SQL("true")
        try:
            both = sql.SQL("{}::text, {}::text").format(sql.Identifier(self.key), sql.Identifier(column))
            found = self._ask(sql.SQL("{} AND {} AND ({}) LIMIT 1").format(self._rows(both), counts, wrong))
        except psycopg.errors.QueryCanceled:
            return None
        except psycopg.Error as error:
            return self._unreadable(column, first_line(error))
        if not found:
            return None
        row, value = found[0]
        said = "it is missing" if value is None else f"{value} cannot be computed with"
        return Culprit(table=self.table, row=row, column=column, trouble=said)

    def _unreadable(self, column: str, trouble: str) -> Culprit:
        culprit = Culprit(table=self.table, row=None, column=column, trouble=trouble)
        try:
            keys = [row[0] for row in self._ask(self._rows(sql.Identifier(self.key)))]
        except psycopg.Error:
            return culprit
        while len(keys) > 1 and time.monotonic() < self.deadline:
            half = keys[: len(keys) // 2]
            keys = half if self._fails(column, half) else keys[len(half) :]
        if len(keys) != 1 or not self._fails(column, keys):
            return culprit
        return Culprit(table=self.table, row=str(keys[0]), column=column, trouble=trouble)

    def _fails(self, column: str, keys: Sequence[Any]) -> bool:
        counted = self._rows(sql.SQL("count({})").format(sql.Identifier(column)))
        asked = sql.SQL("{} AND {} = ANY({})").format(counted, sql.Identifier(self.key), sql.Literal(list(keys)))
        try:
            self._ask(asked)
        except psycopg.Error:
            return True
        return False

    def _ask(self, statement: sql.Composed) -> list[Any]:
        with self.connection.transaction():
            # LOCAL: behind a pooler the connection is somebody else's afterwards.
            self.connection.execute(f"SET LOCAL statement_timeout = {_STATEMENT_MS}")
            return self.connection.execute(statement, prepare=False).fetchall()

    def _rows(self, what: sql.Composable) -> sql.Composed:
        whose = [self.tenant_id, "*"] if self.table == "fx_rate" else [self.tenant_id]
        return sql.SQL("SELECT {} FROM dashboard.{} WHERE tenant_id = ANY({})").format(
            what, sql.Identifier(self.table), sql.Literal(whose)
        )


def _wrong(column: str, kind: str, *, required: bool) -> sql.Composable:
    """When a value of this type cannot be computed with; to decide it, it has to be evaluated."""
    name = sql.Identifier(column)
    if kind in _NUMBERS:
        wrong = sql.SQL("{}::float8 IN ('NaN', 'Infinity', '-Infinity')").format(name)
    elif kind in _DATES:
        wrong = sql.SQL("{n} < '0001-01-01' OR {n} >= '10000-01-01'").format(n=name)
    else:
        wrong = sql.SQL("length({}::text) < 0").format(name)
    return sql.SQL("{} OR {} IS NULL").format(wrong, name) if required else wrong
