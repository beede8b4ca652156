"""The public keys behind JWT_JWKS_URL: fetched seldom, kept while the address is down."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

import jwt
import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet

log = structlog.get_logger()

# One fetch in this time at most, whether it succeeded or not: unknown key ids must not become a flood.
FETCH_PAUSE_S = 30.0
# A key that was withdrawn is forgotten after this time, provided that the address answers; what was verified with it before
# is believed for BELIEVED_FOR_S of web/access/tokens.py.
LIFETIME_S = 300.0
TIMEOUT_S = 2.0


class KeySet:
    """Keys by id. Known keys go on working while the address is down; an unknown id is a refusal, never an error."""

    def __init__(self, url: str, algorithms: Collection[str]) -> None:
        # PyJWKClient's own cache forgets its keys when the address is down at the wrong moment; only its fetch is used.
        self._client = PyJWKClient(url, cache_jwk_set=False, timeout=TIMEOUT_S)
        self._algorithms = algorithms
        self._keys: Sequence[PyJWK] = ()
        self._lock = threading.Lock()
        self._tried_at: float | None = None
        self._fetched_at: float | None = None

    def key(self, key_id: str | None) -> PyJWK:
        """The key of that id; without one the only key that there is. Raises jwt.PyJWKClientError when there is none."""
        found = self._find(key_id)
        if found is None:
            self._refresh()
            found = self._find(key_id)
            if found is None:
                raise jwt.PyJWKClientError("unknown key id")
        elif self._is_old(key_id) and not self._lock.locked():
            threading.Thread(target=self._refresh, daemon=True, name="jwks").start()
        return found

    def _find(self, key_id: str | None) -> PyJWK | None:
        found = [key for key in self._keys if key_id is None or key.key_id == key_id]
        return found[0] if len(found) == 1 else None

    def _is_old(self, key_id: str | None) -> bool:
        # A token without id does not tell that the key was changed, so it is looked for as often as allowed.
        lifetime_s = FETCH_PAUSE_S if key_id is None else LIFETIME_S
        return self._fetched_at is None or time.monotonic() - self._fetched_at > lifetime_s

    def _refresh(self) -> None:
        with self._lock:
            now = time.monotonic()
            if self._tried_at is not None and now - self._tried_at < FETCH_PAUSE_S:
                return
            self._tried_at = now
            try:
                keys = PyJWKSet.from_dict(self._client.fetch_data()).keys
            except (jwt.PyJWTError, ValueError, OSError) as error:
                log.warning("jwks_not_fetched", reason=type(error).__name__)
                return
            self._fetched_at = time.monotonic()
            self._keys = tuple(key for key in keys if self._is_usable(key))

    def _is_usable(self, key: PyJWK) -> bool:
        return key.public_key_use in ("sig", None) and key.algorithm_name in self._algorithms
