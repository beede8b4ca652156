"""Keys from a JWKS address: fetched seldom, kept while it is down."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from flask import Flask

from shared.settings import ASYMMETRIC, JwtSettings
from tests.servers import eventually
from web.access import keyset
from web.access.tokens import Tokens
from web.http.problems import TokenInvalid

ENCRYPTING = jwt.get_algorithm_by_name("RS256").to_jwk(
    rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
)


@dataclass
class Issuer:
    """A JWKS server: what it publishes, how often it was asked, whether it is down."""

    url: str
    keys: dict[str, ed25519.Ed25519PrivateKey] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0
    down: bool = False

    def add(self, key_id: str) -> None:
        self.keys[key_id] = ed25519.Ed25519PrivateKey.generate()

    def token(self, key_id: str, **headers: Any) -> str:
        """A token that names its key, or not: None leaves a header out."""
        now = int(time.time())
        claims = {"sub": "t", "iat": now, "exp": now + 60}
        given = {name: value for name, value in {"kid": key_id, **headers}.items() if value is not None}
        return jwt.encode(claims, self.keys[key_id], algorithm="EdDSA", headers=given)

    def document(self) -> bytes:
        algorithm = jwt.get_algorithm_by_name("EdDSA")
        found: list[dict[str, Any]] = []
        for key_id, key in self.keys.items():
            found.append(json.loads(algorithm.to_jwk(key.public_key())) | {"kid": key_id, "use": "sig"})
        return json.dumps({"keys": [*found, *self.others]}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            body = served.document()
            self.send_response(503 if served.down else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Issuer(f"http://127.0.0.1:{server.server_address[1]}/keys.json")
    served.add("first")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def checker(issuer: Issuer) -> Tokens:
    return Tokens(Flask("test"), JwtSettings(jwks_url=issuer.url, algorithms=ASYMMETRIC), {})


def test_a_published_key_is_fetched_once(issuer: Issuer) -> None:
    tokens = checker(issuer)
    for _ in range(5):
        assert tokens.verify(issuer.token("first")).tenant_id == "t"
    assert issuer.asked == 1


def test_unknown_keys_are_refused_with_one_fetch_for_all_of_them(issuer: Issuer) -> None:
    tokens = checker(issuer)
    for key_id in ("second", "third", "fourth"):
        issuer.add(key_id)
    unknown = [issuer.token(key_id) for key_id in ("second", "third", "fourth")]
    for key_id in ("second", "third", "fourth"):
        del issuer.keys[key_id]
    for text in unknown:
        with pytest.raises(TokenInvalid):
            tokens.verify(text)
    assert issuer.asked == 1


def test_known_keys_work_while_the_address_is_down(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = checker(issuer)
    good = issuer.token("first")
    tokens.verify(good)
    issuer.down = True
    monkeypatch.setattr(keyset, "LIFETIME_S", 0.0)
    monkeypatch.setattr(keyset, "FETCH_PAUSE_S", 0.0)
    monkeypatch.setattr("web.access.tokens.BELIEVED_FOR_S", -1.0)
    for _ in range(3):
        assert tokens.verify(good)
    issuer.add("second")
    with pytest.raises(TokenInvalid):
        tokens.verify(issuer.token("second"))


def test_a_key_that_is_withdrawn_is_refused_once_what_it_verified_is_looked_at_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer.add("second")
    tokens = checker(issuer)
    good = issuer.token("second")
    tokens.verify(good)
    del issuer.keys["second"]
    monkeypatch.setattr(keyset, "LIFETIME_S", 0.0)
    monkeypatch.setattr(keyset, "FETCH_PAUSE_S", 0.0)
    assert tokens.verify(good)
    monkeypatch.setattr("web.access.tokens.BELIEVED_FOR_S", -1.0)

    def is_refused() -> bool:
        try:
            tokens.verify(good)
        except TokenInvalid:
            return True
        return False

    assert eventually(is_refused)


def test_a_rotated_key_is_found_after_the_pause(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = checker(issuer)
    tokens.verify(issuer.token("first"))
    issuer.add("second")
    with pytest.raises(TokenInvalid):
        tokens.verify(issuer.token("second"))
    monkeypatch.setattr(keyset, "FETCH_PAUSE_S", 0.0)
    assert tokens.verify(issuer.token("second"))


@pytest.mark.parametrize("key_id", ["a+b/c==", "../first", "' OR 1=1", "https://keys.example/1", "schlüssel 1"])
def test_a_key_id_is_any_text_that_the_set_has(issuer: Issuer, key_id: str) -> None:
    issuer.add(key_id)
    tokens = checker(issuer)
    assert tokens.verify(issuer.token(key_id)).tenant_id == "t"
    with pytest.raises(TokenInvalid):
        tokens.verify(issuer.token(key_id, kid=key_id + "x"))
    assert issuer.asked == 1


@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_nothing_is_fetched_for_a_header_that_names_an_address(issuer: Issuer, name: str) -> None:
    with pytest.raises(TokenInvalid):
        checker(issuer).verify(issuer.token("first", **{name: issuer.url}))
    assert issuer.asked == 0


def test_without_a_key_id_the_only_key_for_signatures_counts(issuer: Issuer) -> None:
    issuer.others = [json.loads(ENCRYPTING) | {"use": "enc", "kid": "enc"}]
    tokens = checker(issuer)
    assert tokens.verify(issuer.token("first", kid=None)).tenant_id == "t"
    assert issuer.asked == 1


def test_a_published_key_may_lack_an_id(issuer: Issuer) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    issuer.keys = {}
    issuer.others = [json.loads(jwt.get_algorithm_by_name("EdDSA").to_jwk(key.public_key()))]
    now = int(time.time())
    text = jwt.encode({"sub": "t", "iat": now, "exp": now + 60}, key, algorithm="EdDSA")
    assert checker(issuer).verify(text).tenant_id == "t"


def test_without_a_key_id_two_keys_are_one_too_many(issuer: Issuer) -> None:
    issuer.add("second")
    with pytest.raises(TokenInvalid):
        checker(issuer).verify(issuer.token("first", kid=None))


def test_a_strange_key_does_not_pass_for_the_only_one(issuer: Issuer) -> None:
    tokens = checker(issuer)
    issuer.add("second")
    strange = issuer.token("second", kid=None)
    del issuer.keys["second"]
    with pytest.raises(TokenInvalid):
        tokens.verify(strange)


def test_the_only_key_is_found_anew_after_the_pause(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = checker(issuer)
    tokens.verify(issuer.token("first", kid=None))
    issuer.keys.clear()
    issuer.add("second")
    rotated = issuer.token("second", kid=None)
    with pytest.raises(TokenInvalid):
        tokens.verify(rotated)
    monkeypatch.setattr(keyset, "FETCH_PAUSE_S", 0.0)

    def accepted() -> bool:
        try:
            tokens.verify(rotated)
        except TokenInvalid:
            return False
        return True

    assert eventually(accepted)
