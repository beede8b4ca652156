"""REST: stored bytes → response, with the version as its ETag. Nothing is decoded or encoded on the way."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from flask import Flask, Response, g, request

from shared.errors import StoreUnavailable
from shared.snapshot import serve
from shared.store import Stored
from shared.versions import Version
from web.http.problems import NotFound, Unavailable
from web.http.requests import query
from web.services import Services

Form = Literal["snapshot", "overview"]

FIRST_SNAPSHOT_WAIT_S = 2.0
_POLL_S = 0.05
_REMEMBERED_TENANTS = 512


class Snapshots:
    """Finds a tenant's snapshot: in Redis, by asking for a first one, or in what this process served last."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._served: OrderedDict[str, Stored] = OrderedDict()

    def find(self, tenant_id: str, form: Form = "snapshot") -> tuple[Stored, bool]:
        """The snapshot, and whether it is stale; raises NotFound, Unavailable, or StoreUnavailable.

        While Redis is away only the asked form is certain to be there.
        """
        services = self._services
        try:
            stored = self._read(tenant_id)
            if stored.version is None and not stored.gone:
                services.metrics.snapshot_reads.labels("missing").inc()
                stored = self._ask_for_first(tenant_id)
        except StoreUnavailable:
            held = self._held(tenant_id, form)
            if held is None:
                raise
            services.metrics.snapshot_reads.labels("memory").inc()
            return held, True
        if stored.gone:
            self._served.pop(tenant_id, None)
            raise NotFound()
        services.metrics.snapshot_reads.labels("store").inc()
        newest = self._remember(tenant_id, stored)
        return newest, services.freshness.of(newest).stale

    def _read(self, tenant_id: str) -> Stored:
        with self._services.circuit.guard():
            return self._services.reader.read(tenant_id)

    def _held(self, tenant_id: str, form: Form) -> Stored | None:
        """What was served last, or what the tenant's sockets and streams here have, which is never an overview."""
        served, update = self._served.get(tenant_id), self._services.hub.held(tenant_id)
        if (
            form == "overview"
            or update is None
            or (served and served.version and not update.version.replaces(served.version))
        ):
            return served
        return Stored(version=update.version, snapshot=update.stored, overview=None, as_of_ms=None)

    def _ask_for_first(self, tenant_id: str) -> Stored:
        self._services.commands.recalculate(tenant_id)
        deadline = time.monotonic() + FIRST_SNAPSHOT_WAIT_S
        while time.monotonic() < deadline:
            time.sleep(_POLL_S)
            stored = self._read(tenant_id)
            if stored.version is not None or stored.gone:
                return stored
        raise Unavailable("The first snapshot is being computed.", code="snapshot_pending")

    def _remember(self, tenant_id: str, stored: Stored) -> Stored:
        """The newer one of `stored` and what was served before: Redis may have lost the newest revisions."""
        held = self._served.get(tenant_id)
        if held is not None and _is_behind(stored.version, held.version):
            self._have_epoch_ended(tenant_id, held.version)
            return held
        self._served[tenant_id] = stored
        self._served.move_to_end(tenant_id)
        if len(self._served) > _REMEMBERED_TENANTS:
            self._served.popitem(last=False)
        return stored

    def _have_epoch_ended(self, tenant_id: str, seen: Version | None) -> None:
        with contextlib.suppress(StoreUnavailable):
            if seen is not None:
                self._services.commands.end_epoch(tenant_id, seen)


def _is_behind(stored: Version | None, held: Version | None) -> bool:
    return stored is not None and held is not None and stored != held and not stored.replaces(held)


def register(app: Flask, services: Services, snapshots: Snapshots) -> None:
    """The two forms of the snapshot."""
    routes: tuple[tuple[str, Form], ...] = (
        ("/api/dashboard/realtime/aggregate/", "snapshot"),
        ("/api/dashboard/overview/", "overview"),
    )
    for rule, form in routes:
        app.add_url_rule(rule, endpoint=form, view_func=_view(services, snapshots, form), methods=["GET"])


def _view(services: Services, snapshots: Snapshots, form: Form) -> Callable[[], Response]:
    def view() -> Response:
        query(request)
        caller = services.auth.authenticate(request)
        stored, stale = snapshots.find(caller.tenant_id, form)
        body = stored.snapshot if form == "snapshot" else stored.overview
        if body is None:
            raise Unavailable("The snapshot is being computed again.", code="snapshot_pending")
        etag = f"{stored.version}+stale" if stale else str(stored.version)
        if request.if_none_match.contains_weak(etag):
            # A 304 counts no request.
            services.metrics.snapshot_reads.labels("not_modified").inc()
            return _cacheable(Response(status=304), etag)
        g.allowance = services.limiter.hit("requests", caller.tenant_id)
        served = serve(body, version=str(stored.version), stale=stale)
        return _cacheable(Response(served, content_type="application/json"), etag)

    return view


def _cacheable(response: Response, etag: str) -> Response:
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.update(("Authorization", "Cookie"))
    return response
