"""`bin/dash map`, `unmap`, `remap`: a host's own tables as Daybook's contract. Nothing is applied without being told so."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import psycopg

from cli.hosts.applying import apply, connected
from cli.hosts.applying import unmap as drop_views
from cli.hosts.catalogue import Catalogue, read_catalogue
from cli.hosts.described import BadDescription, described
from cli.hosts.host import Host, known_hosts
from cli.hosts.script import HostMapping, lacking, mapping_of, script
from cli.hosts.totals import compare, outside
from cli.hosts.trying import with_possible_indexes
from cli.known import known_environment, load_settings
from cli.mapping import check_mapping
from shared.errors import DaybookError

DEFAULT_FILE = Path("dashboard-mapping.sql")
MOST_DIFFERENCES_SHOWN = 20

_DATABASE = click.option("--database", metavar="URL", help="Instead of DATABASE_URL.")


class NotRecognised(DaybookError):
    """No product that is known stands in the database. Describe it in a small file: bin/dash map --describe FILE.toml."""


class WouldOverwrite(DaybookError):
    """The file is there and says something else, perhaps what somebody reviewed. Move it, or say --overwrite."""


@click.command(name="map")
@_DATABASE
@click.option("--schema", metavar="NAME", help="Where the host's tables are. Not given: wherever they are found.")
@click.option("--describe", type=click.File("rb"), metavar="FILE.toml", help="Which table and column is what.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=DEFAULT_FILE, show_default=True, help="Where to; - is stdout."
)
@click.option("--overwrite", is_flag=True, help="Also where the file says something else by now.")
@click.option(
    "--check", is_flag=True, help="Compare with the host's own totals and look at every row instead; writes nothing."
)
@click.option("--apply", "file", type=click.File("r"), metavar="FILE", help="Apply this reviewed file instead.")
def map_host(
    database: str | None, schema: str | None, describe: Any, output: Path, overwrite: bool, check: bool, file: Any
) -> None:
    """Look at a database and write a SQL file that maps it: views, change capture, indexes, rights.

    Odoo 17 and 18, InvoiceShelf, Crater and Lago are recognised; any other is described in a file, or asked for on a
    terminal. The file is for review: nothing is applied until --apply FILE. Exit code 1 if --check finds a difference or an
    error.
    """
    with connected(_url(database)) as connection:
        if file is not None:
            _apply(connection, file.read(), file.name)
            return
        catalogue = read_catalogue(connection)
        mapping = _mapping(catalogue, schema, _description(describe) if describe else None)
        if check:
            sys.exit(0 if _agrees(connection, mapping) else 1)
        mapping = with_possible_indexes(connection, mapping)
    _write(script(mapping, catalogue), mapping, output, overwrite=overwrite)


@click.command()
@_DATABASE
def unmap(database: str | None) -> None:
    """Drop the views, so that a migration of the host's own can go on; then bin/dash remap.

    Meanwhile every snapshot is served as it was, marked stale; what changes is noted and computed afterwards.
    """
    with connected(_url(database)) as connection:
        dropped = drop_views(connection)
    print(
        f"dropped {', '.join(dropped)}; bin/dash remap puts them back"
        if dropped
        else "no view of the contract is there"
    )


@click.command()
@_DATABASE
@click.argument("file", type=click.File("r"), default=str(DEFAULT_FILE))
def remap(database: str | None, file: Any) -> None:
    """Apply the reviewed FILE again, and have every tenant computed."""
    with connected(_url(database)) as connection:
        _apply(connection, file.read(), file.name)


def _url(database: str | None) -> str:
    return database or load_settings(known_environment()).database_url or ""


def _apply(connection: psycopg.Connection, text: str, name: str) -> None:
    done = apply(connection, text)
    print(
        f"applied {name}: {done.statements} statements of rights and indexes, {'views' if done.views else 'no views'}"
    )
    if done.left:
        print(f"left to be run: {done.left}", file=sys.stderr)


def _description(file: Any) -> dict[str, Any]:
    try:
        return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDescription([f"{file.name}: {error}"]) from error


def _mapping(catalogue: Catalogue, schema: str | None, description: dict[str, Any] | None) -> HostMapping:
    if description is None:
        for host in known_hosts():
            for name, columns in sorted(catalogue.schemas.items()):
                if schema in (None, name) and host.is_in(columns):
                    return mapping_of(host, name, columns)
        if not sys.stdin.isatty():
            raise NotRecognised(
                "no product that is known is in this database; describe it: bin/dash map --describe FILE.toml"
            )
    return _described(catalogue, schema, description or {})


def _described(catalogue: Catalogue, schema: str | None, description: dict[str, Any]) -> HostMapping:
    ask = _ask if sys.stdin.isatty() else None
    name = schema or description.get("host", {}).get("schema") or "public"
    columns = catalogue.schemas.get(name, {})
    host: Host = described(description, name, columns, ask)
    return mapping_of(host, name, columns)


def _ask(column: str, choices: str) -> str:
    click.echo(f"{choices}", err=True)
    answer: str = click.prompt(f"{column} (a name, or =an SQL expression)", err=True)
    return answer


def _write(text: str, mapping: HostMapping, output: Path, *, overwrite: bool) -> None:
    if output == Path("-"):
        print(text, end="")
        return
    if output.exists() and not overwrite and output.read_text(encoding="utf-8") != text:
        raise WouldOverwrite(f"{output} says something else by now; move it, or say --overwrite")
    output.write_text(text, encoding="utf-8")
    print(f"{mapping.host.title} in the schema {mapping.schema}: {', '.join(mapping.views)}")
    for name in lacking(mapping):
        print(f"dashboard.{name} is not mapped, and there is no dashboard without it", file=sys.stderr)
    print(f"review {output}, then: bin/dash map --apply {output}")


def _agrees(connection: psycopg.Connection, mapping: HostMapping) -> bool:
    agrees = True
    for one in compare(connection, mapping):
        print(f"{one.says}: {one.pairs:,} sums compared, {len(one.differences):,} differ")
        for found in one.differences[:MOST_DIFFERENCES_SHOWN]:
            print(f"  {found.tenant_id}: {found.currency} {found.host:f} by the host, {found.ours:f} by the views")
        agrees = agrees and not one.differences
    for left in outside(connection, mapping):
        print(f"not in the contract: {left.count:,} {left.says}; one is {left.row} of {left.tenant_id}")
    findings = [finding for finding in check_mapping(connection) if finding.counts]
    for finding in findings:
        print(f"{finding.level}: {finding}; {finding.advice}")
    return agrees and not any(finding.level == "error" for finding in findings)
