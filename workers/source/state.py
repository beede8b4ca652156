"""Which state of which database a transaction sees: what lets the store refuse a snapshot of an older state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.store import SourceState

# Which database history, how many of its transactions are completed, and what time is it?
#
# The count is xmax less the transactions below it that still run. Subtransactions are not listed, so it is no exact
# number, but it rises with every transaction that completes: completing takes the transaction off the list, or moves xmax
# past it; what else xmax passes either still runs and is listed, or makes the count rise further. Snapshots of a primary
# are totally ordered, so of two of them the one with the higher count has seen all that the other has. On a standby the
# count never falls but may stand still; there the time decides.
#
# The control file names the old timeline until the first checkpoint after a promotion, so a primary's is taken from
# its write-ahead log. statement_timestamp() was read before the snapshot was taken: nothing committed by then is missed.
#
# Compiling a plan to machine code costs more than any of these statements takes, so it is off for the transaction.
STATE = """
    SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' ||
           CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer END AS lineage,
           pg_snapshot_xmax(seen)::text::bigint - (SELECT count(*) FROM pg_snapshot_xip(seen)) AS state,
           statement_timestamp() AS read_at,
           set_config('jit', 'off', true) AS jit
    FROM pg_current_snapshot() AS seen
"""


def state_of(row: Any, now: datetime | None) -> tuple[SourceState, datetime]:
    """The state in a row with the columns of STATE, and the moment it stands for.

    The moment is `now` when given, else the database's clock; in milliseconds, as the snapshot tells it, so that whoever
    computes it again at its `as_of` gets the same.
    """
    moment: datetime = (now or row.read_at).astimezone(UTC)
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return SourceState(lineage=row.lineage, state=row.state, as_of_ms=int(moment.timestamp() * 1000)), moment
