"""Whose tables' triggers name tenants that are not there: the wrong column was given to track_changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg

from cli.mapping.asking import ask
from cli.mapping.contract import Readable
from cli.mapping.finding import Example, Finding
from workers.capture.gaps import tenant_questions

SAMPLE = 10_000
"""So many rows of each table are looked at."""


def tracked_tenants(connection: psycopg.Connection, readable: Mapping[str, Readable]) -> Iterator[Finding]:
    """The host's tables, some of whose rows belong to no tenant; those that we may not read are left out."""
    tenants = readable["tenant"]
    if not tenants.columns:
        return
    for table, expression in tenant_questions(connection):
        sampled = f"SELECT {expression} AS tenant_id FROM {table} AS changed_row LIMIT {SAMPLE}"
        asked = f"""SELECT count(*) OVER (), s.tenant_id FROM ({sampled}) AS s
            WHERE s.tenant_id IS NOT NULL AND s.tenant_id NOT IN ('*')
                AND NOT EXISTS (SELECT FROM {tenants.rows} AS t WHERE t.tenant_id = s.tenant_id) LIMIT 1"""
        try:
            rows = ask(connection, asked)
        except psycopg.Error:
            continue  # capture_gaps tells what the triggers cannot ask
        for count, tenant_id in rows:
            yield Finding(
                level="warning",
                table=table,
                says="changed rows make tenants due that dashboard.tenant does not have",
                advice="is it tracked by the column that names the tenant? SELECT dashboard.track_changes again",
                count=count,
                example=Example(
                    tenant_id=tenant_id, row_id=None, column="the tenant that the triggers name", value=tenant_id
                ),
            )
