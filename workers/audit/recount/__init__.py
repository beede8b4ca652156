"""SPEC 4 a second time, straightforward and slow: loops over every row of one tenant, exact fractions, no SQL arithmetic.

It says what a dashboard must show, for the audit and the tests. It shares no code with `source` and `kpi` and may import
neither: a mistake made there must not be repeated here.
"""

from workers.audit.recount.differences import differences
from workers.audit.recount.expected import Expected, expected

__all__ = ["Expected", "differences", "expected"]
