"""A host product: a page of another origin that shows the dashboard in a frame and passes it a token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# `frame` and `token` come in the address, which is fine for a test and nowhere else.
PAGE = b"""<!doctype html><title>Books</title><iframe width="1200" height="800"></iframe><script>
const given = new URLSearchParams(location.search);
const frame = document.querySelector("iframe");
window.asked = 0;
addEventListener("message", ({ origin, data, source }) => {
    if (source !== frame.contentWindow || data.type !== "daybook.token-needed") return;
    window.asked += 1;
    source.postMessage({ type: "daybook.token", token: given.get("token") }, origin);
});
frame.src = given.get("frame");
</script>"""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def host_product() -> Iterator[str]:
    """Serves it; gives its origin, which is another than that of 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
