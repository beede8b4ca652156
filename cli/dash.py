"""`bin/dash`: the operator's commands. Results go to stdout, progress and errors to stderr; errors are one line."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from shared.errors import ConfigError, DaybookError
from shared.release import release
from shared.undisturbed import forget_foreign

COMPLETION = """\b
Completion for bash (zsh and fish likewise), typed in the clone:
  eval "$(_DASH_COMPLETE=bash_source bin/dash)"
"""


class Elsewhere(click.Command):
    """A command that stands `at` module:attribute, imported when it is run, not when it is listed or completed.

    `says` is its line in the list: the sentence that its own help begins with.
    """

    def __init__(self, name: str, at: str, says: str) -> None:
        super().__init__(name, help=says)
        self._at = at

    def load(self) -> click.Command:
        """The command itself."""
        module, _, attribute = self._at.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 (for the type checker: a test loads every one)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Of the command itself, which click then runs in place of this one."""
        return self.load().make_context(*args, **kwargs)


@click.group(epilog=COMPLETION, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(release(), prog_name="Daybook")
def dash() -> None:
    """Operate Daybook: the bin/run of this clone, or what DATABASE_URL and REDIS_URL name."""


for _name, _at, _says in (
    ("announce", "cli.announcement:announce", "Send a message to everyone who has the dashboard open."),
    (
        "audit",
        "cli.audit:audit",
        "Compare what is served with an independent calculation: these tenants, or a few chosen at random.",
    ),
    (
        "check",
        "cli.examination:check",
        "Look at the rows of the schema dashboard, tables or views, for what a mapping gets wrong.",
    ),
    (
        "config",
        "cli.config:config",
        "Print every setting as it holds here, secrets masked, and where running processes have others.",
    ),
    ("demo", "cli.demo_data:demo", "Load the demo tenants anew, or keep them busy (--live)."),
    ("doctor", "cli.examination:doctor", "Look at everything Daybook needs, and say what to do about what is missing."),
    ("env", "cli.config:env", 'Print the settings for a shell, secrets included: eval "$(bin/dash env)".'),
    (
        "ingest",
        "cli.ingest:ingest_file",
        'Write documents of the contract, one JSON object a line: {"table": "invoice", ...columns...}',
    ),
    (
        "map",
        "cli.map:map_host",
        "Look at a database and write a SQL file that maps it: views, change capture, indexes, rights.",
    ),
    (
        "migrate",
        "cli.migration:migrate",
        "Bring the schema dashboard up to date, as its owner; and say who may use it.",
    ),
    ("recalculate", "cli.recalculation:recalculate", "Recompute tenants on the workers and wait until all are done."),
    ("remap", "cli.map:remap", "Apply the reviewed FILE again, and have every tenant computed."),
    (
        "tenants",
        "cli.examination:tenants",
        "How each tenant is: failing, drifting, stale, waiting for its first snapshot, or ok; since when and why.",
    ),
    ("threshold", "cli.thresholds:thresholds", "Where a tenant's alert rules begin."),
    ("token", "cli.tokens:token", "Print an access token of one tenant, signed with JWT_SECRET_KEY."),
    ("unmap", "cli.map:unmap", "Drop the views, so that a migration of the host's own can go on; then bin/dash remap."),
):
    dash.add_command(Elsewhere(_name, _at, _says))


def main() -> None:
    """Run the command; whatever fails ends in one line on stderr and an exit code other than 0."""
    forget_foreign()
    try:
        try:
            dash.main(prog_name="bin/dash", complete_var="_DASH_COMPLETE")
        finally:
            sys.stdout.flush()  # here, where a reader that has gone away can be caught
    except ConfigError as error:
        _fail("\n  ".join(["these settings are missing or malformed:", *error.problems]), code=2)
    except DaybookError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader went away (`bin/dash config | head`); there is nobody left to tell.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _fail(f"{error.strerror}: {error.filename}" if error.filename else str(error))
    except Exception as error:
        words = _of_drivers(error)
        if words is None:
            raise
        _fail(words)


def _of_drivers(error: Exception) -> str | None:
    """What an error of the database's or Redis's drivers says, None for any other.

    The drivers take most of a second to import, so they are asked only when something has failed."""
    import kombu.exceptions
    import psycopg
    import redis
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, SQLAlchemyError | psycopg.Error):
        return f"the database refuses: {str(getattr(error, 'orig', None) or error).splitlines()[0]}"
    if isinstance(error, redis.RedisError | kombu.exceptions.OperationalError):
        return f"Redis does not answer: {error}"
    return None


def _fail(words: str, code: int = 1) -> None:
    print(f"bin/dash: {words}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
