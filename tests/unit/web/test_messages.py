"""What clients of a socket may send, and what happens to everything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.transport.messages import (
    MAX_DEPTH,
    BadMessage,
    Config,
    Configure,
    DashboardMessage,
    Ping,
    Refresh,
    RequestUpdate,
    parse,
)


def _parse(data: bytes, *, is_text: bool = True) -> Any:
    return parse(data, is_text=is_text, kind=DashboardMessage)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"type": "configure", "config": {"update_interval": 30}}', Configure(config=Config(update_interval=30))),
        (b'{"type": "request_update"}', RequestUpdate()),
        (b' {"type": "ping"} ', Ping()),
        (b'{"type": "refresh", "token": "a.b.c"}', Refresh(token="a.b.c")),
    ],
)
def test_the_messages_of_the_first_description_are_understood(data: bytes, message: object) -> None:
    assert _parse(data) == message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"ping", "invalid_json"),
        (b'{"type":"ping"} {"type":"ping"}', "invalid_json"),
        (b'\xef\xbb\xbf{"type":"ping"}', "invalid_json"),
        (b'{"type":"configure","config":{"update_interval":NaN}}', "invalid_json"),
        (b'{"type":"configure","config":{"update_interval":-Infinity}}', "invalid_json"),
        (b'{"type":"configure","config":{"update_interval":' + b"9" * 5000 + b"}}", "invalid_json"),
        (b'{"type":"refresh","token":"\\ud800"}', "invalid_json"),
        (b'{"type":"\\udc00"}', "invalid_json"),
        (b'{"type":"ping","\\ud800":1}', "invalid_json"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"ping"', "not_an_object"),
        (b"{}", "unknown_type"),
        (b'{"type":1}', "unknown_type"),
        (b'{"type":"subscribe"}', "unknown_type"),
        (b'{"type":"Ping"}', "unknown_type"),
        (b'{"type":"ping","type":"ping"}', "duplicate_key"),
        (b'{"type":"configure","config":{"update_interval":30,"update_interval":31}}', "duplicate_key"),
        (b'{"type":"ping","id":1}', "invalid_message"),
        (b'{"type":"configure"}', "invalid_message"),
        (b'{"type":"configure","config":{}}', "invalid_message"),
        (b'{"type":"configure","config":{"update_interval":"30"}}', "invalid_message"),
        (b'{"type":"configure","config":{"update_interval":true}}', "invalid_message"),
        (b'{"type":"configure","config":{"update_interval":30.5}}', "invalid_message"),
        (b'{"type":"configure","config":{"update_interval":1e400}}', "invalid_message"),
        (b'{"type":"configure","config":{"update_interval":30,"other":1}}', "invalid_message"),
        (b'{"type":"refresh","token":null}', "invalid_message"),
        (b'{"type":"ping","x":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "too_deep"),
        (b'{"type":"ping","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "too_deep"),
    ],
)
def test_anything_else_is_refused_with_a_code(data: bytes, code: str) -> None:
    with pytest.raises(BadMessage) as refused:
        _parse(data)
    assert refused.value.code == code


def test_binary_messages_are_refused() -> None:
    with pytest.raises(BadMessage) as refused:
        _parse(b'{"type":"ping"}', is_text=False)
    assert refused.value.code == "binary_message"


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_being_refused(data: bytes) -> None:
    text = data.decode(errors="replace").encode()
    with pytest.raises(BadMessage):
        _parse(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["configure", "refresh"]), st.dictionaries(st.text(), _json, max_size=3))
def test_no_fields_do_worse_than_being_refused(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        _parse(json.dumps({**fields, "type": kind}).encode())
