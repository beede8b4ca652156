"""A batch of tenants as every statement sees it, and how a statement's answer becomes groups of facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import psycopg

from shared.currency import exponent
from shared.errors import InvalidData
from workers.facts import Clock, Row, Tenant
from workers.query import Query
from workers.source.columns import Missing, with_nulls
from workers.source.conversion import with_conversions

# Every statement begins with the tenants asked for, each with its own local day: the batch costs one round trip, and
# each tenant's rows are found through an index by (tenant, date).
#
# What is read of a table stands in LATERAL (… OFFSET 0): the planner takes it as it is, tenant by tenant through the index.
# Left free, it would join whole tables for a batch of fifty, and other tenants' history would cost time. It names its columns
# where * would be many: each one that nobody uses is set up all the same, and carried as null with every row.
#
# How many rows one tenant has the planner cannot know, and where it expects few it compares all with all. A FULL JOIN can
# only be carried out by hashing, whatever is expected: so such sets are joined by one, and what has no partner is sorted
# out by {both x y} or {there x}, of which the planner cannot tell that it makes an ordinary join of it.
_THERE = "CASE WHEN {x} IS NULL THEN false ELSE true END"
_BOTH = "CASE WHEN {x} IS NULL OR {y} IS NULL THEN false ELSE true END"

# A typing error in a document's date (20250-01-01) decides little, and is no reason to know nothing of its tenant.
_HELD = "CASE WHEN {x} IS NOT NULL THEN least(greatest({x}, DATE '0001-01-01'), DATE '9999-12-30') END"

_ASKED = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:tenant_ids AS text[]), CAST(:todays AS date[]), CAST(:bases AS text[]),
                             CAST(:places AS integer[]), CAST(:on_cash AS boolean[]), CAST(:cash_balances_on AS date[]))
                 AS a (tenant_id, today, base, places, on_cash, cash_balance_on)
    )
"""

# All groups of a tenant and family in one JSON text, made by the server and read in one go: a row for each group would
# cost several times as much, most of it here. Only between two groups a line ends: within one it is escaped.
_ANSWER = """
    SELECT tenant_id, '{name}' AS family, '[' || string_agg(json_build_array({columns})::text, E',\\n') || ']'
    FROM ({rows}) AS {name}
    GROUP BY tenant_id
"""

Answers = dict[str, dict[str, str]]
"""What the database answered, by tenant and family: groups of facts, not yet read."""
Groups = dict[str, tuple[Any, ...]]
"""One tenant's groups of facts by family."""


@dataclass(frozen=True, slots=True)
class Family:
    """Groups of facts of one kind, and SQL for the rows that they are made of: tenant_id, and the fields of the type."""

    name: str
    make: type[Row]
    rows: str

    @property
    def answer(self) -> str:
        """SQL that answers with the groups of each tenant as one JSON array of arrays."""
        columns = ", ".join(f'"{field}"' for field in self.make.__struct_fields__)
        return _ANSWER.replace("{columns}", columns).replace("{name}", self.name).replace("{rows}", self.rows)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in SQL, made ready for relations that may lack optional columns, and how its answers are read."""

    sql: str
    families: Mapping[str, msgspec.json.Decoder[tuple[Any, ...]]]

    def reading(self, missing: Missing) -> Query:
        """The statement as it can be carried out."""
        return _ready(self.sql, missing)

    def read(self, tenant_id: str, answers: Mapping[str, str]) -> Groups:
        """The groups that a tenant's answers hold.

        Raises InvalidData when an amount is missing, NaN or infinite, and for a value that its type cannot hold.
        """
        found = {}
        for family, answer in answers.items():
            try:
                groups = self.families[family].decode(answer)
            except msgspec.ValidationError as error:
                raise InvalidData(tenant_id, f"{family}: {error}") from error
            refuse_nonsense_in(tenant_id, answer, groups)
            found[family] = groups
        return found


@lru_cache(maxsize=1000)
def _ready(sql: str, missing: Missing) -> Query:
    return Query(with_nulls(sql, missing))


def statement(*parts: str | Family, **names: str) -> Statement:
    """A statement over the tenants `asked` for: common table expressions, and the families that it answers with.

    It names a table as `dashboard.TABLE AS alias`. {name} stands for what `names` says; for marks of money see conversion.py.
    """
    families = [part for part in parts if isinstance(part, Family)]
    expressions = [part for part in parts if isinstance(part, str)]
    body = "".join(f", {expression.strip().strip(',')}" for expression in expressions)
    body += "UNION ALL".join(family.answer for family in families)
    for name, meaning in names.items():
        body = body.replace(f"{{{name}}}", meaning)
    decoders = {family.name: msgspec.json.Decoder(tuple[family.make, ...]) for family in families}  # type: ignore[name-defined]
    return Statement(expanded(_ASKED + body), decoders)


def expanded(sql: str) -> str:
    """The SQL with its marks filled in: {there x}, {both x y}, {held x} (the date x, or the nearest one that Python can hold
    and step on from), and those of money."""
    sql = re.sub(r"\{there ([\w.]+)\}", lambda m: _THERE.replace("{x}", m[1]), sql)
    sql = re.sub(r"\{both ([\w.]+) ([\w.]+)\}", lambda m: _BOTH.replace("{x}", m[1]).replace("{y}", m[2]), sql)
    sql = re.sub(r"\{held ([^{}]+)\}", lambda m: _HELD.replace("{x}", m[1]), sql)
    return with_conversions(sql)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tenants that exist, their clocks, and the transaction that reads them."""

    connection: psycopg.Connection
    tenants: Mapping[str, Tenant]
    clocks: Mapping[str, Clock]
    missing: Missing = frozenset()

    def of(self, concerned: Callable[[str], bool]) -> Batch:
        """The batch without the tenants that a statement does not concern."""
        kept = {tenant_id: tenant for tenant_id, tenant in self.tenants.items() if concerned(tenant_id)}
        return replace(self, tenants=kept)

    def answers(self, query: Statement) -> Answers:
        """Run the statement over all the tenants; it may ask for the moment as :now."""
        found: Answers = {}
        for tenant_id, family, answer in query.reading(self.missing).run(self.connection, self._asked()).fetchall():
            found.setdefault(tenant_id, {})[family] = answer
        return found

    def groups(self, query: Statement) -> dict[str, Groups]:
        """The same, read. Raises as Statement.read."""
        return {tenant_id: query.read(tenant_id, answers) for tenant_id, answers in self.answers(query).items()}

    def _asked(self) -> dict[str, Any]:
        tenants = self.tenants.values()
        return {
            "now": next((self.clocks[tenant.tenant_id].as_of for tenant in tenants), None),
            "tenant_ids": [tenant.tenant_id for tenant in tenants],
            "todays": [self.clocks[tenant.tenant_id].today for tenant in tenants],
            "bases": [tenant.base_currency for tenant in tenants],
            "places": [exponent(tenant.base_currency) for tenant in tenants],
            "on_cash": [tenant.basis == "cash" for tenant in tenants],
            "cash_balances_on": [None if tenant.cash_balance is None else tenant.cash_balance_on for tenant in tenants],
        }


def refuse_nonsense(tenant_id: str, *values: object) -> None:
    """Raise InvalidData for an amount that is no number: the tables refuse it, a view in their place may not.

    Statements turn a missing amount into NaN, so that it cannot pass for nothing.
    """
    for value in values:
        if isinstance(value, Decimal) and not value.is_finite():
            raise InvalidData(tenant_id, "an amount or a rate is missing, NaN or infinite")


def refuse_nonsense_in(tenant_id: str, answer: str, groups: tuple[Row, ...]) -> None:
    """The same of all groups that were decoded from an answer."""
    # Hardly any answer holds one of these words, and then it is mostly somebody's name.
    if "NaN" in answer or "Infinity" in answer:
        for group in groups:
            refuse_nonsense(tenant_id, *msgspec.structs.astuple(group))
