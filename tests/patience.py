"""How much longer than on a quiet machine anything may take before a test calls it a failure."""

from __future__ import annotations

# Bounds in tests are what a quiet machine keeps; every one that only a failure reaches is multiplied by this. Other work
# on the same cores is no finding: how fast things are is measured by bench/ and the fault table, not by these tests.
PATIENCE = 4.0
