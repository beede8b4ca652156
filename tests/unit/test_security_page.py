"""Every test that docs/security.md names is there, and no claim stands without one."""

from __future__ import annotations

import ast
import re

import pytest

from cli.clone import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_the_tests_that_are_named_exist(path: str) -> None:
    defined = {
        node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert {name for where, name in NAMED if where == path} <= defined


def test_each_claim_names_what_proves_it() -> None:
    claims = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 3]
    claims = [line for line in claims if not line.startswith(("| claim", "| what |", "| role"))]
    assert len(claims) > 20
    assert [line for line in claims if "::test_" not in line and "bin/test" not in line] == []
