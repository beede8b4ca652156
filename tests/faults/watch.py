"""The history checker: clients of several tenants watch while something is hurt, and in the end all see the truth."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Self

import requests
from sqlalchemy.exc import SQLAlchemyError

from tests.faults.clients import OVERVIEW, REALTIME, Client, RestClient, everyone, exact, lasting
from tests.patience import PATIENCE
from tests.stack import Stack
from workers.audit.recount import differences, expected


class Watch:
    """A context manager. On exit every history is checked: no version went back, nothing undesigned was answered."""

    def __init__(self, stack: Stack, *, tenants: int = 2, sockets: int = 1, streams: int = 1) -> None:
        self.stack = stack
        self.tenant_ids = [f"t-{uuid.uuid4().hex[:10]}" for _ in range(tenants)]
        self.clients: list[Client] = []
        self._sockets = sockets
        self._streams = streams

    def __enter__(self) -> Self:
        for tenant_id in self.tenant_ids:
            self.stack.add_tenant(tenant_id)
            self.stack.sale(tenant_id)
        self._exit = ExitStack()
        self.clients = everyone(self.stack.port, self.tenant_ids, sockets=self._sockets, streams=self._streams)
        for client in self.clients:
            self._exit.enter_context(client)
        try:
            self.recovered(within_s=30.0)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._leave()
        if kind is None:
            self.assert_histories()

    def _leave(self) -> None:
        for client in self.clients:
            client.leave()
        self._exit.close()

    @property
    def tenant(self) -> str:
        """The first tenant."""
        return self.tenant_ids[0]

    @property
    def live(self) -> list[Client]:
        """Sockets and streams."""
        return [client for client in self.clients if not isinstance(client, RestClient)]

    @property
    def rest(self) -> list[RestClient]:
        """Those who ask."""
        return [client for client in self.clients if isinstance(client, RestClient)]

    def sales(self) -> None:
        """A row for each tenant."""
        for tenant_id in self.tenant_ids:
            self.stack.sale(tenant_id)

    def recovered(self, *, within_s: float, since: float | None = None) -> float:
        """Seconds from `since` (now) until every client is connected, told it is fresh, and shows the truth.

        A row is written first, so that the truth is one that nobody has seen yet. `within_s`: on a quiet machine.
        """
        since = time.monotonic() if since is None else since
        self.sales()
        return self.converged(within_s=within_s, since=since)

    def converged(self, *, within_s: float, since: float | None = None) -> float:
        """The same without writing anything."""
        since = time.monotonic() if since is None else since
        deadline = since + within_s * PATIENCE
        waiting = list(self.tenant_ids)
        while waiting:
            self.stack.revive()
            reason = self._missing(waiting[0])
            if reason is None:
                del waiting[0]
            elif time.monotonic() > deadline:
                late = f"{waiting[0]} after {time.monotonic() - since:.1f} s: {reason}"
                raise AssertionError(f"{late}\n{self.stack.last_words()}")
            else:
                time.sleep(0.03)
        return time.monotonic() - since

    def _missing(self, tenant_id: str) -> str | None:
        """What one tenant's clients still lack of the truth."""
        try:
            answer, long_form = (self._get(tenant_id, path) for path in (REALTIME, OVERVIEW))
        except requests.RequestException as error:
            return repr(error)
        if (answer.status_code, long_form.status_code) != (200, 200):
            return f"REST answers {answer.status_code} {answer.text}"
        snapshot, overview = exact(answer.text), exact(long_form.text)
        if snapshot["stale"] or overview["version"] != snapshot["version"]:
            return f"REST: stale={snapshot['stale']}, {snapshot['version']} and {overview['version']}"
        for client in self.clients:
            if client.tenant_id == tenant_id and not _shows(client, snapshot["version"]):
                return f"{client} shows {client.version}, stale={client.stale}, wanted {snapshot['version']}"
        return self._untrue(tenant_id, snapshot, overview)

    def _get(self, tenant_id: str, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {lasting(tenant_id)}"}
        return requests.get(self.stack.url + path, headers=headers, timeout=10 * PATIENCE)

    def _untrue(self, tenant_id: str, snapshot: Any, overview: Any) -> str | None:
        as_of = datetime.fromisoformat(snapshot["as_of"]).astimezone(UTC)
        try:
            found = differences(expected(self.stack.engine, tenant_id, now=as_of), snapshot, overview)
        except SQLAlchemyError as error:
            return repr(error)
        return f"not what PostgreSQL implies: {found}" if found else None

    def all_told_stale(self, since: float, clients: Sequence[Client] | None = None) -> bool:
        """Whether every socket and stream was told that its data is not fresh."""
        return all(client.was_stale(since) for client in clients or self.live)

    def assert_never_told(self, *reasons: str, since: float = 0.0) -> None:
        """No socket and no stream was told of what was done here. (On a busy machine there may be other things to tell.)"""
        for client in self.live:
            assert not client.reasons(since) & set(reasons), f"{client}: {client.statuses}"

    def assert_histories(self) -> None:
        """No version ever went back, no answer was undesigned."""
        for client in self.clients:
            client.assert_never_back()
            assert client.unexpected == [], f"{client}: {client.unexpected}"

    def assert_stayed_connected(self, since: int = 1) -> None:
        """No socket and no stream was closed."""
        for client in self.live:
            assert client.connections == since, f"{client} connected {client.connections} times: {client.closes}"


def _shows(client: Client, version: str) -> bool:
    return client.connected and client.version == version and client.stale is False
