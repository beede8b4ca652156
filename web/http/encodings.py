"""Bodies that are ready to be sent, plain and compressed, and which of them a client gets. Source: RFC 9110, 12.5.3."""

from __future__ import annotations

import gzip
from typing import Protocol

from flask import Request, Response


class Ready(Protocol):
    """A body in both forms; each may be made when it is asked for first."""

    @property
    def body(self) -> bytes:
        """As it is."""

    @property
    def compressed(self) -> bytes:
        """As gzip."""


def gzipped(body: bytes, *, level: int = 6) -> bytes:
    """The body as gzip; of the same body the same bytes. The highest level, 9, takes half as long again for 1 % less."""
    return gzip.compress(body, level, mtime=0)


def put_body(response: Response, ready: Ready, request: Request) -> Response:
    """Answer with the form that this client prefers. Vary is the caller's to say, as of a 304 too."""
    if _takes_gzip(request):
        response.headers["Content-Encoding"] = "gzip"
        response.data = ready.compressed
    else:
        response.data = ready.body
    return response


def _takes_gzip(request: Request) -> bool:
    if "Accept-Encoding" not in request.headers:
        return False
    accepted = request.accept_encodings
    return 0 < accepted.quality("gzip") >= accepted.quality("identity")
