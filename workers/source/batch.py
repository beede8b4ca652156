"""A batch of tenants as every statement sees it, and how a statement's rows become groups of facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, TextClause, text

from shared.currency import exponent
from shared.errors import InvalidData
from workers.facts import Clock, Tenant
from workers.source.columns import Missing, with_nulls
from workers.source.conversion import with_conversions

# Every statement begins with the tenants asked for, each with its own local day: the batch costs one round trip, and
# each tenant's rows are found through an index by (tenant, date).
#
# What is read of a table stands in LATERAL (… OFFSET 0): the planner takes it as it is, tenant by tenant through the index.
# Left free, it would join whole tables for a batch of fifty, and other tenants' history would cost time.
#
# How many rows one tenant has the planner cannot know, and where it expects few it compares all with all. A FULL JOIN can
# only be carried out by hashing, whatever is expected: so such sets are joined by one, and what has no partner is sorted
# out by {both x y} or {there x}, of which the planner cannot tell that it makes an ordinary join of it.
_THERE = "CASE WHEN {x} IS NULL THEN false ELSE true END"
_BOTH = "CASE WHEN {x} IS NULL OR {y} IS NULL THEN false ELSE true END"

_ASKED = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:tenant_ids AS text[]), CAST(:todays AS date[]), CAST(:bases AS text[]),
                             CAST(:places AS integer[]), CAST(:on_cash AS boolean[]), CAST(:cash_balances_on AS date[]),
                             CAST(:links_known AS boolean[]))
                 AS a (tenant_id, today, base, places, on_cash, cash_balance_on, links_known)
    )
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in SQL, made ready for relations that may lack optional columns."""

    sql: str

    def reading(self, missing: Missing) -> TextClause:
        """The statement as it can be carried out."""
        return _ready(self.sql, missing)


@lru_cache(maxsize=1000)
def _ready(sql: str, missing: Missing) -> TextClause:
    return text(with_nulls(sql, missing))


def statement(body: str, **names: str) -> Statement:
    """A statement over the tenants `asked` for; it names a table as `dashboard.TABLE AS alias`. {name} stands for what
    `names` says; for marks of money see conversion.py."""
    for name, meaning in names.items():
        body = body.replace(f"{{{name}}}", meaning)
    body = re.sub(r"\{there ([\w.]+)\}", lambda m: _THERE.replace("{x}", m[1]), body)
    body = re.sub(r"\{both ([\w.]+) ([\w.]+)\}", lambda m: _BOTH.replace("{x}", m[1]).replace("{y}", m[2]), body)
    return Statement(with_conversions(_ASKED + body))


Groups = dict[str, list[Any]]
"""Groups of facts of one family, by tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tenants that exist, their clocks, and the transaction that reads them.

    links_unknown: the tenants of whom nobody can say which money paid for what. links_followed: those whose links have to
    be followed to find out what is open and left over, because the host does not say all of it.
    """

    connection: Connection
    tenants: Mapping[str, Tenant]
    clocks: Mapping[str, Clock]
    missing: Missing = frozenset()
    links_unknown: frozenset[str] = field(default=frozenset())
    links_followed: frozenset[str] = field(default=frozenset())

    def of(self, concerned: Callable[[Tenant], bool]) -> Batch:
        """The batch without the tenants that a statement does not concern."""
        kept = {tenant_id: tenant for tenant_id, tenant in self.tenants.items() if concerned(tenant)}
        return replace(self, tenants=kept)

    def groups(self, query: Statement, families: Mapping[str, type[Any]]) -> dict[str, Groups]:
        """Run the statement and make one group of each row, by family and tenant: of the columns named as the fields of
        that family's type. With several families the column `family` says which one a row belongs to.

        Raises InvalidData when an amount is missing, NaN or infinite.
        """
        result = self.execute(query)
        columns = list(result.keys())
        places = {
            family: [(f.name, columns.index(f.name)) for f in fields(make) if f.name in columns]
            for family, make in families.items()
        }
        found: dict[str, Groups] = {family: {} for family in families}
        (only, *more) = families
        family_at = columns.index("family") if more else None
        for row in result.all():
            family = only if family_at is None else row[family_at]
            refuse_nonsense(row[0], row)
            group = families[family](**{name: _frozen(row[place]) for name, place in places[family]})
            found[family].setdefault(row[0], []).append(group)
        return found

    def execute(self, query: Statement) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement over all the tenants; it may ask for the moment as :now."""
        return self.connection.execute(query.reading(self.missing), self._asked())

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
            "links_known": [tenant.tenant_id not in self.links_unknown for tenant in tenants],
        }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def refuse_nonsense(tenant_id: str, values: Sequence[Any]) -> None:
    """Raise InvalidData for an amount that is no number: the tables refuse it, a view in their place may not.

    Statements turn a missing amount into NaN, so that it cannot pass for nothing.
    """
    for value in values:
        if isinstance(value, Decimal) and not value.is_finite():
            raise InvalidData(tenant_id, "an amount or a rate is missing, NaN or infinite")
