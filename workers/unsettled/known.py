"""Of which tenants it is known which documents may not be settled, and of which that has to be written down (again)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, text

from workers.capture.changes import pending_of
from workers.query import Query

# Fewer allocations than that are added up sooner than documents are looked up one by one.
ENOUGH_ALLOCATIONS = 500

# By which triggers do changes name documents? Null where not all of them are there and switched on, as on a host's views:
# for each of three events one sees and one notes; one notes TRUNCATE. None sees what a subscription replicates.
CAPTURE = """
    SELECT CASE WHEN count(*) = 21
                     AND NOT bool_or(EXISTS (SELECT FROM pg_catalog.pg_subscription_rel WHERE srrelid = tgrelid))
                THEN string_agg(pg_trigger.oid::text, ' ' ORDER BY pg_trigger.oid) END AS triggers
    FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid
    WHERE tgrelid = ANY (ARRAY[to_regclass('dashboard.invoice'), to_regclass('dashboard.payment'),
                               to_regclass('dashboard.allocation')]::oid[])
        AND tgenabled IN ('O', 'A') AND tgqual IS NULL
        AND pronamespace = to_regnamespace('dashboard') AND (proname = 'note_change' OR proname LIKE 'see\\_change\\_%')
"""

# What is known holds
#   for days after the one that it was made for: whatever is dated later is in it;
#   as long as every change names its documents, by the triggers that did so when it was made;
#   for a day: what no trigger sees (workers/capture/gaps.py) is found then at the latest.
# `due`: it has to be made, or has grown by what changes have named so that it is time to look which of it is settled. Whoever
# writes so that documents are not named has all of them looked through each time, but written down every 15 seconds at most.
_KNOWN = Query(
    """
    SELECT a.tenant_id, state.known,
           CASE WHEN state.known THEN listed.documents > 2 * book.documents + 200
                ELSE capture.triggers IS NOT NULL AND (book.made_at > now() - interval '15 seconds') IS NOT TRUE
                     AND (SELECT count(*) FROM (
                         SELECT FROM dashboard.allocation WHERE tenant_id = a.tenant_id LIMIT CAST(:enough AS integer)
                     ) AS first_ones) >= CAST(:enough AS integer) END AS due
    FROM unnest(CAST(:tenant_ids AS text[]), CAST(:todays AS date[])) AS a (tenant_id, today)
    CROSS JOIN ({capture} OFFSET 0) capture
    LEFT JOIN dashboard.unsettled_book book ON book.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS documents, coalesce(bool_or(document_id IS NULL), false) AS any_document
        FROM dashboard.unsettled WHERE tenant_id = a.tenant_id
        OFFSET 0
    ) listed
    CROSS JOIN LATERAL (
        SELECT coalesce(book.capture = capture.triggers AND book.day < a.today
                        AND book.made_at > now() - interval '1 day', false)
               AND NOT listed.any_document
               AND NOT EXISTS (SELECT FROM {changes} c WHERE named_documents IS NULL) AS known
    ) state
""".replace("{capture}", CAPTURE).replace("{changes}", pending_of("a"))
)
_DOUBT = text("""
    INSERT INTO dashboard.unsettled (tenant_id)
    SELECT tenant_id FROM dashboard.unsettled_book
    WHERE CAST(:tenant_ids AS text[]) IS NULL OR tenant_id = ANY(CAST(:tenant_ids AS text[]))
""")


class Unsettled(NamedTuple):
    """known: tenants whose documents outside of dashboard.unsettled, and not named by a pending change, are settled; due:
    tenants for whom that table is to be written."""

    known: frozenset[str] = frozenset()
    due: tuple[str, ...] = ()


def known_of(connection: psycopg.Connection, todays: Mapping[str, date], enough: int = ENOUGH_ALLOCATIONS) -> Unsettled:
    """What is known in this state of tenants whose links are followed, each on its day; `enough` allocations are worth it."""
    asked = {"tenant_ids": list(todays), "todays": list(todays.values()), "enough": enough}
    rows = _KNOWN.run(connection, asked, namedtuple_row).fetchall()
    return Unsettled(
        known=frozenset(row.tenant_id for row in rows if row.known),
        due=tuple(row.tenant_id for row in rows if row.due),
    )


def doubt_settled(connection: Connection, tenant_ids: Sequence[str] | None = None) -> None:
    """Have all documents of these tenants looked through again, by default of everyone: something may have changed unseen."""
    connection.execute(_DOUBT, {"tenant_ids": None if tenant_ids is None else list(tenant_ids)})
