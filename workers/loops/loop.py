"""A loop over one connection to PostgreSQL that outlives every failure of it."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

import psycopg
import structlog

from workers.session import SETTINGS, connect, options, through_pooler

log = structlog.get_logger()

RECONNECT_S = (0.2, 5.0)
HUNG_S = 10.0
PASSES_S = 3.0
# Statements are prepared that say so, and none because it was often asked: its plan would be kept while tables grow.
_ON_REQUEST = 2**31


class Loop(ABC):
    """`run` it in a thread of its own; it steps again after the pause that each step asks for."""

    def __init__(
        self, name: str, database_url: str, stopping: threading.Event, *, settings: Mapping[str, str] = SETTINGS
    ) -> None:
        """`settings`: of its connection's session."""
        self.name = name
        self._database_url = database_url
        self._stopping = stopping
        self._settings = settings
        self._last_step = time.monotonic()
        self._last_pass = 0.0

    @abstractmethod
    def step(self, connection: psycopg.Connection) -> float:
        """One pass; returns the seconds until the next one."""

    def run(self) -> None:
        """Until `stopping` is set, whatever PostgreSQL does in between."""
        delay = RECONNECT_S[0]
        while not self._stopping.is_set():
            try:
                with self._connect() as connection:
                    log.info("listener_connected", loop=self.name)
                    delay = RECONNECT_S[0]
                    while not self._stopping.is_set():
                        self._last_step = time.monotonic()
                        pause_s = self.step(connection)
                        self._last_pass = time.monotonic()
                        self._stopping.wait(pause_s)
            except psycopg.Error as error:
                self._last_step = time.monotonic()
                log.warning("listener_lost_database", loop=self.name, error=type(error).__name__, retry_s=delay)
                self._stopping.wait(delay)
                delay = min(delay * 2, RECONNECT_S[1])

    @property
    def passes(self) -> bool:
        """Whether a pass has ended lately."""
        return time.monotonic() - self._last_pass < PASSES_S

    @property
    def hangs(self) -> bool:
        """Whether a pass takes so long that the connection must be dead, as on a frozen backend that honours no timeout."""
        return time.monotonic() - self._last_step > HUNG_S

    def _connect(self) -> psycopg.Connection:
        connection = connect(
            self._database_url,
            autocommit=True,
            connect_timeout=5,
            application_name=f"daybook {self.name}",
            prepare_threshold=None,
            options=options(self._settings),
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
            tcp_user_timeout=10_000,
        )
        if not through_pooler(connection):
            connection.prepare_threshold = _ON_REQUEST
        return connection
