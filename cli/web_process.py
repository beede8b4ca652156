"""Where the web process of these settings is, and whether it is ready."""

from __future__ import annotations

import urllib.request

from shared.settings import Settings

_PROBE_TIMEOUT_S = 1.0
# Whatever proxy the environment names, the web process is on this machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def base_url(settings: Settings) -> str:
    """Where a browser on this machine finds the web process."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 (compared, not bound)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def is_ready(settings: Settings) -> bool:
    """Whether /readyz answers 200."""
    request = urllib.request.Request(f"{base_url(settings)}/readyz")  # noqa: S310 (http, our own)
    try:
        with _direct.open(request, timeout=_PROBE_TIMEOUT_S) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False
