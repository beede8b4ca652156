"""What every request must satisfy before anything is done for it: address, host, body, query. Source: SPEC 8, sizes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar
from urllib.parse import unquote_plus

import msgspec
from flask import Request

from shared import strict_json
from web.http.deadlines import while_the_body_comes
from web.http.problems import BadRequest, BodyTooLarge, UriTooLong

MAX_URI_BYTES = 4096
MAX_BODY_BYTES = 65_536
_MAX_PARAMETERS = 20
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
# Names under which clients put a token into an address, where it ends up in logs and histories.
_TOKEN_NAMES = frozenset({"jwt", "token", "access_token", "authorization", "bearer", "id_token"})

T = TypeVar("T")


def check_envelope(request: Request) -> None:
    """Refuse what the HTTP parser lets through: a long address, no Host, a body where none is read."""
    if len(request.environ.get("RAW_URI", "")) > MAX_URI_BYTES:
        raise UriTooLong("The address is longer than 4096 bytes.")
    if not request.host or ("Host" not in request.headers and request.environ["SERVER_PROTOCOL"] != "HTTP/1.0"):
        raise BadRequest("The Host header is missing or malformed.", code="bad_host")
    if "Transfer-Encoding" in request.headers:
        raise BodyTooLarge("A body must announce its length.")
    length = request.content_length or 0
    if length > (0 if request.method in _BODYLESS else MAX_BODY_BYTES):
        raise BodyTooLarge("The body is larger than this request may have.")


def body(request: Request, kind: type[T], example: str) -> T:
    """The body, one of `kind`; raises BadRequest with `example` for anything that is not strict JSON of that shape."""
    try:
        return msgspec.convert(strict_json.loads(_data(request)), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise BadRequest(f"The body must be {example}, each name once.", code="bad_body") from error


def check_idle_body(request: Request) -> None:
    """Where nothing is read from the body, JSON in it is still strict JSON; raises BadRequest."""
    if request.is_json and (data := _data(request)):
        try:
            strict_json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadRequest(
                "The body is not JSON, or gives a name twice; it may be empty.", code="bad_body"
            ) from error


def query(request: Request, allowed: Collection[str] = ()) -> dict[str, str]:
    """The query parameters, each known and given once; raises BadRequest naming the one that is not."""
    found: dict[str, str] = {}
    raw = request.environ.get("QUERY_STRING", "")
    if not raw:
        return found
    pairs = raw.split("&")
    if len(pairs) > _MAX_PARAMETERS:
        raise BadRequest("There are too many query parameters.", code="bad_parameter")
    for pair in pairs:
        name, value = _decoded(pair)
        if name.lower() in _TOKEN_NAMES:
            raise BadRequest("A token in the address is never accepted; send it in a header.", code="token_in_url")
        if name not in allowed:
            raise BadRequest(f"Unknown query parameter: {_printable(name)}.", code="bad_parameter")
        if name in found:
            raise BadRequest(f"Query parameter given twice: {name}.", code="bad_parameter")
        found[name] = value
    return found


def whole_number(parameters: dict[str, str], name: str, *, default: int, low: int, high: int) -> int:
    """The parameter as a whole number in plain ASCII digits from `low` to `high`; raises BadRequest naming it."""
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
        raise BadRequest(f"{name} must be a whole number from {low} to {high}.", code="bad_parameter")
    return int(text)


def flag(parameters: dict[str, str], name: str, *, default: bool) -> bool:
    """The parameter as 0 or 1; raises BadRequest naming it."""
    text = parameters.get(name)
    if text is None:
        return default
    if text not in ("0", "1"):
        raise BadRequest(f"{name} must be 0 or 1.", code="bad_parameter")
    return text == "1"


def _data(request: Request) -> bytes:
    with while_the_body_comes():
        return request.get_data()


def _decoded(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    try:
        # The server hands over bytes as latin-1; what is no UTF-8 below is nobody's parameter.
        parts = [unquote_plus(part.encode("latin-1").decode("ascii"), errors="strict") for part in (name, value)]
    except UnicodeError:
        raise BadRequest(f"Malformed query parameter: {_printable(name)}.", code="bad_parameter") from None
    return parts[0], parts[1]


def _printable(name: str) -> str:
    """A stranger's parameter name, fit to be repeated: short, plain, and no token."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-.") else "?" for c in name[:32])
    return "(a token)" if name.startswith("eyJ") else plain or "(empty)"
