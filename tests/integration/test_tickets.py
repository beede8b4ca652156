"""One-time tickets: what they open, once, for whom, and that no log ever holds one."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.live import Wire, frame, upgrade
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer

TICKETS = "/api/dashboard/tickets/"
STREAM = "/api/dashboard/streaming/aggregate/"
REALTIME = "/api/dashboard/realtime/aggregate/"


@pytest.fixture
def tenant(web: WebServer) -> str:
    """A tenant of the test's own, with a snapshot."""
    tenant_id = f"ticket-{uuid.uuid4().hex}"
    web.write(tenant_id, value=1)
    return tenant_id


def ask(web: WebServer, tenant_id: str, path: str, **claims: Any) -> requests.Response:
    return requests.post(web.url + TICKETS, json={"path": path}, headers=bearer(tenant_id, **claims), timeout=5)


def ticket_for(web: WebServer, tenant_id: str, path: str, **claims: Any) -> str:
    answer = ask(web, tenant_id, path, **claims)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


def stream(web: WebServer, ticket: str, path: str = STREAM, **headers: str) -> requests.Response:
    parameters: dict[str, str | int] = {"ticket": ticket, "max_updates": 1}
    return requests.get(web.url + path, params=parameters, headers=headers, timeout=5)


def open_socket(web: WebServer, path: str, *headers: str) -> str:
    """The status line of the answer to an upgrade; the socket is closed again."""
    with Wire(web.port or 0) as wire:
        head = upgrade(wire, path, *headers)
        if " 101 " in head:
            wire.socket.sendall(frame(b"\x03\xe8", opcode=8))
        return head.splitlines()[0]


def test_a_ticket_opens_the_stream_once(web: WebServer, tenant: str) -> None:
    answer = ask(web, tenant, STREAM)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json().keys() == {"ticket", "path", "expires_in"}
    assert (answer.json()["path"], answer.json()["expires_in"]) == (STREAM, 30)
    first = stream(web, answer.json()["ticket"])
    assert first.status_code == 200
    assert f'"user_id":"{tenant}"' in first.text
    again = stream(web, answer.json()["ticket"])
    assert (again.status_code, again.json()["code"]) == (401, "ticket_invalid")


def test_a_ticket_opens_the_tenants_socket_once(web: WebServer, tenant: str) -> None:
    path = f"/ws/dashboard/{tenant}/"
    ticket = ticket_for(web, tenant, path)
    assert " 101 " in open_socket(web, f"{path}?ticket={ticket}")
    assert " 401 " in open_socket(web, f"{path}?ticket={ticket}")


def test_a_tenants_id_may_be_spelt_with_percent_signs(web: WebServer) -> None:
    tenant_id = f"t {uuid.uuid4().hex}"
    web.write(tenant_id, value=1)
    path = f"/ws/dashboard/{tenant_id.replace(' ', '%20')}/"
    assert " 101 " in open_socket(web, f"{path}?ticket={ticket_for(web, tenant_id, path)}")


def test_a_ticket_for_one_address_opens_no_other_and_is_used_up_by_the_attempt(web: WebServer, tenant: str) -> None:
    socket_path = f"/ws/dashboard/{tenant}/"
    ticket = ticket_for(web, tenant, socket_path)
    assert stream(web, ticket).status_code == 401
    assert " 401 " in open_socket(web, f"{socket_path}?ticket={ticket}")


def test_a_ticket_of_one_tenant_opens_nothing_of_another(web: WebServer, tenant: str) -> None:
    other = f"ticket-{uuid.uuid4().hex}"
    web.write(other, value=2)
    ticket = ticket_for(web, tenant, f"/ws/dashboard/{tenant}/")
    assert " 401 " in open_socket(web, f"/ws/dashboard/{other}/?ticket={ticket}")


def test_a_ticket_ends_after_thirty_seconds_or_with_its_token(web: WebServer, tenant: str) -> None:
    assert ask(web, tenant, STREAM, ttl_s=10).json()["expires_in"] in range(5, 11)
    ticket = ticket_for(web, tenant, STREAM)
    name = web.keys.ticket(hashlib.sha256(ticket.encode()).hexdigest())
    assert 20_000 < web.client.pttl(name) <= 30_000
    web.client.pexpire(name, 1)
    eventually(lambda: not web.client.exists(name))
    assert stream(web, ticket).status_code == 401


def test_what_a_ticket_opened_ends_when_the_token_would_have(web: WebServer, tenant: str) -> None:
    ticket = ticket_for(web, tenant, STREAM, ttl_s=4)
    began = time.monotonic()
    events = requests.get(f"{web.url}{STREAM}?ticket={ticket}", timeout=10 * PATIENCE).text
    assert '"reason":"token_expired"' in events
    assert time.monotonic() - began < 7 * PATIENCE


def test_a_ticket_of_a_token_that_was_revoked_since_is_refused(web: WebServer, tenant: str) -> None:
    token_id = uuid.uuid4().hex
    web.client.set(web.keys.revoked(token_id), "1", ex=60)
    assert ask(web, tenant, STREAM, jti=token_id).status_code == 401
    web.client.delete(web.keys.revoked(token_id))
    ticket = ticket_for(web, tenant, STREAM, jti=token_id)
    web.client.set(web.keys.revoked(token_id), "1", ex=60)
    # A token that was good is known as such for up to a second.
    eventually(lambda: ask(web, tenant, STREAM, jti=token_id).status_code, lambda status: status == 401)
    assert stream(web, ticket).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        REALTIME,
        STREAM[:-1],
        STREAM + "?interval=30",
        "/ws/dashboard/somebody-else/",
        "/ws/dashboard/notifications/somebody-else/",
        "//evil.example" + STREAM,
        "https://evil.example" + STREAM,
    ],
)
def test_no_ticket_is_issued_for_another_path(web: WebServer, tenant: str, path: str) -> None:
    answer = ask(web, tenant, path)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_path")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"path":1}', b"{}", b'{"path":"/","more":1}', b"\xff", b'{"path":"\xff"}',
        b'{"path":"/","path":"/api/dashboard/streaming/aggregate/"}', b'{"path":"\\ud800"}', b"[" * 60_000,
    ],
)  # fmt: skip
def test_a_body_that_is_no_wish_for_a_ticket_is_refused(web: WebServer, tenant: str, body: bytes) -> None:
    answer = requests.post(web.url + TICKETS, data=body, headers=bearer(tenant), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_body")


def test_tickets_are_issued_to_callers_with_a_token_only(web: WebServer, tenant: str) -> None:
    assert requests.post(web.url + TICKETS, json={"path": STREAM}, timeout=5).status_code == 401
    ticket = ticket_for(web, tenant, STREAM)
    answer = requests.post(f"{web.url}{TICKETS}?ticket={ticket}", json={"path": STREAM}, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")


def test_rest_takes_no_ticket_and_no_token_in_its_address(web: WebServer, tenant: str) -> None:
    ticket = ticket_for(web, tenant, STREAM)
    answer = requests.get(f"{web.url}{REALTIME}?ticket={ticket}", timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    # It was not used up.
    assert stream(web, ticket).status_code == 200


@pytest.mark.parametrize("ticket", ["", "x", "ä", "x" * 3000, "../..", "*", "%00"])
def test_nonsense_is_no_ticket(web: WebServer, tenant: str, ticket: str) -> None:
    assert stream(web, ticket).status_code == 401


def test_a_ticket_given_twice_is_a_bad_request(web: WebServer, tenant: str) -> None:
    ticket = ticket_for(web, tenant, STREAM)
    address = f"{web.url}{STREAM}?ticket={ticket}&ticket={ticket}"
    assert requests.get(address, timeout=5).status_code == 400


def test_a_strangers_page_cannot_open_a_socket_even_with_a_ticket(web: WebServer, tenant: str) -> None:
    path = f"/ws/dashboard/{tenant}/"
    ticket = ticket_for(web, tenant, path)
    assert " 403 " in open_socket(web, f"{path}?ticket={ticket}", "Origin: https://evil.example")


@pytest.fixture
def served(web: WebServer, tenant: str) -> Iterator[list[str]]:
    """Tickets that a test uses; none of them is in the log afterwards."""
    used: list[str] = []
    yield used
    assert used
    log = web.log
    assert not [ticket for ticket in used if ticket in log]


def test_no_ticket_is_ever_logged(web: WebServer, tenant: str, served: list[str]) -> None:
    path = f"/ws/dashboard/{tenant}/"
    for _ in range(2):
        served.append(ticket_for(web, tenant, STREAM))
        stream(web, served[-1])
        stream(web, served[-1])
        served.append(ticket_for(web, tenant, path))
        open_socket(web, f"{path}?ticket={served[-1]}")
        requests.get(f"{web.url}{REALTIME}?ticket={served[-1]}", timeout=5)
