"""A snapshot's version, `epoch-revision`: the epoch changes when Redis lost data, the revision rises by one per change; and a
board's."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(r"([0-9a-z]{1,24})-([1-9][0-9]{0,17})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """Comparable within an epoch only: across epochs, what the store holds now is the newer one."""

    epoch: str
    revision: int

    @classmethod
    def parse(cls, text: str) -> Version | None:
        """The version in `text`, None when it is none (a Last-Event-ID may hold anything)."""
        found = _PATTERN.fullmatch(text)
        return cls(found[1], int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.epoch}-{self.revision}"

    def replaces(self, other: Version | None) -> bool:
        """Whether a client that holds `other` should be given this one: a new epoch, or a higher revision of its own."""
        return other is None or self.epoch != other.epoch or self.revision > other.revision


@dataclass(frozen=True, slots=True)
class BoardVersion:
    """Comparable within one lineage: the higher revision is the later board."""

    lineage: str
    revision: int

    @classmethod
    def stored(cls, lineage: bytes | None, revision: bytes | None) -> BoardVersion | None:
        """The version in these fields of a board in Redis, None when there is no board."""
        return cls(lineage.decode(), int(revision)) if lineage and revision else None

    def replaces(self, other: BoardVersion | None) -> bool:
        """Whether a client that holds `other` should get this one."""
        return other is None or self.lineage != other.lineage or self.revision > other.revision
