"""A sub-path of the host's own (DASHBOARD_BASE_PATH=/dash), behind a proxy that strips it or one that does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class BelowBasePath:
    """The app as it is below a path: routes do not know of it, addresses that are made begin with it.

    The path comes from the settings alone, never from a header. What begins with it is served without it; what does not
    comes from a proxy that has stripped it, or is a probe that addresses the process itself.
    """

    def __init__(self, app: WSGIApplication, base_path: str) -> None:
        self._app = app
        self._base = base_path

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path == self._base or path.startswith(f"{self._base}/"):
            environ["PATH_INFO"] = path[len(self._base) :] or "/"
        environ["SCRIPT_NAME"] = self._base
        return self._app(environ, start_response)
