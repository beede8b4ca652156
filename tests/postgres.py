"""PostgreSQL servers of a test's own: the embedded one, and every version that Debian has put on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cli.local.embedded import Postgres, free_port

# What a host product may have switched on. Nothing that a test loses matters after a crash.
OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "shared_buffers=32MB",
    "wal_level=logical",
    "max_prepared_transactions=10",
)
_DEBIAN = Path("/usr/lib/postgresql")


@dataclass
class DebianPostgres(Postgres):
    """A server of Debian's."""

    version: str = ""
    # Before 16 there is no --set; its time zone is then the machine's.
    initdb_options: ClassVar[tuple[str, ...]] = ()

    @property
    def bin_dir(self) -> Path:
        return _DEBIAN / self.version / "bin"


def versions() -> list[str]:
    """What there is to test against."""
    return ["embedded", *sorted(path.parts[-3] for path in _DEBIAN.glob("*/bin/postgres"))]


def server(version: str, folder: Path) -> Postgres:
    """A server of that version with its data in `folder`, not started yet; its superuser is `daybook`."""
    data = folder / "postgres"
    if version == "embedded":
        return Postgres(data, free_port(), OPTIONS)
    return DebianPostgres(data, free_port(), OPTIONS, version=version)
