"""Requests at a fixed rate over a few kept connections: what clients see of a server that is not saturated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from bench.machine import percentile


async def _answer(reader: asyncio.StreamReader) -> None:
    """One whole answer that states its length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200"), head
    await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))


async def _ask(url: str, headers: Mapping[str, str], connections: int, rate: float, seconds: float) -> list[float]:
    parts = urlsplit(url)
    lines = [
        f"GET {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    due = iter([number / rate for number in range(int(rate * seconds))])
    took: list[float] = []
    started = time.perf_counter() + 0.2

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for offset in due:
            await asyncio.sleep(started + offset - time.perf_counter())
            writer.write(request)
            await _answer(reader)
            # From when it was due: a request that waits for a free connection waits for the server too.
            took.append(1000 * (time.perf_counter() - started - offset))
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(connections)))
    return took


def paced(url: str, headers: Mapping[str, str], *, connections: int, rate: float, seconds: float) -> dict[str, float]:
    """`rate` requests a second: milliseconds that half and 99 % of the answers took at most, the client's own included."""
    took = asyncio.run(_ask(url, headers, connections, rate, seconds))
    return {"rate": rate, "p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}
