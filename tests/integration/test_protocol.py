"""RFC 6455 on the wire: violations get their close code, good frames their answer, whatever the pieces they come in."""

from __future__ import annotations

import json
import socket
import struct
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.compressing import BROWSER, CompressingSocket
from tests.live import BINARY, CLOSE, PING, PONG, TEXT, Socket, Wire, frame, upgrade
from tests.patience import PATIENCE
from tests.servers import WebServer, eventually
from tests.tokens import bearer, token

PING_MESSAGE = b'{"type":"ping"}'


@pytest.fixture
def tenant(web: WebServer) -> str:
    tenant_id = f"t-{uuid.uuid4().hex}"
    web.write(tenant_id, n=1)
    return tenant_id


@pytest.fixture
def client(web: WebServer, tenant: str) -> Iterator[Socket]:
    with Socket(web.port, tenant) as opened:
        assert opened.receive()["type"] == "connection.established"
        assert opened.receive()["type"] == "dashboard.update"
        yield opened


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(PING_MESSAGE, masked=False), 1002, id="unmasked"),
        pytest.param(frame(PING_MESSAGE, rsv=4), 1002, id="rsv1, as compression would set it"),
        pytest.param(frame(PING_MESSAGE, rsv=1), 1002, id="rsv3"),
        pytest.param(frame(PING_MESSAGE, opcode=3), 1002, id="reserved data opcode"),
        pytest.param(frame(PING_MESSAGE, opcode=11), 1002, id="reserved control opcode"),
        pytest.param(frame(b"x" * 126, opcode=PING), 1002, id="big ping"),
        pytest.param(frame(b"x", opcode=PING, fin=False), 1002, id="fragmented ping"),
        pytest.param(frame(b"x", opcode=0), 1002, id="continuation of nothing"),
        pytest.param(frame(b"{", fin=False) + frame(b"}"), 1002, id="message inside a message"),
        pytest.param(frame(b"\x03", opcode=CLOSE), 1002, id="close of one byte"),
        pytest.param(frame(struct.pack("!H", 999), opcode=CLOSE), 1002, id="close code below 1000"),
        pytest.param(frame(struct.pack("!H", 1006), opcode=CLOSE), 1002, id="close code that is never sent"),
        pytest.param(frame(b"\xff\xfe"), 1007, id="not UTF-8"),
        pytest.param(frame(b"\xe2\x82"), 1007, id="half a character"),
        pytest.param(frame(struct.pack("!H", 1000) + b"\xff", opcode=CLOSE), 1007, id="close reason not UTF-8"),
        pytest.param(frame(b"x" * 65_537), 1009, id="one byte too many"),
        pytest.param(frame(b"x" * 40_000, fin=False) + frame(b"x" * 40_000, opcode=0), 1009, id="too many in pieces"),
        pytest.param(frame(b"", fin=False) + frame(b"", opcode=0, fin=False) * 2000, 1009, id="endless pieces"),
        pytest.param(frame(b"", length=2**62), 1009, id="a length of 2^62, then silence"),
        pytest.param(frame(b"", length=2**63 + 1), 1002, id="a negative length"),
    ],
)
def test_a_violation_is_closed_with_its_code(client: Socket, data: bytes, code: int) -> None:
    started = time.monotonic()
    client.socket.sendall(data)
    assert client.closed() == code
    assert time.monotonic() - started < 5 * PATIENCE


def test_a_message_may_come_in_fragments_with_a_ping_between_them(client: Socket) -> None:
    client.socket.sendall(
        frame(PING_MESSAGE[:4], fin=False)
        + frame(b"are you there", opcode=PING)
        + frame(PING_MESSAGE[4:9], opcode=0, fin=False)
        + frame(PING_MESSAGE[9:], opcode=0)
    )
    assert client.receive_frame() == (PONG, b"are you there")
    assert client.receive()["type"] == "pong"


def test_a_message_may_come_byte_by_byte_and_a_character_in_halves(client: Socket) -> None:
    text = json.dumps({"type": "refresh", "token": "é€😀"}, ensure_ascii=False).encode()
    for byte in frame(text):
        client.socket.sendall(bytes((byte,)))
    assert client.receive()["code"] == "token_invalid"
    middle = text.index("€".encode()) + 1
    client.socket.sendall(frame(text[:middle], fin=False) + frame(text[middle:], opcode=0))
    assert client.receive()["code"] == "token_invalid"


def test_a_message_of_exactly_64_kilobytes_is_read(client: Socket) -> None:
    filler = b" " * (65_536 - len(PING_MESSAGE))
    client.send(PING_MESSAGE + filler)
    assert client.receive()["type"] == "pong"


def test_a_clients_close_is_answered_with_its_code(client: Socket) -> None:
    client.socket.sendall(frame(struct.pack("!H", 4999) + b"bye", opcode=CLOSE))
    assert client.closed() == 4999


def test_a_close_without_a_code_is_answered(client: Socket) -> None:
    client.socket.sendall(frame(opcode=CLOSE))
    assert client.closed() is None


def test_an_unasked_pong_is_ignored(client: Socket) -> None:
    client.socket.sendall(frame(b"hello", opcode=PONG))
    client.send({"type": "ping"})
    assert client.receive()["type"] == "pong"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ping",
        b"[]",
        b'{"type":"ping","type":"ping"}',
        b'{"type":"nothing"}',
        b'{"type":"ping","x":1}',
        b"[" * 60_000,
    ],
    ids=["empty", "no JSON", "array", "duplicate key", "unknown type", "extra field", "deep"],
)
def test_three_bad_messages_in_a_row_close_the_socket_and_a_good_one_resets_the_count(
    client: Socket, data: bytes
) -> None:
    for _ in range(2):
        client.send(data)
        assert client.receive()["type"] == "error"
    client.send({"type": "ping"})
    assert client.receive()["type"] == "pong"
    for _ in range(3):
        client.send(data)
        assert client.receive()["type"] == "error"
    assert client.closed() == 4429


@pytest.mark.parametrize(
    "text", [rb'{"type":"\ud800"}', rb'{"type":"ping","\udfff":1}', rb'{"type":"refresh","token":"\ud800"}']
)
def test_half_a_character_is_an_error_and_the_socket_stays(client: Socket, text: bytes) -> None:
    client.send(text)
    assert client.receive_type("error")["code"] == "invalid_json"
    client.send({"type": "ping"})
    assert client.receive_type("pong")


def test_binary_messages_are_errors(client: Socket) -> None:
    client.socket.sendall(frame(PING_MESSAGE, opcode=BINARY))
    assert client.receive()["code"] == "binary_message"


@pytest.mark.parametrize("opcode", [TEXT, PING, PONG])
def test_a_flood_is_closed_after_the_burst_and_the_client_can_read_why(client: Socket, opcode: int) -> None:
    client.socket.sendall(frame(PING_MESSAGE, opcode=opcode) * 200)
    answered = 0
    while (received := client.receive_frame())[0] != CLOSE:
        answered += 1
    assert int.from_bytes(received[1][:2]) == 4429
    assert answered == (0 if opcode == PONG else 30)


# Before the upgrade


def _refusal(web: WebServer, tenant_id: str, *headers: str, leave_out: tuple[str, ...] = (), **changed: str) -> str:
    with Wire(web.port) as wire:
        return upgrade(wire, f"/ws/dashboard/{tenant_id}/", *headers, leave_out=leave_out, **changed)


def _authorization(tenant_id: str) -> str:
    return f"Authorization: {bearer(tenant_id)['Authorization']}"


@pytest.mark.parametrize(
    ("leave_out", "changed", "status"),
    [
        (("Upgrade",), {}, 400),
        (("Connection",), {}, 400),
        ((), {"Connection": "keep-alive"}, 400),
        ((), {"Upgrade": "h2c"}, 400),
        (("Sec-WebSocket-Key",), {}, 400),
        ((), {"Sec_WebSocket_Key": "short"}, 400),
        ((), {"Sec_WebSocket_Key": "not base64 at all!!!!!=="}, 400),
        ((), {"Sec_WebSocket_Version": "8"}, 426),
        (("Sec-WebSocket-Version",), {}, 426),
    ],
)
def test_a_malformed_handshake_is_refused_with_plain_http(
    web: WebServer, tenant: str, leave_out: tuple[str, ...], changed: dict[str, str], status: int
) -> None:
    answer = _refusal(web, tenant, _authorization(tenant), leave_out=leave_out, **changed)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "application/problem+json" in answer
    if status == 426:
        assert "Sec-WebSocket-Version: 13" in answer


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_no_context_takeover"),
        (
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        ),
        ("permessage-deflate; server_max_window_bits=9", None),
        ("permessage-deflate; client_max_window_bits=what, x-webkit-deflate-frame", None),
    ],
)
def test_compression_is_agreed_on_in_the_handshake(web: WebServer, tenant: str, offer: str, answer: str | None) -> None:
    head = _refusal(web, tenant, _authorization(tenant), f"Sec-WebSocket-Extensions: {offer}")
    assert " 101 " in head
    named = [line for line in head.split("\r\n") if line.lower().startswith("sec-websocket-extensions")]
    assert named == ([] if answer is None else [f"Sec-WebSocket-Extensions: {answer}"])


@pytest.mark.parametrize("offer", [BROWSER, f"{BROWSER}; server_no_context_takeover"])
def test_a_client_that_inflates_gets_the_same_snapshots_in_fewer_bytes(web: WebServer, tenant: str, offer: str) -> None:
    pad = {str(number): number * number for number in range(400)}
    web.write(tenant, n=2, pad=pad)
    with CompressingSocket(web.port, tenant, offer=offer) as packed, Socket(web.port, tenant) as plain:
        assert packed.receive()["type"] == "connection.established"
        for number in range(3, 7):
            updates = [client.receive_type("dashboard.update") for client in (packed, plain)]
            assert updates[0] == updates[1]
            assert updates[0]["data"]["n"] == number - 1
            web.write(tenant, n=number, pad=pad)
        packed.send({"type": "ping"})
        assert packed.receive_type("pong")
        packed.send(b"not JSON")
        assert packed.receive_type("error")["code"] == "invalid_json"
    first, *later = packed.sizes
    assert first < len(json.dumps(updates[0])) / 2
    # Only who remembers the message before is told no more than the difference.
    assert (max(later) < 150) is ("server_no_context_takeover" not in offer)


def test_a_bomb_is_a_message_that_is_too_big(web: WebServer, tenant: str) -> None:
    with CompressingSocket(web.port, tenant) as client:
        client.send(b"\0" * 50_000_000)
        assert client.closed() == 1009


def test_who_may_not_open_a_socket_is_told_so_in_http(web: WebServer, tenant: str) -> None:
    expired = token(tenant, ttl_s=-60)
    cookie = f"Cookie: access_token_cookie={token(tenant)}"
    own = f"Origin: http://127.0.0.1:{web.port}"
    for headers, status in (
        ([], 401),
        ([f"Authorization: Bearer {expired}"], 401),
        (["Authorization: Bearer nonsense"], 401),
        ([_authorization("another tenant")], 404),
        ([cookie], 403),
        ([cookie, "Origin: null"], 403),
        ([cookie, "Origin: https://evil.example"], 403),
        ([cookie, f"Origin: http://127.0.0.1:{web.port}.evil.example"], 403),
        ([cookie, own], 101),
        ([_authorization(tenant), "Origin: https://evil.example"], 403),
    ):
        assert _refusal(web, tenant, *headers).startswith(f"HTTP/1.1 {status} "), headers


def test_a_token_in_the_address_is_refused(web: WebServer, tenant: str) -> None:
    with Wire(web.port) as wire:
        answer = upgrade(wire, f"/ws/dashboard/{tenant}/?token={token(tenant)}")
    assert answer.startswith("HTTP/1.1 400 ")
    assert token(tenant) not in web.log


@pytest.mark.parametrize("tenant_id", ["..", "%00", "*", "%0d%0a", "x" * 1000, "%C3%A9", "nobody"])
def test_every_address_but_the_callers_own_is_the_same_404(web: WebServer, tenant: str, tenant_id: str) -> None:
    answer = _refusal(web, tenant_id, _authorization(tenant))
    assert answer.startswith("HTTP/1.1 404 ")


def test_a_client_that_resets_the_connection_is_forgotten_at_once(web: WebServer, tenant: str) -> None:
    opened = Socket(web.port, tenant)
    opened.receive()
    assert web.client.zcard(web.keys.connections(tenant)) == 1
    opened.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.socket.close()
    eventually(lambda: web.client.zcard(web.keys.connections(tenant)) == 0, within_s=2)
