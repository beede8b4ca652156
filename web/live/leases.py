"""Answers that hold for a moment: until their time is over, or anything is heard of their tenant, whichever is first.

So a client that asks again within that moment gets what it would have got, and nobody is asked. The moment bounds everything
that no notice tells: a revoked token, a refresh in place, what other processes have counted. Source: SPEC 6 and 8.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import gevent

from shared.notices import Notice
from web.live.freshness import Freshness

T = TypeVar("T")

LEASE_S = 0.25
RENEWED_BEFORE_S = 0.05
ASKED_AGAIN_S = 1.0
# Somebody beats on the channel every second or so. After this, notices may be missing.
SILENT_S = 2.0
MOST_HEARD = 10_000


@dataclass(slots=True, eq=False)
class _Lease(Generic[T]):
    answer: T
    until: float
    is_renewed: bool = False


class Leases(Generic[T]):
    """One for each process; follows the hub. Moments are those of time.monotonic()."""

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._leases: dict[Hashable, _Lease[T]] = {}
        self._asked_at: dict[Hashable, tuple[float, str]] = {}
        self._keys: dict[str, set[Hashable]] = {}
        self._heard_at: dict[str, float] = {}
        self._all_heard_at = time.monotonic()

    def find(self, question: Hashable) -> T | None:
        """The answer that holds for this question, if there is one."""
        lease = self._leases.get(question)
        if lease is None or (left_s := lease.until - time.monotonic()) < 0 or not self._can_hold:
            return None
        if left_s < RENEWED_BEFORE_S and not lease.is_renewed:
            # One asks in time for all the others, who would all ask at once when it has run out.
            lease.is_renewed = True
            return None
        return lease.answer

    def keep(self, question: Hashable, answer: T, tenant_id: str, *, asked_at: float) -> None:
        """Let it hold from now on, unless something was heard of the tenant since `asked_at`.

        The first time that a question is asked in a while its answer is not kept: only who asks again gains by it.
        """
        if self._heard_at.get(tenant_id, self._all_heard_at) >= asked_at or not self._can_hold:
            return
        self._keys.setdefault(tenant_id, set()).add(question)
        is_asked_again = question in self._asked_at
        self._asked_at[question] = (now := time.monotonic(), tenant_id)
        if is_asked_again:
            self._leases[question] = _Lease(answer, now + LEASE_S)

    def drop(self, tenant_id: str) -> None:
        """What was answered for this tenant does not hold any more, nor what is being answered just now."""
        if len(self._heard_at) >= MOST_HEARD:
            self._heard_at.clear()
            self._all_heard_at = time.monotonic()
        self._heard_at[tenant_id] = time.monotonic()
        for question in self._keys.pop(tenant_id, ()):
            self._leases.pop(question, None)
            self._asked_at.pop(question, None)

    def noticed(self, notice: Notice) -> None:
        """Something was published."""
        if notice.tenant is not None:
            self.drop(notice.tenant)

    def resync(self) -> None:
        """Notices may have been missed."""
        self._all_heard_at = time.monotonic()
        for kept in (self._heard_at, self._leases, self._asked_at, self._keys):
            kept.clear()

    def compare(self) -> None:
        """Nothing is held long enough to be compared."""

    def followed(self) -> Sequence[str]:
        """Nobody is followed here."""
        return ()

    def read_forever(self) -> None:
        """Forget what has run out."""
        while True:
            gevent.sleep(LEASE_S)
            since = time.monotonic() - ASKED_AGAIN_S
            for question, (asked_at, tenant_id) in list(self._asked_at.items()):
                if asked_at < since:
                    del self._asked_at[question]
                    self._leases.pop(question, None)
                    if questions := self._keys.get(tenant_id):
                        questions.discard(question)
                        if not questions:
                            del self._keys[tenant_id]

    @property
    def _can_hold(self) -> bool:
        return not self._freshness.overall.stale and self._freshness.channel_silent_s < SILENT_S
