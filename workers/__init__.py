"""Computes: Celery tasks that turn PostgreSQL into snapshots in Redis. Never imports web.

`celery -A workers …` finds the app here; it is made in workers/app.py.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Celery looks for `workers.app`; importing it here at once would demand settings of whoever imports workers.kpi.
    if name in ("app", "celery"):
        from workers.app import app

        return app
    raise AttributeError(name)
