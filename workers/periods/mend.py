"""Which tenants' totals of past days have to be made or mended, and since which day; what cannot wait is done at once.

A change of the last weeks touches no kept day, and costs one look at the changes that are pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from workers.periods.behind import BEHIND, CHANGED, LATEST_KEPT, MONEY, OTHER, needed
from workers.periods.keep import Stretch, keep
from workers.source.columns import Missing, with_nulls

# Periods look back at most to the fiscal year before the last one.
DAYS_KEPT = 1130
# A load reads the 60 days before the tenant's today by itself. So much longer stays unkept that nobody's totals are
# extended every day, and that no time zone makes a difference.
KEPT_UNTIL = timedelta(days=30)

# Whose totals have to be made or mended, and why?
_DUE = f"""
    SELECT t.tenant_id, coalesce(t.base_currency::text, 'XXX') AS base_currency,
           coalesce(t.basis = 'cash', false) AS on_cash, b.kept_through, b.stale_since, least(c.oldest, m.oldest) AS oldest,
           c.unknown, c.own, {OTHER} AS other
    FROM dashboard.tenant AS t
    LEFT JOIN dashboard.day_book b ON b.tenant_id = t.tenant_id
    CROSS JOIN {CHANGED} c
    CROSS JOIN {MONEY} m
    WHERE t.tenant_id = ANY(CAST(:tenant_ids AS text[])) AND ({BEHIND} OR :stale_too AND b.stale_since IS NOT NULL)
    ORDER BY t.tenant_id
"""  # noqa: S608 (our own words)

# Always in the same order, so that two batches with tenants in common cannot wait for each other.
_LOCK = text("""
    INSERT INTO dashboard.day_book AS book (tenant_id)
    SELECT unnest(CAST(:tenant_ids AS text[])) AS tenant_id ORDER BY 1
    ON CONFLICT (tenant_id) DO UPDATE SET kept_at = book.kept_at
""")

_NOTE = text("""
    UPDATE dashboard.day_book AS book
    SET kept_through = a.kept_through, base_currency = a.base, on_cash = a.on_cash, stale_since = a.stale_since,
        kept_at = CASE WHEN a.whole THEN now() ELSE book.kept_at END
    FROM unnest(CAST(:tenant_ids AS text[]), CAST(:kept_through AS date[]), CAST(:bases AS text[]),
                CAST(:on_cash AS boolean[]), CAST(:stale AS timestamptz[]), CAST(:whole AS boolean[]))
             AS a (tenant_id, kept_through, base, on_cash, stale_since, whole)
    WHERE book.tenant_id = a.tenant_id
""")
_SEEN = text("""
    UPDATE dashboard.change SET oldest_day = 'infinity', document_ids = NULL WHERE id = ANY(CAST(:ids AS bigint[]))
""")
_STALE = text("""
    SELECT book.tenant_id FROM dashboard.day_book book JOIN dashboard.tenant USING (tenant_id)
    WHERE stale_since IS NOT NULL ORDER BY stale_since LIMIT :most
""")

_TOUCHED = """
    FROM dashboard.change c
    WHERE c.id = ANY(CAST(:ids AS bigint[])) AND book.tenant_id = c.tenant_id
        AND (c.oldest_day IS NULL OR c.oldest_day <= book.kept_through
             OR book.on_cash AND (c.document_ids IS NOT NULL OR c.oldest_day < 'infinity'))
"""
_DOUBT = text(f"""
    UPDATE dashboard.day_book AS book SET stale_since = coalesce(book.stale_since, now())
    {_TOUCHED}
""")  # noqa: S608 (our own words)
_FORGET = text(f"""
    UPDATE dashboard.day_book AS book SET kept_through = NULL
    {_TOUCHED} AND book.tenant_id = ANY(CAST(:tenant_ids AS text[]))
""")  # noqa: S608 (the same)
_POSTPONE = text("UPDATE dashboard.day_book SET stale_since = now() WHERE tenant_id = :tenant_id")


def mend(
    engine: Engine, tenant_ids: Sequence[str], missing: Missing, *, now: datetime | None = None, stale_too: bool = False
) -> None:
    """Bring the tenants' totals up to date with every change that names its days.

    Where a change does not, they turn stale, and are made anew only with `stale_too`. `now`: the moment that a load will
    stand for, when it is not the present.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    asked = {"tenant_ids": list(tenant_ids), "needed": needed(now), "stale_too": stale_too}
    due = text(with_nulls(_DUE, missing))
    with engine.begin() as connection:
        found = [row.tenant_id for row in connection.execute(due, asked)]
        if found:
            connection.execute(_LOCK, {"tenant_ids": found})
            # Only now that nobody else mends them is it certain what there is to do.
            rows = connection.execute(due, asked | {"tenant_ids": found}).all()
            _mend(connection, rows, missing, today, stale_too=stale_too)


def stale_tenants(connection: Connection, most: int) -> list[str]:
    """The tenants whose totals have waited longest to be made anew."""
    return list(connection.execute(_STALE, {"most": most}).scalars())


def doubt(connection: Connection, pending: Sequence[int]) -> None:
    """Have the totals made anew that these changes touch, as if none of them had told its day."""
    connection.execute(_DOUBT, {"ids": list(pending)})


def forget_past(connection: Connection, tenant_ids: Sequence[str], pending: Sequence[int]) -> None:
    """Of those of the tenants whose past these changes touch no total is kept any more."""
    connection.execute(_FORGET, {"tenant_ids": list(tenant_ids), "ids": list(pending)})


def postpone(connection: Connection, tenant_id: str) -> None:
    """Try this tenant after all others whose totals are to be made anew."""
    connection.execute(_POSTPONE, {"tenant_id": tenant_id})


def _mend(connection: Connection, rows: Sequence[Row[Any]], missing: Missing, today: date, *, stale_too: bool) -> None:
    begins = {row.tenant_id: _first_day(row, today, stale_too=stale_too) for row in rows}
    ends = {row.tenant_id: _last_day(row, today) for row in rows}
    stretches = [
        Stretch(
            tenant_id=row.tenant_id,
            base_currency=row.base_currency,
            on_cash=row.on_cash,
            first=begins[row.tenant_id],
            last=ends[row.tenant_id],
        )
        for row in rows
        if begins[row.tenant_id] <= ends[row.tenant_id]
    ]
    if stretches:
        keep(connection, stretches, missing, today=today)
    earliest = today - timedelta(days=DAYS_KEPT)
    whole = [begins[row.tenant_id] <= earliest for row in rows]
    connection.execute(
        _NOTE,
        {
            "tenant_ids": [row.tenant_id for row in rows],
            "kept_through": [ends[row.tenant_id] for row in rows],
            "bases": [row.base_currency for row in rows],
            "on_cash": [row.on_cash for row in rows],
            "stale": [
                None if all_days else row.stale_since or (datetime.now(UTC) if row.unknown else None)
                for row, all_days in zip(rows, whole, strict=True)
            ],
            "whole": whole,
        },
    )
    connection.execute(_SEEN, {"ids": sorted(change for row in rows for change in row.own or ())})


def _last_day(row: Row[Any], today: date) -> date:
    kept: date | None = row.kept_through
    wanted = today - KEPT_UNTIL
    return wanted if kept is None or kept < today - LATEST_KEPT else kept


def _first_day(row: Row[Any], today: date, *, stale_too: bool) -> date:
    """The first day whose total is to be made; a day after the last one when there is none."""
    earliest = today - timedelta(days=DAYS_KEPT)
    stale = row.stale_since is not None or row.unknown
    if row.kept_through is None or row.other or (stale and stale_too):
        return earliest
    kept_through: date = row.kept_through
    return max(earliest, min(row.oldest or date.max, kept_through + timedelta(days=1)))
