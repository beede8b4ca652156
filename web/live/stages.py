"""Where the time of a change goes in this process, from Redis to the client. What comes before is in workers/stages.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram

from shared.notices import Notice

WEB_STAGES = ("notify", "fetch", "send")

Sent = Callable[[float | None], None]
"""Takes when news was put into the client's mailbox; None for a snapshot that was none."""


class Stages:
    """Of tenants with clients here; one for each process. Moments are those of time.monotonic()."""

    def __init__(self, seconds: Histogram) -> None:
        """`seconds` has the label stage."""
        self._notify, self._fetch, self._send = (seconds.labels(stage).observe for stage in WEB_STAGES)
        self._heard_at: dict[str, float] = {}

    def heard(self, tenant_id: str, notice: Notice) -> None:
        """A notice has come. Compares the clock of Redis with ours."""
        if notice.at is not None:
            self._notify(max(0.0, time.time() - notice.at / 1000))
            self._heard_at.setdefault(tenant_id, time.monotonic())

    def fetched(self, tenant_id: str, *, news: bool) -> None:
        """The tenant was read since. `news`: what was found is; else somebody had read it before the notice came."""
        heard_at = self._heard_at.pop(tenant_id, None)
        if news and heard_at is not None:
            self._fetch(time.monotonic() - heard_at)

    def counting(self, updates: Counter) -> Sent:
        """What is told of each snapshot that a client's connection has taken; it is counted in `updates` too."""
        count, send = updates.inc, self._send

        def sent(news_at: float | None) -> None:
            count()
            if news_at is not None:
                send(time.monotonic() - news_at)

        return sent

    def forget(self, tenant_id: str) -> None:
        """Its last client is gone."""
        self._heard_at.pop(tenant_id, None)
