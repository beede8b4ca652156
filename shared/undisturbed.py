"""Variables of other projects in the shell change nothing: `python -m shared.undisturbed COMMAND…` runs a process without.

celery, gunicorn, Flask and PostgreSQL's client library read variables of their own, above what Daybook's settings say. They
have to be gone before those programs begin, so each line of the Procfile begins here. A setting of Daybook's is in
shared/settings.py; how PostgreSQL is reached, in DATABASE_URL alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

# FLASK_*, CELERY_* (an option of its command line each) and so on belong to the libraries altogether.
_PREFIXES = ("CELERY_", "CELERYD_", "CELERYBEAT_", "KOMBU_", "FLASK_", "SQLALCHEMY_", "DJANGO_")
_NAMES = frozenset(
    {
        # Options of celery's command line under other names, and what it asks before its settings.
        "APP", "BROKER_URL", "RESULT_BACKEND", "LOADER", "CONFIG_MODULE", "SKIP_CHECKS", "QUIET", "C_FORCE_ROOT",
        # gunicorn
        "GUNICORN_CMD_ARGS", "FORWARDED_ALLOW_IPS", "SENDFILE", "SCRIPT_NAME",
        # libpq
        "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGREQUIREAUTH",
        "PGCHANNELBINDING", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGAPPNAME", "PGSSLMODE", "PGREQUIRESSL",
        "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL",
        "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION",
        "PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGCONNECT_TIMEOUT", "PGCLIENTENCODING",
        "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGDATESTYLE",
        "PGTZ", "PGGEQO",
        "PGSYSCONFDIR", "PGLOCALEDIR", "PGDATA",
    }
)  # fmt: skip


def is_foreign(name: str) -> bool:
    """Whether the variable belongs to a library or to another project, never to Daybook's operator."""
    return name in _NAMES or name.startswith(_PREFIXES)


def undisturbed(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without them."""
    return {name: value for name, value in environment.items() if not is_foreign(name)}


def forget_foreign() -> None:
    """Take them out of this process's environment."""
    for name in [*filter(is_foreign, os.environ)]:
        del os.environ[name]


def main(command: list[str]) -> None:
    """Become the command."""
    if not command:
        sys.exit("usage: python -m shared.undisturbed COMMAND [ARGUMENT]...")
    try:
        os.execvpe(command[0], command, undisturbed(os.environ))  # noqa: S606 (a line of our Procfile)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
