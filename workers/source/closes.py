"""The closes: what Daybook itself keeps of each local day's balance metrics, to compare the next day with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import psycopg

from shared.store import SourceState
from workers.facts import Close, ShownMonths
from workers.query import Query
from workers.source.batch import Family
from workers.source.months import KEEP_MONTHS, keep_months_parameters

# How did the last days end, and how does today stand? The newest 41 reach 40 days back; where days are missing they reach
# further, so that a tenant whose dashboard rested for months does not pass for a new one.
CLOSES = Family(
    "closes",
    Close,
    """
    SELECT a.tenant_id, k.local_date AS day, k.pending, k.pending_amount, k.overdue, k.overdue_amount,
           k.conversion, k.active_clients
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT * FROM dashboard.daily_close
            WHERE tenant_id = a.tenant_id AND local_date <= a.today
            ORDER BY local_date DESC LIMIT 41
        ) newest
        ORDER BY local_date
    ) k
""",
)

# Keep today's values as they now stand. One computed from an older database state never replaces one from a newer, and
# what did not change is not written again: a sweep over quiet tenants writes nothing. Always in the same order, so that
# two batches with tenants in common cannot wait for each other. In the same round trip the changes that they follow from are
# forgotten.
KEEP = Query(f"""
    WITH settled AS (
        DELETE FROM dashboard.change WHERE id = ANY(CAST(:settled AS bigint[]))
    ),
    months AS ({KEEP_MONTHS})
    INSERT INTO dashboard.daily_close AS kept (tenant_id, local_date, pending, pending_amount, overdue, overdue_amount,
                                               conversion, active_clients, source_state)
    SELECT made.*, CAST(:state AS bigint)
    FROM unnest(CAST(:tenant_ids AS text[]), CAST(:days AS date[]), CAST(:pending AS integer[]),
                CAST(:pending_amounts AS numeric[]), CAST(:overdue AS integer[]), CAST(:overdue_amounts AS numeric[]),
                CAST(:conversions AS numeric[]), CAST(:active_clients AS integer[])) AS made (tenant_id)
    ORDER BY made.tenant_id
    ON CONFLICT (tenant_id, local_date) DO UPDATE
    SET pending = excluded.pending, pending_amount = excluded.pending_amount, overdue = excluded.overdue,
        overdue_amount = excluded.overdue_amount, conversion = excluded.conversion,
        active_clients = excluded.active_clients, source_state = excluded.source_state
    WHERE kept.source_state <= excluded.source_state
        AND (kept.pending, kept.pending_amount, kept.overdue, kept.overdue_amount, kept.conversion, kept.active_clients)
            IS DISTINCT FROM (excluded.pending, excluded.pending_amount, excluded.overdue, excluded.overdue_amount,
                              excluded.conversion, excluded.active_clients)
""")  # noqa: S608 (our own words)


def is_first_day(closes: Sequence[Close], today: date) -> bool:
    """Whether Daybook has not known the tenant on any day before."""
    return not any(close.day < today for close in closes)


def write_closes(
    connection: psycopg.Connection,
    closes: Mapping[str, Close],
    months: Mapping[str, ShownMonths],
    state: SourceState,
    settled: Sequence[int],
) -> None:
    """Keep each tenant's close, and of some their closed months, as computed from `state`, and forget the changes that are
    settled by it."""
    values = closes.values()
    KEEP.run(
        connection,
        {
            "state": state.state,
            "settled": list(settled),
            "tenant_ids": list(closes),
            "days": [close.day for close in values],
            "pending": [close.pending for close in values],
            "pending_amounts": [close.pending_amount for close in values],
            "overdue": [close.overdue for close in values],
            "overdue_amounts": [close.overdue_amount for close in values],
            "conversions": [close.conversion for close in values],
            "active_clients": [close.active_clients for close in values],
            **keep_months_parameters(months),
        },
    )
