"""JSON that readers could understand in different ways is neither read nor written."""

from __future__ import annotations

import pytest

from shared.strict_json import DuplicateName, LoneSurrogate, NotANumber, dumps, loads


def test_what_is_plain_passes_both_ways() -> None:
    value: dict[str, object] = {"name": "Ünal", "list": [1, 2.5, None, True, {"deep": {}}]}
    assert loads(dumps(value)) == value


def test_both_halves_of_a_character_are_one() -> None:
    assert loads(b'["\\ud83d\\ude00", "\\u00e9", "\\\\ud800"]') == ["\U0001f600", "é", "\\ud800"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b'{"a": 1, "a": 1}', DuplicateName),
        (b'[{"x": {"a": 1, "b": 2, "a": 3}}]', DuplicateName),
        (b"NaN", NotANumber),
        (b'{"a": -Infinity}', NotANumber),
        (b'{"a": "\\ud800"}', LoneSurrogate),
        (b'{"\\uDFFF": 1}', LoneSurrogate),
        (b'["\\udc00\\ud800"]', LoneSurrogate),
        (b"\xff", ValueError),
        (b"{", ValueError),
        (b"[" * 100_000, RecursionError),
    ],
)
def test_what_is_not_strict_is_refused(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_is_no_number_is_never_written(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(value)
