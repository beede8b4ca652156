"""The parts of a sentinel address: sentinel://user:password@host:26379,host:26379/0?master=mymaster&sentinel_password=…"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

SCHEME = "sentinel://"
_DEFAULT_PORT = 26379


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress:
    """Where the sentinels are, which master to ask them for, and the passwords of both.

    Without `sentinel_password` the sentinels are given the master's: sentinels without a password take any.
    """

    hosts: tuple[tuple[str, int], ...]
    master: str
    database: int
    username: str | None
    password: str | None = field(repr=False)
    sentinel_username: str
    sentinel_password: str | None = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The parts of an address that the settings have found well formed; user and passwords are percent-encoded."""
        parts = urlsplit(url)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        password = unquote(parts.password) if parts.password else None
        return cls(
            hosts=tuple(_host_port(host) for host in parts.netloc.rpartition("@")[2].split(",")),
            master=given.get("master", "mymaster"),
            database=int(parts.path.strip("/") or 0),
            username=unquote(parts.username) if parts.username else None,
            password=password,
            sentinel_username=given.get("sentinel_username", "default"),
            sentinel_password=given.get("sentinel_password", password),
        )

    def login(self) -> dict[str, Any]:
        """What a connection to one of the sentinels is made with."""
        if self.sentinel_password is None:
            return {}
        # By name: a server without a password refuses a lone one, and takes any for the user default.
        return {"username": self.sentinel_username, "password": self.sentinel_password}


def _host_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "127.0.0.1", parts.port or _DEFAULT_PORT
