"""The kept totals as a load reads them: added up in stretches that no period divides, and remembered.

One statement for those of a batch that are not known yet, none when all are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec
from psycopg.rows import namedtuple_row

from workers.facts import NOTHING_KEPT, KeptPast, KeptTotal
from workers.kpi.windows import MOST_CALENDARS, edges, first_live_day
from workers.query import Query
from workers.source.batch import Batch, expanded, refuse_nonsense_in

# edges: where stretches begin, and after the last of them the first day that is not looked up here.
# Read as dates once for each tenant: in the sum it would be done again for each of its days.
_TOTALS = Query(
    expanded("""
    SELECT a.tenant_id, b.stale_since, b.kept_at, kept.totals
    FROM (
        SELECT tenant_id, CAST(edges AS date[]) AS edges
        FROM unnest(CAST(:tenant_ids AS text[]), CAST(:edges AS text[])) AS given (tenant_id, edges)
        OFFSET 0
    ) a
    JOIN dashboard.day_book b ON b.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(
                   a.edges[stretch], nullif(no_rate, ''), revenue, revenue_documents, in_part, expenses,
                   expenses_documents, money_in, money_in_documents, money_out, money_out_documents, since))::text AS totals
        FROM (
            SELECT width_bucket(day, a.edges) AS stretch, no_rate, sum(revenue) AS revenue,
                   sum(revenue_documents) AS revenue_documents, bool_or(revenue_in_part) AS in_part,
                   sum(expenses) AS expenses, sum(expenses_documents) AS expenses_documents,
                   sum(money_in) AS money_in, sum(money_in_documents) AS money_in_documents,
                   sum(money_out) AS money_out, sum(money_out_documents) AS money_out_documents, {held min(since)} AS since
            FROM dashboard.day_total t
            WHERE t.tenant_id = a.tenant_id AND t.day >= a.edges[1] AND t.day < a.edges[array_upper(a.edges, 1)]
            GROUP BY 1, 2
            OFFSET 0
        ) summed
        OFFSET 0
    ) kept
""")
)
# About 70 kB each, with what workers/kpi/periods.py remembers of them.
MOST_REMEMBERED = 1000
_decoder = msgspec.json.Decoder(tuple[KeptTotal, ...])


class Kept(NamedTuple):
    """A tenant's past, and since when it may be out of date."""

    past: KeptPast
    as_of: datetime | None


UNKNOWN_PAST = Kept(NOTHING_KEPT, None)


class Past:
    """The kept totals of the tenants that a process computes, remembered as long as nobody has made them anew.

    Whoever makes a tenant's totals also writes its row of day_book, in the same transaction. So the transaction that wrote
    the row, in the history of the database that it belongs to, tells whether they are those that were read before.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._remembered: dict[str, tuple[str, str, Kept]] = {}

    def of(self, batch: Batch, pasts: Mapping[str, str]) -> Mapping[str, Kept]:
        """What is kept of each tenant's past. `pasts`: of those that have any, which it is, as the batch's state has it.

        Raises InvalidData for an amount that is no number.
        """
        found: dict[str, Kept] = {}
        wanted: dict[str, str] = {}
        for tenant_id, past in pasts.items():
            divided_at = _edges(batch.clocks[tenant_id].today, batch.tenants[tenant_id].fiscal_year_start_month)
            # Put back as the newest: what has not been asked for longest is forgotten first.
            known = self._remembered.pop(tenant_id, None)
            if known is not None and known[:2] == (past, divided_at):
                self._remembered[tenant_id] = known
                found[tenant_id] = known[2]
            else:
                wanted[tenant_id] = divided_at
        for tenant_id, kept in _read(batch, wanted).items() if wanted else ():
            self._remembered[tenant_id] = (pasts[tenant_id], wanted[tenant_id], kept)
            found[tenant_id] = kept
        while len(self._remembered) > self._most:
            del self._remembered[next(iter(self._remembered))]
        return found


def _read(batch: Batch, wanted: Mapping[str, str]) -> dict[str, Kept]:
    found = {}
    asked = {"tenant_ids": list(wanted), "edges": list(wanted.values())}
    for row in _TOTALS.run(batch.connection, asked, namedtuple_row):
        answer = row.totals or "[]"
        totals = _decoder.decode(answer)
        refuse_nonsense_in(row.tenant_id, answer, totals)
        found[row.tenant_id] = Kept(KeptPast(totals), row.kept_at if row.stale_since else None)
    return found


@lru_cache(maxsize=MOST_CALENDARS)
def _edges(today: date, fiscal_year_start_month: int) -> str:
    live = first_live_day(today)
    divided_at = edges(today, fiscal_year_start_month)
    return "{" + ",".join(day.isoformat() for day in (*(day for day in divided_at if day < live), live)) + "}"
