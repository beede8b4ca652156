"""`bin/dash check`: what is wrong with the rows of the schema `dashboard`, tables or views; reads, and never writes.

A finding is data: contract.py says what a relation must look like, rules.py and links.py what must not be found in it, and
check.py asks. To look for more, add a Rule or a Question.
"""

from cli.mapping.check import check_mapping
from cli.mapping.finding import Example, Finding

__all__ = ["Example", "Finding", "check_mapping"]
