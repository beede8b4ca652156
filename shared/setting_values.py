"""What the values of settings must look like, beyond what shared/variables.py knows of numbers and words."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from limits import parse as parse_rate

# The first parts of our own addresses: below a base path of that name nobody could tell a stripped one from a whole one.
OWN_PATHS = frozenset(
    {"api", "ws", "static", "docs", "demo", "livez", "readyz", "metrics", "version", "openapi.json", "asyncapi.json"}
)


def is_base_path(value: str) -> bool:
    """A path below which a proxy can offer us: no slash at its end, no dots that lead elsewhere, none of our own."""
    parts = value.split("/")[1:]
    return (
        re.fullmatch(r"(/[0-9A-Za-z._~\-]{1,64}){1,8}", value, re.ASCII) is not None
        and parts[0] not in OWN_PATHS
        and not {".", ".."} & set(parts)
    )


def is_rate(value: str) -> bool:
    """A rate in the limiter's notation; raises ValueError for what is none."""
    parse_rate(value)
    return True


def is_origin(value: str) -> bool:
    """An origin as browsers send it: scheme, host and port."""
    parts = urlsplit(value)
    return (
        parts.scheme in ("http", "https") and bool(parts.netloc) and not (parts.path or parts.query or parts.fragment)
    )


def is_web_address(value: str) -> bool:
    """An address that a browser can open."""
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and value.isprintable() and " " not in value


def is_document_url(value: str) -> bool:
    """A web address with a mark for the kind or the id of a document, and no other mark."""
    marks = re.findall(r"\{[^{}]*\}", value)
    return bool(marks) and set(marks) <= {"{kind}", "{id}"} and is_web_address(value)


def is_host(value: str) -> bool:
    """A host name, a domain with a dot before it, an address or a network; IPv6 in brackets or without."""
    if re.fullmatch(r"\.?[0-9A-Za-z\-.]+", value, re.ASCII):
        return True
    return is_network(re.sub(r"\[(.*)\]", r"\1", value))


def is_network(value: str) -> bool:
    """An IP address or network."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True
