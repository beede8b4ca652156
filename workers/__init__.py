"""Computes: Celery tasks that turn PostgreSQL into snapshots in Redis. Never imports web.

`celery -A workers …` finds the app here; it is made in workers/app.py.
"""

import sys
from pathlib import Path
from typing import Any

CLONE = str(Path(__file__).resolve().parent.parent)


def __getattr__(name: str) -> Any:
    # Celery looks for `workers.app`; importing it here at once would demand settings of whoever imports workers.kpi.
    if name in ("app", "celery"):
        # The celery program has the clone in its path only while it imports this package; the rest is beside it.
        if CLONE not in sys.path:
            sys.path.insert(0, CLONE)
        from workers.app import app

        return app
    raise AttributeError(name)
