"""Boards in Redis, reader and writer side by side, as shared/store.py has it for snapshots.

One hash per tenant, `Keys.alerts`:
    lineage, state, as_of   the database state that the board was read from; see SourceState
    revision                the board's revision in that database: it rises with every change of the tenant's alerts
    body                    the encoded board
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import redis
import structlog

from shared.alerts import Board, decode_board, encode_board
from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.scripts import run_for_each
from shared.store import OLDER, SourceState
from shared.versions import BoardVersion

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBoard:
    """A board and its version."""

    version: BoardVersion
    board: Board


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCandidate:
    """A board as read from PostgreSQL, on its way into Redis."""

    tenant_id: str
    source: SourceState
    revision: int
    board: Board


# The same revision of the same database is the same board. A notice goes out only when it is another one.
_WRITE = (
    OLDER
    + """
local lineage, state, as_of, revision, body, tenant, channel = unpack(ARGV)
local cur = redis.call('HMGET', KEYS[1], 'lineage', 'state', 'as_of', 'revision')
if older(lineage, state, as_of, cur[1], cur[2], cur[3]) then return 0 end
redis.call('HSET', KEYS[1], 'lineage', lineage, 'state', state, 'as_of', as_of, 'revision', revision, 'body', body)
if cur[1] ~= lineage or cur[4] ~= revision then
  redis.call('PUBLISH', channel, cjson.encode({tenant = tenant, alerts = tonumber(revision)}))
end
return 1
"""
)


class AlertReader:
    """Reads boards. Every call raises StoreUnavailable when Redis does not answer within the client's timeouts."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def read(self, tenant_id: str) -> StoredBoard | None:
        """The tenant's board, None when Redis has none that can be read."""
        return self.read_many([tenant_id])[0]

    def read_many(self, tenant_ids: Sequence[str]) -> list[StoredBoard | None]:
        """The same for many tenants in one round trip, in the order asked."""
        return [
            _stored(tenant_id, row)
            for tenant_id, row in zip(tenant_ids, self._fields(tenant_ids, "lineage", "revision", "body"), strict=True)
        ]

    def versions(self, tenant_ids: Sequence[str]) -> list[BoardVersion | None]:
        """Only the versions, for a reader that wants to know whether it missed a notice."""
        return [BoardVersion.stored(*row) for row in self._fields(tenant_ids, "lineage", "revision")]

    def _fields(self, tenant_ids: Sequence[str], *names: str) -> list[list[bytes]]:
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for tenant_id in tenant_ids:
                    pipe.hmget(self._keys.alerts(tenant_id), *names)
                return pipe.execute()
        except redis.RedisError as error:
            raise StoreUnavailable("alerts cannot be read") from error


class AlertWriter:
    """Writes boards; board, version and notice are one atomic step inside Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._write = client.register_script(_WRITE)

    def write(self, candidates: Iterable[BoardCandidate]) -> None:
        """Store and publish each board unless Redis holds one from a later database state."""
        calls = [
            (
                (self._keys.alerts(made.tenant_id),),
                [
                    made.source.lineage,
                    made.source.state,
                    made.source.as_of_ms,
                    made.revision,
                    encode_board(made.board),
                    made.tenant_id,
                    self._keys.notices,
                ],
            )
            for made in candidates
        ]
        try:
            run_for_each(self._client, self._write, calls)
        except redis.RedisError as error:
            raise StoreUnavailable("alerts cannot be written") from error

    def remove(self, tenant_ids: Iterable[str]) -> None:
        """Forget the boards of tenants that are gone."""
        try:
            if names := [self._keys.alerts(tenant_id) for tenant_id in tenant_ids]:
                self._client.delete(*names)
        except redis.RedisError as error:
            raise StoreUnavailable("alerts cannot be removed") from error


def _stored(tenant_id: str, row: Sequence[bytes]) -> StoredBoard | None:
    version = BoardVersion.stored(row[0], row[1])
    try:
        return StoredBoard(version=version, board=decode_board(row[2])) if version else None
    except msgspec.DecodeError:
        # Workers of another release wrote it. One tenant's board must not keep those of others from being read.
        log.warning("board_unreadable", tenant_id=tenant_id)
        return None
