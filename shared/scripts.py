"""Lua scripts for many keys in one round trip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.commands.core import Script


def run_for_each(
    client: redis.Redis, script: Script, calls: Iterable[tuple[tuple[str, ...], Sequence[Any]]]
) -> list[Any]:
    """The script's answer for each call, keys and arguments, in their order. Raises redis.RedisError.

    The script is sent along each time, which is cheaper than to ask first whether the server still knows it.
    """
    with client.pipeline(transaction=False) as pipe:
        pipe.script_load(script.script)
        for keys, args in calls:
            pipe.evalsha(script.sha, len(keys), *keys, *args)
        return pipe.execute()[1:] if len(pipe) > 1 else []
