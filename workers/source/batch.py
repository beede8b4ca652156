"""A batch of tenants as every statement sees it, and how a statement's rows become groups of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, TextClause, text

from shared.errors import InvalidData
from workers.facts import Clock, Tenant

Group = TypeVar("Group")

# Every statement begins with the tenants asked for, each with its own local day: the batch costs one round trip, and
# each tenant's rows are found through an index by (tenant, date).
#
# What is read of a table stands in LATERAL (… OFFSET 0): the planner takes it as it is, tenant by tenant through the index.
# Left free, it would join whole tables for a batch of fifty, and other tenants' history would cost time.
_ASKED = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(CAST(:tenant_ids AS text[]), CAST(:todays AS date[]), CAST(:bases AS text[]),
                             CAST(:on_cash AS boolean[])) AS a (tenant_id, today, base, on_cash)
    )
"""

# What a flow is worth: own.rate is the document's rate to base units (null when it has none), money.currency what the
# amount times money.factor is in. A rate that is not positive is none. 'XXX' is ISO 4217's code for no currency.
_CONVERTED = """
    CROSS JOIN LATERAL (
        SELECT CASE WHEN document.currency::text = a.base THEN 1
                    WHEN document.base_rate > 0 THEN document.base_rate END AS rate
    ) own
    CROSS JOIN LATERAL (
        SELECT coalesce(own.rate, 1) AS factor,
               CASE WHEN own.rate IS NULL THEN coalesce(document.currency::text, 'XXX') ELSE a.base END AS currency
    ) money
"""


def statement(body: str, **names: str) -> TextClause:
    """A statement over the tenants `asked` for. In `body`, {converted i} adds what the documents i are worth in base
    units; {name} stands for what `names` says."""
    for name, meaning in names.items():
        body = body.replace(f"{{{name}}}", meaning)
    for alias in "ipeq":
        body = body.replace(f"{{converted {alias}}}", _CONVERTED.replace("document.", f"{alias}."))
    return text(_ASKED + body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tenants that exist, their clocks, and the transaction that reads them."""

    connection: Connection
    tenants: Mapping[str, Tenant]
    clocks: Mapping[str, Clock]

    def groups(self, query: TextClause, make: Callable[..., Group]) -> dict[str, list[Group]]:
        """Run the statement and make one group of each row, by tenant: the columns are tenant_id, then make's fields.

        Raises InvalidData when an amount is missing, NaN or infinite.
        """
        result = self.execute(query)
        fields = tuple(result.keys())[1:]
        found: dict[str, list[Group]] = {}
        for tenant_id, *values in result.all():
            refuse_nonsense(tenant_id, values)
            found.setdefault(tenant_id, []).append(make(**dict(zip(fields, values, strict=True))))
        return found

    def execute(self, query: TextClause) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement over all the tenants; it may ask for the moment as :now."""
        return self.connection.execute(query, self._asked())

    def _asked(self) -> dict[str, Any]:
        tenants = self.tenants.values()
        return {
            "now": next((self.clocks[tenant.tenant_id].as_of for tenant in tenants), None),
            "tenant_ids": [tenant.tenant_id for tenant in tenants],
            "todays": [self.clocks[tenant.tenant_id].today for tenant in tenants],
            "bases": [tenant.base_currency for tenant in tenants],
            "on_cash": [tenant.basis == "cash" for tenant in tenants],
        }


def refuse_nonsense(tenant_id: str, values: Sequence[Any]) -> None:
    """Raise InvalidData for an amount that is no number: the tables refuse it, a view in their place may not.

    Statements turn a missing amount into NaN, so that it cannot pass for nothing.
    """
    for value in values:
        if isinstance(value, Decimal) and not value.is_finite():
            raise InvalidData(tenant_id, "an amount or a rate is missing, NaN or infinite")
