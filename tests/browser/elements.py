"""A host product of another origin with elements of Daybook in its page, under the strictest policy that lets them in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}


@dataclass
class Product:
    """Its pages by path, and the policy that they are under; `origin` once it is served."""

    files: dict[str, bytes] = field(default_factory=dict)
    policy: str = ""
    origin: str = ""

    def allow(self, daybook: str) -> None:
        """The strictest policy that lets Daybook's elements in: nothing inline, no eval."""
        sockets = daybook.replace("http", "ws", 1)
        self.policy = f"default-src 'none'; script-src 'self' {daybook}; connect-src {daybook} {sockets}"

    def shows(self, daybook: str, body: str, *, token: str, module: str = "elements.js") -> str:
        """Puts elements into a page whose elements all get the token; its address."""
        self.allow(daybook)
        self.files["/host.js"] = HOST.replace("TOKEN", json.dumps(token)).encode()
        page = '<!doctype html><html lang="en"><title>Books</title><script type="module" src="/host.js"></script>'
        page += (
            f'<script type="module" src="{daybook}/static/{module}"></script><main><h1>Books</h1>{body}</main></html>'
        )
        self.files["/"] = page.encode()
        return f"{self.origin}/"


HOST = """
window.told = [];
window.asked = 0;
for (const type of ["state", "update", "alert", "documents", "problem"]) {
  document.addEventListener(`daybook-${type}`, ({ target, detail }) => told.push([type, target.localName, detail]));
}
for (const element of document.querySelectorAll("main > *")) {
  if (element.localName.startsWith("daybook-")) element.getToken = async () => ((asked += 1), TOKEN);
}
"""


@contextmanager
def product(files: Mapping[str, bytes] | None = None) -> Iterator[Product]:
    """Serves it on an origin of its own."""
    books = Product(dict(files or {}))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            body = books.files.get(path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", TYPES.get(path.rpartition(".")[2], TYPES["html"]))
            self.send_header("Content-Security-Policy", books.policy)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    books.origin = f"http://localhost:{server.server_port}"
    try:
        yield books
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
