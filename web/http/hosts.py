"""Which Host headers are ours: names, domains and networks, with or without a port. Source: SPEC 10."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flask import Request

from shared.settings import Settings
from web.http.problems import BadRequest

# Load balancers, kubelets and scrapers know a process by its address alone; there is no tenant's data here.
PROBES = frozenset({"/livez", "/readyz", "/metrics"})
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PORT = re.compile(r":[0-9]*$")


class TrustedHosts:
    """The hosts that are answered: those that the settings name and the loopback ones; without a name any."""

    def __init__(self, settings: Settings) -> None:
        self._names: set[str] = set()
        self._domains: tuple[str, ...] = ()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._any = not settings.trusted_hosts and _is_wildcard(settings.host)
        for entry in (*(settings.trusted_hosts or (settings.host,)), *_LOOPBACK):
            self._add(_bare(entry))

    def check(self, request: Request) -> None:
        """Raise BadRequest for another host, unless it is a probe that asks."""
        if request.path not in PROBES and not all(map(self.trusts, _named(request))):
            raise BadRequest("The Host header names none of the hosts that are served here.", code="bad_host")

    def trusts(self, host: str) -> bool:
        """Whether this is a Host header of ours; its port does not matter."""
        name = _bare(_PORT.sub("", host))
        if self._any or name in self._names or name.endswith(self._domains):
            return True
        address = _address(name)
        return address is not None and any(address in network for network in self._networks)

    def _add(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            if entry.startswith("."):
                self._domains += (entry,)
            self._names.add(entry.removeprefix("."))


def _named(request: Request) -> tuple[str, ...]:
    """The hosts that the request is for: the header's, and that of a target which is a whole address (RFC 9112, 3.2.2)."""
    target = request.environ.get("RAW_URI", "/")
    return (request.host,) if target.startswith("/") else (request.host, urlsplit(target).netloc)


def _bare(host: str) -> str:
    """Without the brackets that IPv6 has in addresses, and in small letters."""
    return host.lower().replace("[", "", 1).replace("]", "", 1)


def _is_wildcard(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
