"""Query parameters: known, once, well formed."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from web.http.problems import BadRequest
from web.http.requests import flag, query, whole_number


def asked(text: str) -> Request:
    environ = EnvironBuilder().get_environ()
    environ["QUERY_STRING"] = text
    return Request(environ)


def test_known_parameters_are_decoded() -> None:
    assert query(asked("a=1&b=x%20y+z&c"), {"a", "b", "c"}) == {"a": "1", "b": "x y z", "c": ""}
    assert query(asked("")) == {}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("d=1", "d"),
        ("a=1&a=1", "a"),
        ("&", "(empty)"),
        ("=1", "(empty)"),
        ("a=%C3%28", "a"),
        ("eyJhbGciOi.x=1", "token"),
    ],
)
def test_anything_else_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(BadRequest) as refused:
        query(asked(text), {"a"})
    assert named in refused.value.detail
    assert "eyJ" not in refused.value.detail


def test_there_are_not_endless_parameters() -> None:
    with pytest.raises(BadRequest, match="too many"):
        query(asked("&".join(f"a{i}" for i in range(50))))


@pytest.mark.parametrize("text", ["9", "301", "", "-30", "+30", " 30", "3_0", "30.0", "1e2", "٣٠", "²", "9" * 400])
def test_whole_numbers_are_plain_digits_in_range(text: str) -> None:
    with pytest.raises(BadRequest, match="interval must be"):
        whole_number({"interval": text}, "interval", default=30, low=10, high=300)


def test_whole_numbers_and_flags_have_defaults() -> None:
    assert whole_number({}, "interval", default=30, low=10, high=300) == 30
    assert whole_number({"interval": "010"}, "interval", default=30, low=10, high=300) == 10
    assert [flag({"wait": v}, "wait", default=True) for v in "01"] == [False, True]
    assert flag({}, "wait", default=True)
