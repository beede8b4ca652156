"""`bin/dash threshold`: where a tenant's alert rules begin. Rows of dashboard.threshold, as the host may write them too."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import click
from sqlalchemy import Engine, text

from cli.database import command_engine
from cli.known import known_environment, load_settings
from shared.errors import DaybookError
from shared.thresholds import LIMITS, AlertThresholds, threshold

_TENANT = text("SELECT EXISTS (SELECT FROM dashboard.tenant WHERE tenant_id = :tenant_id)")
_OWN = text("SELECT rule, value FROM dashboard.threshold WHERE tenant_id = :tenant_id")
_SET = text("""
    INSERT INTO dashboard.threshold (tenant_id, rule, value) VALUES (:tenant_id, :rule, :value)
    ON CONFLICT (tenant_id, rule) DO UPDATE SET value = excluded.value
""")
_CLEAR = text("DELETE FROM dashboard.threshold WHERE tenant_id = :tenant_id AND rule = :rule")


class UnknownTenant(DaybookError):
    """The database has no tenant of this id. Mind upper and lower case."""


class BadThreshold(DaybookError):
    """The value makes no sense for the rule; the message says what would."""


@click.group(name="threshold")
def thresholds() -> None:
    """Where a tenant's alert rules begin. Effective at once; amounts are in the tenant's currency."""


@thresholds.command(name="list")
@click.argument("user_id")
def list_thresholds(user_id: str) -> None:
    """Every rule, where it begins for this tenant, and whether that is its own."""
    settings = load_settings(known_environment())
    engine = command_engine(settings.database_url)
    require_tenant(engine, user_id)
    for line in _lines(engine, user_id, settings.alerts):
        print(line)


# A negative amount is no option.
@thresholds.command(name="set", context_settings={"ignore_unknown_options": True})
@click.argument("user_id")
@click.argument("rule", type=click.Choice(tuple(LIMITS)))
@click.argument("value")
def set_threshold(user_id: str, rule: str, value: str) -> None:
    """Let RULE begin at VALUE for this tenant."""
    engine = command_engine(load_settings(known_environment()).database_url)
    require_tenant(engine, user_id)
    print(f"{rule} of {user_id} begins at {_store(engine, user_id, rule, value):f}")


@thresholds.command(name="clear")
@click.argument("user_id")
@click.argument("rule", type=click.Choice(tuple(LIMITS)))
def clear_threshold(user_id: str, rule: str) -> None:
    """Let RULE begin where it does for everybody."""
    engine = command_engine(load_settings(known_environment()).database_url)
    had = _remove(engine, user_id, rule)
    print(f"{rule} of {user_id} {'begins at the default again' if had else 'was at the default'}")


def require_tenant(engine: Engine, tenant_id: str) -> None:
    """Raise UnknownTenant unless the database knows it."""
    with engine.connect() as connection:
        if not connection.execute(_TENANT, {"tenant_id": tenant_id}).scalar_one():
            raise UnknownTenant(f"there is no tenant {tenant_id!r}")


def _lines(engine: Engine, tenant_id: str, defaults: AlertThresholds) -> Iterator[str]:
    """One line a rule: its name, where it begins, whether that is the tenant's own, and what it does."""
    with engine.connect() as connection:
        own: dict[str, Decimal] = {row.rule: row.value for row in connection.execute(_OWN, {"tenant_id": tenant_id})}
    for rule, limit in LIMITS.items():
        value = own.get(rule, getattr(defaults, rule))
        shown = "-" if value is None else f"{value.normalize():f}"
        yield f"{rule:<23} {shown:>12}  {'own    ' if rule in own else 'default'}  {limit.text}"


def _store(engine: Engine, tenant_id: str, rule: str, value: str) -> Decimal:
    """Give the tenant its own; effective at its next recalculation, which the row itself makes due."""
    try:
        begins = threshold(rule, value)
    except ValueError as error:
        raise BadThreshold(f"{rule} {error}") from None
    with engine.begin() as connection:
        connection.execute(_SET, {"tenant_id": tenant_id, "rule": rule, "value": begins})
    return begins


def _remove(engine: Engine, tenant_id: str, rule: str) -> bool:
    """Back to the default; false when the tenant had none of its own."""
    with engine.begin() as connection:
        return bool(connection.execute(_CLEAR, {"tenant_id": tenant_id, "rule": rule}).rowcount)
