"""Requests per second of the snapshot, beside a Flask view that returns a constant, on the same gunicorn configuration.

    python -m bench.requests [--seconds 8] [--pairs 3]

Needs wrk (Debian: apt-get install wrk). One web process each, keep-alive, the snapshot of a tenant with 500 documents; the
two take turns, and the ratio is the median of the pairs. Also the same question answered by gzip and by 304; questions of
thousands of people, each of whom asks again after a second or more; and how long answers take at a steady rate below what
the server can do.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from bench.machine import load_note, product
from bench.paced import paced
from cli.local.embedded import free_port
from tests.servers import eventually
from tests.stack import Stack
from tests.tokens import bearer, token

TENANT = "volume-00001"
PATH = "/api/dashboard/realtime/aggregate/"
CONNECTIONS = (1, 16, 64)
STEADY_CONNECTIONS, STEADY_RATE = 16, 400  # requests a second, far below what the server can do
# More than are answered within a second, for which an answer may be repeated.
PEOPLE = 4000
TAKE_TURNS = """
local number = 0
local tokens = {}
for line in io.lines("%s") do tokens[#tokens + 1] = "Bearer " .. line end
request = function()
  number = number %% #tokens + 1
  wrk.headers["Authorization"] = tokens[number]
  return wrk.format()
end
"""
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def wrk(
    url: str, headers: Mapping[str, str], connections: int, seconds: int, script: Path | None = None
) -> dict[str, float]:
    """Requests per second, and the milliseconds that half and 99 % of the answers took at most."""
    arguments = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    arguments += ["-s", str(script)] if script else []
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *arguments, url],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Non-2xx" not in done, done
    shares = re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)", done)
    found = {f"p{share}": float(value) * _UNITS_MS[unit] for share, value, unit in shares}
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
    assert rate, done
    return {"rate": float(rate[1]), **found}


def taking_turns(folder: Path, tokens: Sequence[str]) -> Path:
    """A script for wrk that asks with each of the tokens in turn."""
    listed, script = folder / "tokens", folder / "turns.lua"
    listed.write_text("\n".join(tokens))
    script.write_text(TAKE_TURNS % listed)
    return script


def start_constant(stack: Stack, body: bytes) -> str:
    """A view that returns `body`, under the product's own gunicorn configuration; its address."""
    port, file = free_port(), stack.root / "constant.json"
    file.write_bytes(body)
    command = 'gunicorn -c web/gunicorn_config.py "bench.constant:create_app()"'
    stack.start("constant", command, PORT=str(port), CONSTANT=str(file))
    url = f"http://127.0.0.1:{port}{PATH}"

    def answers() -> bool:
        try:
            return requests.get(url, timeout=1).ok
        except requests.RequestException:
            return False

    eventually(answers, within_s=20)
    return url


def ask_again(stack: Stack, constant: str, seconds: int, pairs: int) -> None:
    """Each of many people in turn, who have asked before, beside the constant."""
    people = taking_turns(stack.root, [token(f"person-{n}", tenant_id=TENANT, jti=f"token-{n}") for n in range(PEOPLE)])
    # The first time each of them goes the whole way.
    wrk(stack.url + PATH, {}, CONNECTIONS[-1], PEOPLE // 200, people)
    for connections in CONNECTIONS:
        ours, theirs = [], []
        for _ in range(pairs):
            ours.append(wrk(stack.url + PATH, {}, connections, seconds, people))
            theirs.append(wrk(constant, {}, connections, seconds))
        print(f"{PEOPLE:,} people who ask again, {connections} connection{'s' * (connections > 1)} ({load_note()}):")
        report("snapshot", ours)
        report_ratio(ours, theirs)


def report(what: str, found: Sequence[Mapping[str, float]]) -> None:
    middle = {name: statistics.median(run[name] for run in found) for name in ("rate", "p50", "p99")}
    print(f"  {what:<9} {middle['rate']:7,.0f} requests/s   p50 {middle['p50']:6.2f} ms   p99 {middle['p99']:6.2f} ms")


def report_ratio(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> None:
    ratios = [one["rate"] / other["rate"] for one, other in zip(ours, theirs, strict=True)]
    print(f"  snapshot ÷ constant: {statistics.median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def compare(urls: Mapping[str, tuple[str, Mapping[str, str]]], connections: int, seconds: int, pairs: int) -> None:
    """Each in turn, `pairs` times."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in urls}
    for number in range(pairs):
        for name in list(urls)[:: 1 if number % 2 else -1]:
            found[name].append(wrk(*urls[name], connections, seconds))
    print(f"{connections} connection{'s' * (connections > 1)} ({load_note()}):")
    for name, runs in found.items():
        report(name, runs)
    report_ratio(found["snapshot"], found["constant"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    with product(tenants=1, documents=500) as stack:
        first = eventually(lambda: stack.get(TENANT, PATH), lambda answer: answer.ok, within_s=30)
        constant = start_constant(stack, first.content)
        headers = bearer(TENANT)
        urls = {
            "constant": (constant, headers),
            "snapshot": (stack.url + PATH, headers),
            "gzip": (stack.url + PATH, {**headers, "Accept-Encoding": "gzip"}),
            "304": (stack.url + PATH, {**headers, "If-None-Match": first.headers["ETag"]}),
        }
        print(f"snapshot of {len(first.content):,} bytes")
        for connections in CONNECTIONS:
            compare(urls, connections, options.seconds, options.pairs)
        ask_again(stack, constant, options.seconds, options.pairs)
        print(f"{STEADY_RATE} requests a second over {STEADY_CONNECTIONS} connections ({load_note()}):")
        for name in ("constant", "snapshot"):
            steady = [
                paced(*urls[name], connections=STEADY_CONNECTIONS, rate=STEADY_RATE, seconds=options.seconds)
                for _ in range(options.pairs)
            ]
            report(name, steady)


if __name__ == "__main__":
    main()
