"""The life of alerts in PostgreSQL, from raised to cleared, and the boards that show it in Redis.

Which rules hold is decided in workers/kpi; here is what becomes of them, by time and by people's commands.
"""

from workers.alerts.keeper import AlertKeeper

__all__ = ["AlertKeeper"]
