"""Whether the database says of a tenant what it said before: one short name for everything that it answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

from workers.facts import Clock, Tenant
from workers.periods.load import Kept

Fingerprint = bytes
Remembered = Callable[[str, Clock], Fingerprint | None]
"""The fingerprint of what a tenant's dashboard was computed from, if that can be told again at this moment."""


def fingerprint(tenant: Tenant, clock: Clock, past: str | None, kept: Kept, answers: Mapping[str, str]) -> Fingerprint:
    """Of the tenant, its local day, what is kept of its past, and what the statements answered, in whatever order of rows:
    that depends on who else was asked for. past: which totals of past days, see workers/periods/load.py."""
    found = blake2b(repr((tenant, clock.today, past, kept.as_of)).encode(), digest_size=16)
    for family in sorted(answers):
        rows = sorted(answers[family][1:-1].split(",\n"))
        found.update(f"\n{family} {len(rows)}\n".encode())
        found.update("\n".join(rows).encode())
    return found.digest()
