"""One reading of a relation that counts every rule's rows, and an example for each that has any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg

from cli.mapping.asking import ask
from cli.mapping.contract import Readable, row_id
from cli.mapping.finding import Example, Finding
from cli.mapping.rules import Rule
from shared.currency import EXPONENTS

_CURRENCIES = ", ".join(f"('{code}', {places})" for code, places in EXPONENTS.items())


def scan(
    connection: psycopg.Connection, relation: Readable, tenants: Readable, rules: Sequence[Rule]
) -> Iterator[Finding]:
    """What the rules find; raises psycopg.Error when a row cannot be read."""
    asked = [rule for rule in rules if relation.has(rule.columns)]
    if not asked:
        return
    source = _source(relation, tenants)
    counted = ", ".join(f"count(*) FILTER (WHERE {rule.where})" for rule in asked)
    (counts,) = ask(connection, f"SELECT {counted} {source}")
    for rule, count in zip(asked, counts, strict=True):
        if count:
            yield Finding(
                level=rule.level,
                table=relation.name,
                says=rule.says,
                advice=rule.advice,
                count=count,
                example=_example(connection, relation, rule, source),
            )


def _source(relation: Readable, tenants: Readable) -> str:
    """The relation's rows, each with its tenant and its currency. A relation without currencies has none to join."""
    currency = "r.currency" if "currency" in relation.columns else "NULL::text"
    tenant_rows = (
        f"(SELECT tenant_id, min(base_currency) AS base, true AS there FROM {tenants.rows} AS k GROUP BY tenant_id)"
    )
    return f"""
        FROM {relation.rows} AS r
        LEFT JOIN {tenant_rows} AS known USING (tenant_id)
        CROSS JOIN LATERAL (SELECT known.base, coalesce(known.there, false) AS there) AS t
        LEFT JOIN (VALUES {_CURRENCIES}) AS c (code, places) ON c.code = {currency}
    """


def _example(connection: psycopg.Connection, relation: Readable, rule: Rule, source: str) -> Example | None:
    asked = f"SELECT r.tenant_id, {row_id(relation.name)}, r.{rule.column}::text {source} WHERE {rule.where} LIMIT 1"
    for tenant_id, found_id, value in ask(connection, asked):
        return Example(tenant_id=tenant_id, row_id=found_id, column=rule.column, value=value)
    return None  # it was mended since it was counted
