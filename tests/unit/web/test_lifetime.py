"""When a client must go, and that every transport has a word for each reason."""

from __future__ import annotations

import time

import pytest

from web.access.tokens import Caller
from web.api.session import ENDINGS
from web.live.lifetime import Ending, Lifetime


class Client:
    """One whose circumstances the test sets."""

    def __init__(self, *, expires_in_s: float = 3600.0) -> None:
        self.is_draining = self.is_gone = False
        caller = Caller(tenant_id="t", subject="s", expires_at=time.time() + expires_in_s, token_id="one")
        self.lifetime = Lifetime(
            caller,
            is_draining=lambda: self.is_draining,
            is_gone=lambda: self.is_gone,
        )


def test_a_client_whose_token_is_good_stays() -> None:
    client = Client()
    assert client.lifetime.ending() is None
    assert 3590 < client.lifetime.left_s <= 3600


@pytest.mark.parametrize(
    ("circumstance", "ending"), [("is_draining", Ending.RESTARTING), ("is_gone", Ending.TENANT_GONE)]
)
def test_a_client_must_go(circumstance: str, ending: Ending) -> None:
    client = Client()
    setattr(client, circumstance, True)
    assert client.lifetime.ending() is ending


def test_a_token_that_expired_ends_it_and_a_newer_one_prolongs_it() -> None:
    client = Client(expires_in_s=-1)
    assert client.lifetime.ending() is Ending.TOKEN_EXPIRED
    client.lifetime.renew(Caller(tenant_id="t", subject="s", expires_at=time.time() + 60))
    assert client.lifetime.ending() is None


def test_a_restart_goes_before_every_other_reason() -> None:
    client = Client(expires_in_s=-1)
    client.is_draining = client.is_gone = True
    assert client.lifetime.ending() is Ending.RESTARTING


def test_a_token_that_is_revoked_ends_it_unless_the_client_has_a_newer_one() -> None:
    client = Client()
    client.lifetime.revoke("one")
    assert client.lifetime.ending() is Ending.TOKEN_REVOKED
    client.lifetime.renew(Caller(tenant_id="t", subject="s", expires_at=time.time() + 60, token_id="two"))
    assert client.lifetime.ending() is None


def test_who_does_not_read_is_not_blamed_for_a_restart() -> None:
    client = Client()
    assert client.lifetime.ending_of_slow_reader() is Ending.TOO_SLOW
    client.is_draining = True
    assert client.lifetime.ending_of_slow_reader() is Ending.RESTARTING


def test_a_socket_has_a_close_code_for_every_ending() -> None:
    assert set(ENDINGS) == set(Ending)
