"""One tenant as a replica holds it: the newest that clients were given, which never goes back within a lineage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

NEVER = -1e9


class Gone(Enum):
    """The store says that the tenant does not exist any more."""

    GONE = "gone"


GONE = Gone.GONE


class Versioned(Protocol):
    """Something that can be held. Its version has `replaces(other)`: across two lineages each replaces the other."""

    @property
    def version(self) -> Any: ...


T = TypeVar("T", bound=Versioned)


@dataclass(slots=True, eq=False)
class Held(Generic[T]):
    """One tenant."""

    tenant_id: str
    value: T | None = None
    # Since when the store has said so, until it holds a snapshot again.
    gone_since: float | None = None
    has_clients: bool = False
    missing_since: float | None = None
    # When a reading was taken last, and when that reading began.
    read_at: float = NEVER
    read_from: float = NEVER
    asked_at: float = NEVER
    # The last versions of earlier lineages.
    past: tuple[Any, ...] = ()

    @property
    def version(self) -> Any:
        """The version that clients have."""
        return self.value.version if self.value is not None else None

    def seen_beyond(self, version: Any) -> Any:
        """A later version of the same lineage that clients have seen; then `version` must not reach them."""
        seen = (self.version, *self.past) if self.value is not None else self.past
        return next((v for v in seen if v != version and not version.replaces(v)), None)

    def hold(self, value: T, *, past: int) -> bool:
        """Hold `value` from now on; true when its version is news to those who have the one held before."""
        before, self.value = self.version, value
        if before is not None and before != value.version and before.replaces(value.version):
            others = (v for v in self.past if v.replaces(before) and before.replaces(v))
            self.past = (before, *others)[:past]
        return bool(before != value.version)

    def forget(self) -> None:
        """The tenant is gone: should it come back, it begins anew."""
        self.value, self.past, self.missing_since = None, (), None
