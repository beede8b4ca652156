"""What people do with alerts, in SQL: acknowledge, snooze, subscribe. Each may be run twice and takes effect once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from workers.alerts import tables

# The last command counts: who acknowledges a snoozed alert ends the snooze, who snoozes an acknowledged one wants to hear
# of it again, and of the same matter on earlier days no other snooze is left to be taken up. A command delivered a second
# time is known by its id and changes nothing, whatever happened in between.
_ENDED = """
    ended AS (
        UPDATE dashboard.alert AS earlier SET snoozed_until = NULL FROM {command} AS later
        WHERE earlier.tenant_id = :tenant_id AND earlier.snoozed_until IS NOT NULL AND earlier.local_date < later.local_date
            AND (earlier.rule, earlier.subject) = (later.rule, later.subject)
    )
"""

_ACKNOWLEDGE = text(
    """
    WITH acknowledged AS (
        UPDATE dashboard.alert SET acknowledged_at = now(), acknowledged_by = :subject, snoozed_until = NULL
        WHERE tenant_id = :tenant_id AND alert_id = :alert_id AND acknowledged_at IS NULL
            AND NOT EXISTS (SELECT FROM dashboard.alert_event WHERE tenant_id = :tenant_id AND command_id = :command_id)
        RETURNING alert_id, level, raised_at, rule, subject, local_date
    ), {ended}, noted AS (
        INSERT INTO dashboard.alert_event (tenant_id, alert_id, kind, at, by, level, command_id)
        SELECT :tenant_id, alert_id, 'acknowledged', now(), :subject, level, :command_id FROM acknowledged
    )
    SELECT greatest(0, extract(epoch FROM now() - raised_at)) FROM acknowledged
""".replace("{ended}", _ENDED.strip().replace("{command}", "acknowledged"))
)

_SNOOZE = text(
    """
    WITH snoozed AS (
        UPDATE dashboard.alert SET snoozed_until = :until, acknowledged_at = NULL, acknowledged_by = NULL
        WHERE tenant_id = :tenant_id AND alert_id = :alert_id
            AND (acknowledged_at IS NOT NULL OR snoozed_until IS DISTINCT FROM :until)
            AND NOT EXISTS (SELECT FROM dashboard.alert_event WHERE tenant_id = :tenant_id AND command_id = :command_id)
        RETURNING alert_id, level, rule, subject, local_date
    ), {ended}
    INSERT INTO dashboard.alert_event (tenant_id, alert_id, kind, at, by, level, until, command_id)
    SELECT :tenant_id, alert_id, 'snoozed', now(), :subject, level, :until, :command_id FROM snoozed
""".replace("{ended}", _ENDED.strip().replace("{command}", "snoozed"))
)

_SUBSCRIBE = text("""
    INSERT INTO dashboard.subscription AS kept (tenant_id, subject, levels, metrics)
    VALUES (:tenant_id, :subject, CAST(:levels AS text[]), CAST(:metrics AS text[]))
    ON CONFLICT (tenant_id, subject) DO UPDATE SET levels = excluded.levels, metrics = excluded.metrics
    WHERE (kept.levels, kept.metrics) IS DISTINCT FROM (excluded.levels, excluded.metrics)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Who does something, and the id under which it counts once."""

    tenant_id: str
    subject: str
    command_id: str


def acknowledge(connection: Connection, command: Command, alert_id: str) -> float | None:
    """Note that somebody saw to the alert; the seconds it took them, None when nothing changed."""
    tables.lock(connection, command.tenant_id)
    waited = connection.execute(_ACKNOWLEDGE, {**_given(command), "alert_id": alert_id}).scalar()
    if waited is None:
        return None
    tables.raise_revision(connection, command.tenant_id)
    return float(waited)


def snooze(connection: Connection, command: Command, alert_id: str, until: datetime) -> bool:
    """Put the alert off until then (aware); false when nothing changed."""
    tables.lock(connection, command.tenant_id)
    given = {**_given(command), "alert_id": alert_id, "until": until}
    if not connection.execute(_SNOOZE, given).rowcount:
        return False
    tables.raise_revision(connection, command.tenant_id)
    return True


def subscribe(
    connection: Connection, tenant_id: str, subject: str, levels: Sequence[str] | None, metrics: Sequence[str] | None
) -> bool:
    """Keep what a person wants to be told of, None = everything; false when nothing changed."""
    tables.lock(connection, tenant_id)
    given = {
        "tenant_id": tenant_id,
        "subject": subject,
        "levels": None if levels is None else list(levels),
        "metrics": None if metrics is None else list(metrics),
    }
    if not connection.execute(_SUBSCRIBE, given).rowcount:
        return False
    tables.raise_revision(connection, tenant_id)
    return True


def _given(command: Command) -> dict[str, str]:
    return {"tenant_id": command.tenant_id, "subject": command.subject, "command_id": command.command_id}
