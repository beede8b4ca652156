"""REST: the snapshot and the overview, with the version as their ETag. No JSON is read or made on the way."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, g, request
from prometheus_client import Counter

from shared.errors import DaybookError, StoreUnavailable
from web.access.auth import Auth
from web.access.limits import Limiter
from web.api.grounds import GROUNDS, Grounds
from web.http.encodings import put_body
from web.http.problems import NotFound, Unavailable
from web.http.requests import query
from web.live.held import Gone
from web.live.mailbox import Form, Update
from web.live.snapshot_reader import Snapshot
from web.live.snapshots import Snapshots
from web.redis.commands import Commands
from web.redis.polling import poll

FIRST_SNAPSHOT_WAIT_S = 2.0


class SnapshotFinder:
    """Finds a tenant's snapshot: the newest, by asking for a first one, or while Redis is away the one that is held."""

    def __init__(self, snapshots: Snapshots, commands: Commands, reads: Counter) -> None:
        """`reads` counts by where a snapshot came from."""
        self._snapshots = snapshots
        self._commands = commands
        self._reads = reads

    def find(self, tenant_id: str, form: Form = "snapshot") -> Update:
        """That form of it, marked as fresh or stale; raises NotFound, Unavailable, or StoreUnavailable."""
        try:
            found = self._snapshots.newest(tenant_id)
            if found is None:
                found = self._ask_for_first(tenant_id)
        except StoreUnavailable:
            held = self._snapshots.held(tenant_id)
            update = None if held is None else held.in_form(form)
            if update is None:
                raise
            self._reads.labels("memory").inc()
            return update.marked(stale=True)
        if isinstance(found, Gone):
            raise NotFound()
        self._reads.labels("store").inc()
        update = self._snapshots.as_served(tenant_id, found, form)
        if update is None:
            raise Unavailable("The snapshot is being computed again.", code="snapshot_pending")
        return update

    def _ask_for_first(self, tenant_id: str) -> Snapshot | Gone:
        self._reads.labels("missing").inc()
        self._commands.recalculate(tenant_id)
        found = poll(lambda: self._snapshots.newest(tenant_id), within_s=FIRST_SNAPSHOT_WAIT_S)
        if found is None:
            raise Unavailable("The first snapshot is being computed.", code="snapshot_pending")
        return found


def register(app: Flask, *, finder: SnapshotFinder, auth: Auth, limiter: Limiter, reads: Counter) -> None:
    """The two forms of the snapshot. `reads` counts what was not sent because the client has it."""
    routes: tuple[tuple[str, Form], ...] = (
        ("/api/dashboard/realtime/aggregate/", "snapshot"),
        ("/api/dashboard/overview/", "overview"),
    )

    def view_of(form: Form) -> Callable[[], Response]:
        def view() -> Response:
            query(request)
            caller = auth.authenticate(request)
            try:
                update = finder.find(caller.tenant_id, form).through(caller.view)
            except DaybookError:
                # Of all answers these cost most: a tenant that is not there is looked for in the database.
                g.allowance = limiter.hit("requests", caller)
                raise
            request.environ[GROUNDS] = Grounds(caller, form, update)
            if request.if_none_match.contains_weak(update.etag):
                # A 304 counts no request.
                reads.labels("not_modified").inc()
                return _cacheable(Response(status=304), update.etag)
            g.allowance = limiter.hit("requests", caller)
            return _cacheable(put_body(Response(content_type="application/json"), update, request), update.etag)

        return view

    for rule, form in routes:
        app.add_url_rule(rule, endpoint=form, view_func=view_of(form), methods=["GET"])


def _cacheable(response: Response, etag: str) -> Response:
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept-Encoding, Authorization, Cookie"
    return response
