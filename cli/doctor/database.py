"""What `bin/dash doctor` finds of PostgreSQL: version, schema, role, change capture, and the mapping."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

import workers
from cli.database_role import examine_role
from cli.doctor.check import Check, Status, clock
from cli.mapping import check_mapping
from shared.settings import Settings
from workers.capture.gaps import capture_gaps
from workers.database import autocommit, make_engine
from workers.source.columns import losses, missing_columns

OLDEST_POSTGRES = 14


def database(settings: Settings) -> Iterator[Check]:
    """Its version, schema and rows; and, where the schema is the newest, whether they can be worked with."""
    engine = make_engine(settings.database_url or "")
    try:
        with engine.connect() as connection:
            number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
            new_enough = number // 10_000 >= OLDEST_POSTGRES
            yield Check(
                name="database",
                status="ok" if new_enough else "fail",
                detail=f"PostgreSQL {number // 10_000}.{number % 10_000}",
                advice="" if new_enough else f"needs PostgreSQL {OLDEST_POSTGRES} or newer",
            )
            yield clock(
                "database clock", float(connection.execute(text("SELECT extract(epoch FROM now())")).scalar_one())
            )
            has_schema = connection.execute(text("SELECT to_regclass('dashboard.schema_version')")).scalar_one()
            revision = None
            if has_schema:
                revision = connection.execute(text("SELECT version_num FROM dashboard.schema_version")).scalar()
            newest = _newest_revision()
            yield Check(
                name="schema",
                status="ok" if revision == newest else "fail",
                detail=f"revision {revision or 'none'} of {newest}",
                advice="" if revision == newest else "bin/dash migrate",
            )
            if revision:
                tenants = connection.execute(text("SELECT count(*) FROM dashboard.tenant")).scalar_one()
                yield Check(
                    name="tenants",
                    status="ok" if tenants else "warn",
                    detail=f"{tenants:,}",
                    advice=""
                    if tenants
                    else "fill dashboard.tenant, or put a view in its place; bin/dash demo loads some",
                )
                for column, lost in losses(missing_columns(connection)):
                    yield Check(
                        name="column",
                        status="warn",
                        detail=f"no {column}: {lost}",
                        advice="add it to the view, if there is such a thing",
                    )
            if revision == newest:
                # There bin/dash is the owner, who loads the demo; the processes have the worker's role.
                if not settings.demo:
                    yield from _role(engine)
                yield from _capture(engine)
                yield from _mapping(engine)
    finally:
        engine.dispose()


def _role(engine: Engine) -> Iterator[Check]:
    with autocommit(engine) as connection:
        for is_well, detail, advice in examine_role(connection):
            yield Check(name="database role", status="ok" if is_well else "warn", detail=detail, advice=advice)


def _capture(engine: Engine) -> Iterator[Check]:
    with autocommit(engine) as connection:
        gaps = capture_gaps(connection)
    if not gaps:
        yield Check(name="change capture", status="ok", detail="every table that is read is tracked")
    for gap in gaps:
        status: Status = "fail" if gap.lossy else "warn"
        yield Check(name="change capture", status=status, detail=f"{gap.table}: {gap.detail}", advice=gap.advice)


def _mapping(engine: Engine) -> Iterator[Check]:
    """Tracking stands above already, with all that it says of the tables."""
    began = time.monotonic()
    with autocommit(engine) as connection:
        findings = [found for found in check_mapping(connection, tracking=False) if found.counts]
    for found in findings:
        yield Check(
            name="mapping",
            status="fail" if found.level == "error" else "warn",
            detail=str(found),
            advice=found.advice,
        )
    took_s = time.monotonic() - began
    yield Check(
        name="mapping",
        status="fail" if findings else "ok",
        detail=f"{len(findings)} findings" if findings else f"nothing wrong with its rows, in {took_s:.1f} s",
        advice="see above, or bin/dash check" if findings else "",
    )


def _newest_revision() -> str | None:
    config = Config()
    config.set_main_option("script_location", str(Path(workers.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head()
