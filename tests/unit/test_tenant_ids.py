"""Which tenant ids can be served."""

from __future__ import annotations

import pytest

from shared.tenant_ids import can_be_served


@pytest.mark.parametrize(
    "tenant_id", ["1", "acme", "Zoë & Söhne", "日本", "a b", "x" * 255, "550e8400-e29b", "a.b", "*a"]
)
def test_what_can_be_named_by_an_address_is_served(tenant_id: str) -> None:
    assert can_be_served(tenant_id)


@pytest.mark.parametrize(
    "tenant_id", ["", "*", ".", "..", "a/b", "a\nb", "a\x00", "a\u200b", "a\u00a0", "\ud800", "x" * 256]
)
def test_what_cannot_is_refused(tenant_id: str) -> None:
    assert not can_be_served(tenant_id)
