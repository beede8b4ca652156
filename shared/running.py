"""The processes that run: each says in Redis that it is there, and with which settings, none of them secret."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from shared.keys import Keys
from shared.release import release
from shared.settings import Role
from shared.shown_settings import shown_values

SAY_EVERY_S = 15.0
# Whoever has missed four of them is gone.
KEPT_S = 60


class RunningProcess(msgspec.Struct, frozen=True, kw_only=True):
    """One process under `Keys.process`. name: as in the Procfile; settings: every variable that it was told, as shown."""

    name: str
    host: str
    pid: int
    started_ms: int
    release: str
    settings: dict[str, str]


class Announcer:
    """Says that this process runs, for as long as it does."""

    def __init__(self, client: redis.Redis, keys: Keys, name: str, role: Role, environment: Mapping[str, str]) -> None:
        """`environment`: as it was when the settings were read from it."""
        self._client = client
        process = RunningProcess(
            name=name,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_ms=time.time_ns() // 1_000_000,
            release=release(),
            settings=shown_values(environment, role),
        )
        self._key = keys.process(f"{process.name}:{process.host}:{process.pid}")
        self._said = msgspec.json.encode(process)

    def say(self) -> None:
        """Once. Never raises: a Redis that is away is told of elsewhere."""
        try:
            self._client.set(self._key, self._said, ex=KEPT_S)
        except redis.RedisError:
            return

    def start(self) -> None:
        """Say it again and again, in a thread of its own (a greenlet in web)."""
        threading.Thread(target=self._forever, name="announcer", daemon=True).start()

    def _forever(self) -> None:
        pause = threading.Event()
        while True:
            self.say()
            pause.wait(SAY_EVERY_S)


def running_processes(client: redis.Redis, keys: Keys) -> list[RunningProcess]:
    """All that have said so within KEPT_S, by name and host. Raises redis.RedisError when Redis is away."""
    said: list[Any] = [client.get(key) for key in client.scan_iter(match=keys.process("*"), count=1000)]
    found = [msgspec.json.decode(one, type=RunningProcess) for one in said if one is not None]
    return sorted(found, key=lambda one: (one.name, one.host, one.pid))
