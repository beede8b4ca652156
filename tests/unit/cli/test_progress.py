"""Progress: a bar for people at a terminal, plain lines for a pipe."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from cli.progress import progress


def test_a_pipe_gets_a_plain_line_for_each_tenth() -> None:
    target = StringIO()
    with progress(Console(file=target)) as advance:
        for done in range(0, 1001, 10):
            advance("invoice", done, 1000)
    lines = target.getvalue().splitlines()
    assert lines[:2] == ["invoice: 0 of 1000", "invoice: 100 of 1000"]
    assert len(lines) == 11
    assert "\x1b" not in target.getvalue()


def test_a_terminal_gets_a_bar_with_step_and_count() -> None:
    target = StringIO()
    with progress(Console(file=target, force_terminal=True, width=100)) as advance:
        advance("invoice", 3, 4)
    assert "invoice" in target.getvalue()
    assert "3/4" in target.getvalue()
    assert "━" in target.getvalue()


def test_nothing_to_do_is_no_division_by_zero() -> None:
    target = StringIO()
    with progress(Console(file=target)) as advance:
        advance("invoice", 0, 0)
    assert target.getvalue() == "invoice: 0 of 0\n"
