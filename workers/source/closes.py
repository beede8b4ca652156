"""The closes: what Daybook itself keeps of each local day's balance metrics, to compare the next day with."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from shared.store import SourceState
from workers.facts import Close
from workers.source.batch import statement

# How did the last days end, and how does today stand? The newest 41 reach 40 days back; where days are missing they reach
# further, so that a tenant whose dashboard rested for months does not pass for a new one.
CLOSES = statement("""
    SELECT a.tenant_id, k.local_date AS day, k.pending, k.pending_amount, k.overdue, k.overdue_amount,
           k.conversion, k.active_clients
    FROM asked a
    CROSS JOIN LATERAL (
        SELECT * FROM dashboard.daily_close
        WHERE tenant_id = a.tenant_id AND local_date <= a.today
        ORDER BY local_date DESC LIMIT 41
    ) k
    ORDER BY a.tenant_id, k.local_date
""")

# Keep today's values as they now stand. One computed from an older database state never replaces one from a newer, and
# what did not change is not written again: a sweep over quiet tenants writes nothing. Always in the same order, so that
# two batches with tenants in common cannot wait for each other.
KEEP = text("""
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
""")


def write_closes(connection: Connection, closes: Mapping[str, Close], state: SourceState) -> None:
    """Keep each tenant's close, as computed from `state`."""
    values = closes.values()
    connection.execute(
        KEEP,
        {
            "state": state.state,
            "tenant_ids": list(closes),
            "days": [close.day for close in values],
            "pending": [close.pending for close in values],
            "pending_amounts": [close.pending_amount for close in values],
            "overdue": [close.overdue for close in values],
            "overdue_amounts": [close.overdue_amount for close in values],
            "conversions": [close.conversion for close in values],
            "active_clients": [close.active_clients for close in values],
        },
    )
