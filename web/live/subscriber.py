"""The notices channel as one process hears it: one connection, connected anew whenever it fails or falls silent."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable

import gevent
import msgspec
import redis
import structlog

from shared.errors import DaybookError
from shared.keys import Keys
from shared.notices import Notice, decode_notice, encode_notice

log = structlog.get_logger()

WAIT_S = 1.0
SILENCE_S = 3.0
BACKOFF_S = (0.1, 2.0)
# A connection that held so long was a good one: the next attempt does not wait.
GOOD_AFTER_S = 5.0
# Other greenlets get their turn after so many notices, even when more are waiting.
AT_ONCE = 200


class ChannelSilent(DaybookError):
    """Connected, but nothing arrives, not even what this process publishes itself. Connect anew."""


class Subscriber:
    """Calls `heard` for every sign of life, `subscribed` whenever notices may have been missed, `noticed` for each one."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        *,
        heard: Callable[[], None],
        subscribed: Callable[[], None],
        noticed: Callable[[Notice], None],
    ) -> None:
        self._client = client
        self._name = keys.notices
        self._heard = heard
        self._subscribed = subscribed
        self._noticed = noticed

    def listen_forever(self) -> None:
        """Never returns. Attempts are spread and slowed down, so that a returning Redis is not stormed."""
        delay_s = BACKOFF_S[0]
        while True:
            started = time.monotonic()
            try:
                self._listen()
            except (redis.RedisError, OSError, ChannelSilent) as error:
                log.warning("channel_lost", error=type(error).__name__)
            good = time.monotonic() - started > GOOD_AFTER_S
            delay_s = BACKOFF_S[0] if good else min(2 * delay_s, BACKOFF_S[1])
            gevent.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts, guards nothing

    def probe(self) -> None:
        """Beat on the channel ourselves: who publishes and does not hear itself is deaf."""
        try:
            self._client.publish(self._name, encode_notice(Notice(heartbeat=time.time_ns() // 1_000_000)))
        except redis.RedisError as error:
            log.debug("probe_not_sent", error=type(error).__name__)

    def _listen(self) -> None:
        with self._client.pubsub() as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(self._name)
            quiet_since = time.monotonic()
            for count in itertools.count(1):
                message = channel.get_message(timeout=WAIT_S)
                if message is None:
                    if time.monotonic() - quiet_since > SILENCE_S:
                        raise ChannelSilent
                    continue
                quiet_since = time.monotonic()
                self._heard()
                if message["type"] == "subscribe":
                    # Also after redis-py reconnected by itself: what was published in between is lost.
                    self._subscribed()
                elif message["type"] == "message":
                    self._notice(message["data"])
                if count % AT_ONCE == 0:
                    gevent.sleep(0)

    def _notice(self, data: bytes) -> None:
        try:
            notice = decode_notice(data)
        except msgspec.DecodeError:
            log.warning("notice_unreadable", size=len(data))
        else:
            self._noticed(notice)
