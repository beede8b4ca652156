"""The yardstick of bench.requests: a Flask view that returns the same bytes each time and does nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

from flask import Flask, Response


def create_app() -> Flask:
    """Served under web/gunicorn_config.py, which wants to tell a hub when the process is to end."""
    app = Flask(__name__)
    app.extensions["daybook"] = SimpleNamespace(hub=SimpleNamespace(clients=0, drain=lambda: None))
    body = Path(os.environ["CONSTANT"]).read_bytes()

    @app.get("/api/dashboard/realtime/aggregate/")
    def constant() -> Response:
        return Response(body, content_type="application/json")

    return app
