"""Holds computations still where a test wants them: between the reading of a tenant's first and last rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from tests.servers import eventually
from tests.stack import Stack

# Read after the database state is fixed, so a computation that waits here has seen an old state.
LATE_TABLE = "dashboard.expense"
# By the lock itself: a statement's text is cut off long before it names its last table. The pulse, which asks for all
# relations at once and waits half a second at most, computes nothing.
_WAITING = """
    SELECT activity.pid FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
    WHERE NOT lock.granted AND lock.relation = CAST(%s AS regclass)
      AND activity.application_name LIKE 'daybook%%' AND activity.query NOT LIKE '%%LIMIT 0%%'
      AND activity.query LIKE %s
"""
# In the first lines of the statement that reads facts, and of nothing else that a worker may be at: audits, totals.
READING_FACTS = "%cash_balance_on%"


@contextlib.contextmanager
def locked(stack: Stack, table: str = LATE_TABLE) -> Iterator[psycopg.Connection]:
    """Nobody can read the table within the block; the lock goes with the block, or with a rollback."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield connection
        connection.rollback()


def waiting(stack: Stack, table: str = LATE_TABLE, *, asking: str = "%") -> list[int]:
    """Backends of Daybook that wait for the table, in a statement like that."""
    return [pid for (pid,) in stack.db.execute(_WAITING, [table, asking]).fetchall()]


def somebody_waits(stack: Stack, table: str = LATE_TABLE, *, count: int = 1, asking: str = "%") -> None:
    """Returns when as many computations are held."""
    eventually(lambda: len(waiting(stack, table, asking=asking)) >= count)
