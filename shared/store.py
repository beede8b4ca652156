"""Snapshots in Redis, reader and writer side by side; the only user of redis-py for snapshots.

One hash per tenant, `Keys.snapshot`:
    epoch, revision      the version; absent until the first snapshot
    lineage, state       which database it was computed from, and how many transactions it had completed
    as_of                milliseconds, when the database was read
    digest               of the content, to tell a change from a mere refresh
    snapshot, overview   encoded bodies without version and stale, as frames of Zstandard
    failing, failing_since   why the newest computation failed, and since when (milliseconds); absent when it succeeded
    gone                 the tenant does not exist; the hash expires soon
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import redis
import structlog
from redis.client import Pipeline
from redis.commands.core import Script
from zstandard import FRAME_HEADER, ZstdCompressor, ZstdDecompressor, ZstdError

from shared.errors import StoreUnavailable
from shared.keys import Keys
from shared.scripts import run_for_each
from shared.versions import BoardVersion, Version

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """Which state of which database a snapshot was computed from.

    `lineage` names the database history (system identifier and timeline), `state` counts its completed transactions:
    of two states of one lineage the higher one has seen everything that the lower one has. See docs/decisions.
    """

    lineage: str
    state: int
    as_of_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What Redis holds of a tenant. `snapshot` is None before the first one, when the tenant is gone, and
    where it cannot be read."""

    version: Version | None
    snapshot: bytes | None
    overview: bytes | None
    as_of_ms: int | None
    failing: str | None = None
    failing_since_ms: int | None = None
    gone: bool = False


ABSENT = Stored(version=None, snapshot=None, overview=None, as_of_ms=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A freshly computed snapshot on its way into the store."""

    tenant_id: str
    source: SourceState
    digest: str
    snapshot: bytes
    overview: bytes


Verdict = Literal["changed", "unchanged", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a candidate: a new version, a refresh in place, or refused as computed from an older state. board: which
    board Redis held of the tenant then."""

    verdict: Verdict
    version: Version | None
    board: BoardVersion | None


# Refused when the stored one was computed from a later state of the same database: a higher count of completed
# transactions, the same count read later, or (after a failover) a later timeline. A different database is accepted.
OLDER = """
local function older(lineage, state, as_of, cur_lineage, cur_state, cur_as_of)
  if not cur_lineage then return false end
  if lineage == cur_lineage then
    state, cur_state = tonumber(state), tonumber(cur_state)
    if state ~= cur_state then return state < cur_state end
    return tonumber(as_of) < tonumber(cur_as_of)
  end
  local system, timeline = string.match(lineage, '^(.*)/(%d+)$')
  local cur_system, cur_timeline = string.match(cur_lineage, '^(.*)/(%d+)$')
  return system ~= nil and system == cur_system and tonumber(timeline) < tonumber(cur_timeline)
end
"""

_WRITE = (
    OLDER
    + """
local lineage, state, as_of, digest, snapshot, overview, tenant, channel = unpack(ARGV)
local cur = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'digest', 'lineage', 'state', 'as_of', 'failing')
local board = redis.call('HMGET', KEYS[2], 'lineage', 'revision')
if older(lineage, state, as_of, cur[4], cur[5], cur[6]) then
  return {'refused', cur[1] or '', cur[2] or '0', unpack(board)}
end
local epoch, revision = cur[1], cur[2]
local changed = cur[3] ~= digest
local now = redis.call('TIME')
if not epoch then
  epoch = string.format('%d%06d', tonumber(now[1]), tonumber(now[2]))
  revision = '0'
end
if changed then revision = string.format('%d', tonumber(revision) + 1) end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'revision', revision, 'digest', digest, 'lineage', lineage,
  'state', state, 'as_of', as_of, 'snapshot', snapshot, 'overview', overview)
redis.call('HDEL', KEYS[1], 'failing', 'failing_since', 'gone')
redis.call('PERSIST', KEYS[1])
if changed or cur[7] then
  local at = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
  redis.call('PUBLISH', channel, cjson.encode({tenant = tenant, version = epoch .. '-' .. revision, at = at}))
end
return {changed and 'changed' or 'unchanged', epoch, revision, unpack(board)}
"""
)

# A tenant that is gone leaves a short-lived tombstone, so that a late computation cannot bring it back.
_REMOVE = (
    OLDER
    + """
local lineage, state, as_of, tenant, channel, ttl = unpack(ARGV)
local cur = redis.call('HMGET', KEYS[1], 'lineage', 'state', 'as_of', 'snapshot')
if older(lineage, state, as_of, cur[1], cur[2], cur[3]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'lineage', lineage, 'state', state, 'as_of', as_of, 'gone', '1')
redis.call('EXPIRE', KEYS[1], ttl)
if cur[4] then redis.call('PUBLISH', channel, cjson.encode({tenant = tenant, status = 'gone'})) end
return 1
"""
)

_FAIL = (
    OLDER
    + """
local reason, tenant, channel, lineage, state, as_of = unpack(ARGV)
if lineage then
  local cur = redis.call('HMGET', KEYS[1], 'lineage', 'state', 'as_of')
  if older(lineage, state, as_of, cur[1], cur[2], cur[3]) then return '' end
end
local now = redis.call('TIME')
local now_ms = string.format('%d%03d', tonumber(now[1]), math.floor(tonumber(now[2]) / 1000))
if redis.call('HSETNX', KEYS[1], 'failing_since', now_ms) == 1 then
  redis.call('PUBLISH', channel, cjson.encode({tenant = tenant, status = 'failing'}))
end
redis.call('HSET', KEYS[1], 'failing', reason)
return redis.call('HGET', KEYS[1], 'failing_since')
"""
)

_ASK_OLDER = (
    OLDER
    + """
local cur = redis.call('HMGET', KEYS[1], 'lineage', 'state', 'as_of')
return older(ARGV[1], ARGV[2], ARGV[3], cur[1], cur[2], cur[3]) and 1 or 0
"""
)

# Redis lost the newest revisions of an epoch (a failover before replication): the epoch ends, so that no later revision
# can be taken for one that a client has seen. Compared and deleted in one step; the next computation starts a new epoch.
_END_EPOCH = """
local cur = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
if cur[1] == ARGV[1] and tonumber(cur[2]) < tonumber(ARGV[2]) then
  redis.call('HDEL', KEYS[1], 'epoch', 'revision', 'digest')
  return 1
end
return 0
"""

_FIELDS = ("epoch", "revision", "snapshot", "overview", "as_of", "failing", "failing_since", "gone")
_FACTS = tuple(name for name in _FIELDS if name not in ("snapshot", "overview"))

TOMBSTONE_TTL_S = 60

# A body is a quarter as long, or less, and costs hardly more to make than to send as it is. A higher level gains little.
_ZSTANDARD_LEVEL = 1


class SnapshotReader:
    """Reads snapshots. Every call raises StoreUnavailable when Redis does not answer within the client's timeouts.

    For one thread, as is SnapshotWriter.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._zstandard = ZstdDecompressor()

    def read(self, tenant_id: str) -> Stored:
        """What Redis holds of the tenant; ABSENT when nothing."""
        return self.read_many([tenant_id])[0]

    def read_many(self, tenant_ids: Sequence[str], *, snapshot: bool = True, overview: bool = True) -> list[Stored]:
        """The same for many tenants in one round trip, in the order asked; without the bodies that are not wanted."""
        unwanted = {name for name, wanted in (("snapshot", snapshot), ("overview", overview)) if not wanted}
        fields = tuple(name for name in _FIELDS if name not in unwanted)
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for tenant_id in tenant_ids:
                    pipe.hmget(self._keys.snapshot(tenant_id), *fields)
                rows = pipe.execute()
        except redis.RedisError as error:
            raise StoreUnavailable("snapshots cannot be read") from error
        return [
            self._stored(tenant_id, dict(zip(fields, row, strict=True)))
            for tenant_id, row in zip(tenant_ids, rows, strict=True)
        ]

    def ask(self, pipe: Pipeline, tenant_id: str) -> None:
        """Have `pipe` read what Redis holds of the tenant, without the bodies; its answer is for `told`."""
        pipe.hmget(self._keys.snapshot(tenant_id), *_FACTS)

    def told(self, tenant_id: str, row: Sequence[bytes | None]) -> Stored:
        """The answer to `ask`."""
        return self._stored(tenant_id, dict(zip(_FACTS, row, strict=True)))

    def versions(self, tenant_ids: Sequence[str]) -> list[Version | None]:
        """Only the versions, for a reader that wants to know whether it missed a notice."""
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for tenant_id in tenant_ids:
                    pipe.hmget(self._keys.snapshot(tenant_id), "epoch", "revision")
                rows = pipe.execute()
        except redis.RedisError as error:
            raise StoreUnavailable("versions cannot be read") from error
        return [_version(row[0], row[1]) for row in rows]

    def _stored(self, tenant_id: str, row: dict[str, bytes | None]) -> Stored:
        as_of, failing, failing_since = row["as_of"], row["failing"], row["failing_since"]
        return Stored(
            version=_version(row["epoch"], row["revision"]),
            snapshot=self._body(tenant_id, row.get("snapshot")),
            overview=self._body(tenant_id, row.get("overview")),
            as_of_ms=int(as_of) if as_of else None,
            failing=failing.decode() if failing else None,
            failing_since_ms=int(failing_since) if failing_since else None,
            gone=row["gone"] is not None,
        )

    def _body(self, tenant_id: str, stored: bytes | None) -> bytes | None:
        if stored is None or not stored.startswith(FRAME_HEADER):
            return stored  # written before bodies were compressed
        try:
            return self._zstandard.decompress(stored)
        except ZstdError as error:
            # As if it were not there: then it is computed again, and nobody else who is read with it waits.
            log.error("snapshot_unreadable", tenant_id=tenant_id, error=str(error))
            return None


class SnapshotWriter:
    """Writes snapshots; each write, its version and its notice are one atomic step inside Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._write = client.register_script(_WRITE)
        self._remove = client.register_script(_REMOVE)
        self._fail = client.register_script(_FAIL)
        self._end_epoch = client.register_script(_END_EPOCH)
        self._ask_older = client.register_script(_ASK_OLDER)
        self._zstandard = ZstdCompressor(level=_ZSTANDARD_LEVEL)

    def write(self, candidates: Iterable[Candidate]) -> list[Written]:
        """Store and publish each candidate unless Redis holds one from a later database state; in the order given."""
        rows = self._run(
            self._write,
            (
                (
                    (self._keys.snapshot(c.tenant_id), self._keys.alerts(c.tenant_id)),
                    [
                        c.source.lineage,
                        c.source.state,
                        c.source.as_of_ms,
                        c.digest,
                        self._zstandard.compress(c.snapshot),
                        self._zstandard.compress(c.overview),
                        c.tenant_id,
                        self._keys.notices,
                    ],
                )
                for c in candidates
            ),
        )
        return [
            Written(
                verdict=row[0].decode(), version=_version(row[1], row[2]), board=BoardVersion.stored(row[3], row[4])
            )
            for row in rows
        ]

    def remove(self, tenant_ids: Iterable[str], source: SourceState) -> None:
        """Forget tenants that the database does not know, unless Redis holds them from a later database state."""
        state = [source.lineage, source.state, source.as_of_ms]
        self._run(
            self._remove,
            (
                ((self._keys.snapshot(tenant_id),), [*state, tenant_id, self._keys.notices, TOMBSTONE_TTL_S])
                for tenant_id in tenant_ids
            ),
        )

    def mark_failing(self, tenant_id: str, reason: str, source: SourceState | None = None) -> int | None:
        """Keep the tenant's last snapshot but let every reader know that newer computations fail, and why.

        Returns since when they fail, in milliseconds; None, and marks nothing, where Redis holds a snapshot that was computed
        from a later state than `source`, the one that failed.
        """
        args: list[Any] = [reason, tenant_id, self._keys.notices]
        if source is not None:
            args += [source.lineage, source.state, source.as_of_ms]
        since_ms = self._run(self._fail, [((self._keys.snapshot(tenant_id),), args)])[0]
        return int(since_ms) if since_ms else None

    def overtaken(self, tenant_ids: Sequence[str], source: SourceState) -> list[str]:
        """Those of the tenants whose snapshot was computed from a later state of the same database than `source`."""
        args: list[Any] = [source.lineage, source.state, source.as_of_ms]
        answers = self._run(self._ask_older, (((self._keys.snapshot(tenant_id),), args) for tenant_id in tenant_ids))
        return [tenant_id for tenant_id, older in zip(tenant_ids, answers, strict=True) if older]

    def end_epoch(self, tenant_id: str, seen: Version) -> bool:
        """End the epoch of `seen` if Redis holds less of it than was seen; true when it did."""
        args: list[Any] = [seen.epoch, seen.revision]
        return bool(self._run(self._end_epoch, [((self._keys.snapshot(tenant_id),), args)])[0])

    def _run(self, script: Script, calls: Iterable[tuple[tuple[str, ...], Sequence[Any]]]) -> list[Any]:
        try:
            return run_for_each(self._client, script, calls)
        except redis.RedisError as error:
            raise StoreUnavailable("snapshots cannot be written") from error


def _version(epoch: bytes | None, revision: bytes | None) -> Version | None:
    return Version(epoch.decode(), int(revision)) if epoch and revision and int(revision) else None
