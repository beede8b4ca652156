"""SPEC 4 a second time, straightforward and slow: every row of one tenant, exact fractions, no SQL arithmetic.

It goes from the documents outward: `books` holds the rows, `links` follows the allocations, `fates` says of each single
document which postings it makes, `ledger` keeps them, and every number of a dashboard is a sum over postings. It shares
no code with `source` and `kpi` and may import neither: a mistake made there must not be repeated here.
"""

from workers.audit.recount.differences import differences
from workers.audit.recount.expected import Expected, expected

__all__ = ["Expected", "differences", "expected"]
