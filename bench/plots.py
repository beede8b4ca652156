"""Growth curves of one run, as figures and as plots: docs/performance/growth.jsonl and one SVG for each curve.

    python -m bench.plots [--sockets 100 300 1000 3000] [--invoices 1000 5000 20000 60000] [--connections 1 16 64]
    python -m bench.plots --draw

Needs wrk (Debian: apt-get install wrk). --draw measures nothing and draws the figures that are there.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.charts import line_chart
from bench.growth import Row, over_connections, over_history, over_sockets
from bench.machine import load_note
from tests.servers import PROJECT

FOLDER = PROJECT / "docs" / "performance"
FIGURES = FOLDER / "growth.jsonl"
# Plot → series, title, what is across, curves by the name of their figure.
PLOTS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "push": ("sockets", "Change → message on every socket, ms", "sockets of one tenant", {"p50": "p50_ms", "p99": "p99_ms"}),
    "memory": ("sockets", "Memory of an idle socket, kB", "sockets of 100 tenants", {"kB": "kb"}),
    "history": ("history", "Computing one tenant, ms", "old invoices of the tenant", {"ms": "ms"}),
    "reads": ("connections", "Snapshots a second over REST", "connections", {"a second": "rate"}),
}  # fmt: skip


def measure(options: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    for row in over_history(options.invoices, options.runs):
        yield "history", row
    for row in over_connections(options.connections, options.seconds):
        yield "connections", row
    for row in over_sockets(options.sockets, options.changes):
        yield "sockets", row


def write_figures(options: argparse.Namespace, file: Path) -> None:
    """One line of JSON for each point; the old figures stay until all are there."""
    lines = []
    for series, row in measure(options):
        line = json.dumps({"series": series, **{name: round(value, 2) for name, value in row.items()}})
        print(line, f"({load_note()})", flush=True)
        lines.append(line + "\n")
    file.write_text("".join(lines))


def draw(file: Path, folder: Path) -> None:
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for line in file.read_text().splitlines():
        row = json.loads(line)
        rows[row.pop("series")].append(row)
    for name, (series, title, across, curves) in PLOTS.items():
        points = {curve: [(row["x"], row[figure]) for row in rows[series]] for curve, figure in curves.items()}
        (folder / f"{name}.svg").write_text(line_chart(title, across, points))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sockets", type=int, nargs="+", default=[100, 300, 1000, 3000])
    parser.add_argument("--invoices", type=int, nargs="+", default=[1000, 5000, 20000, 60000])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--changes", type=int, default=30, help="pushed to the sockets")
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement of reads")
    parser.add_argument("--runs", type=int, default=15, help="of each computation")
    parser.add_argument("--draw", action="store_true", help="only draw the figures that are there")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    if not options.draw:
        write_figures(options, FIGURES)
    draw(FIGURES, FOLDER)


if __name__ == "__main__":
    main()
