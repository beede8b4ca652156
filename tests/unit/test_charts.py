"""The growth curves: drawn as they were measured."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from bench.charts import HEIGHT, WIDTH, line_chart
from bench.plots import FIGURES, FOLDER, PLOTS, draw

SVG = "{http://www.w3.org/2000/svg}"


def test_every_point_lies_inside_and_more_is_further_up() -> None:
    drawn = line_chart("a < b", "sockets", {"p50": [(1, 0.5), (100, 40)], "p99": [(1, 3), (100, 99)]})
    chart = ElementTree.fromstring(drawn)  # noqa: S314 - of our own making
    for curve in chart.iter(f"{SVG}polyline"):
        (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in curve.attrib["points"].split())
        assert 0 < x1 < x2 < WIDTH
        assert HEIGHT > y1 > y2 > 0


def test_the_plots_show_the_figures_that_lie_beside_them(tmp_path: Path) -> None:
    draw(FIGURES, tmp_path)
    for name in PLOTS:
        assert (tmp_path / f"{name}.svg").read_text() == (FOLDER / f"{name}.svg").read_text()
