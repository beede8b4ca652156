"""What is agreed with which offer, what is inflated of a client's message, and that differences are the whole message."""

from __future__ import annotations

import gc
import weakref
import zlib

import pytest
from wsproto.frame_protocol import CloseReason, FrameProtocol, ParseFailed

from tests.compressing import RSV1, deflate
from tests.live import PING, TEXT, frame
from web.transport.compression import MAX_MESSAGE_BYTES, Compression, Inflate, agree
from web.transport.frames import MOST_DIFFERENCES, SharedMessage

AFTER, ALONE = Compression.AFTER, Compression.ALONE
TAIL = b"\x00\x00\xff\xff"


@pytest.mark.parametrize(
    ("offers", "agreed"),
    [
        (None, None),
        ("", None),
        ("permessage-deflate", AFTER),
        ("permessage-deflate; client_max_window_bits", AFTER),
        ("permessage-deflate;client_max_window_bits=10 ; client_no_context_takeover", AFTER),
        ('permessage-deflate; client_max_window_bits="8"', AFTER),
        ("permessage-deflate; server_max_window_bits=15", AFTER),
        ("permessage-deflate; server_no_context_takeover", ALONE),
        ("permessage-deflate; server_no_context_takeover; client_max_window_bits", ALONE),
        # The first offer that can be met.
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", AFTER),
        ("x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover, permessage-deflate", ALONE),
        # A smaller window for what we send, and what RFC 7692 does not allow.
        ("permessage-deflate; server_max_window_bits=9", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; client_max_window_bits=7", None),
        ("permessage-deflate; client_max_window_bits=010", None),
        ("permessage-deflate; client_max_window_bits=", None),
        ("permessage-deflate; client_max_window_bits=x", None),
        ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None),
        ("permessage-deflate; something", None),
        ("permessage-deflate;", None),
        ("x-permessage-deflate", None),
    ],
)
def test_the_first_offer_that_can_be_met_is_agreed_on(offers: str | None, agreed: Compression | None) -> None:
    assert agree(offers) is agreed


@pytest.mark.parametrize("agreed", list(Compression))
def test_an_answer_taken_as_an_offer_is_answered_by_itself(agreed: Compression) -> None:
    assert agree(agreed.value) is agreed


def _received(data: bytes) -> list[object]:
    """The payloads of the frames as a socket with compression reads them."""
    protocol = FrameProtocol(client=False, extensions=[Inflate()])
    protocol.receive_bytes(data)
    return [frame.payload for frame in protocol.received_frames()]


def test_messages_are_inflated_whole_whatever_the_pieces_they_come_in() -> None:
    small = deflate(b'{"type":"ping"}')
    assert _received(frame(small, rsv=RSV1) + frame(b"plain") + frame(small, rsv=RSV1)) == [
        '{"type":"ping"}',
        "plain",
        '{"type":"ping"}',
    ]
    pieces = frame(small[:4], rsv=RSV1, fin=False) + frame(b"?", opcode=PING) + frame(small[4:], opcode=0)
    assert _received(pieces) == ["", b"?", '{"type":"ping"}']
    assert _received(frame(deflate(b"x" * MAX_MESSAGE_BYTES), rsv=RSV1)) == ["x" * MAX_MESSAGE_BYTES]


def test_a_final_block_ends_a_message() -> None:
    compressor = zlib.compressobj(wbits=-15)
    ended = compressor.compress(b"Hello") + compressor.flush(zlib.Z_FINISH)
    assert _received(frame(ended + b"\x00", rsv=RSV1)) == ["Hello"]
    with pytest.raises(ParseFailed):
        _received(frame(ended + b"more", rsv=RSV1))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(deflate(b"x" * 65_537), rsv=RSV1), CloseReason.MESSAGE_TOO_BIG, id="one byte too many"),
        pytest.param(frame(deflate(b"\0" * 50_000_000), rsv=RSV1), CloseReason.MESSAGE_TOO_BIG, id="a bomb"),
        pytest.param(
            frame(b"\0\0\0\xff\xff" * 9000, rsv=RSV1, fin=False) + frame(b"\0\0\0\xff\xff" * 9000, opcode=0),
            CloseReason.MESSAGE_TOO_BIG,
            id="much of nothing",
        ),
        pytest.param(frame(b"\xff\xff\xff", rsv=RSV1), CloseReason.INVALID_FRAME_PAYLOAD_DATA, id="not deflated"),
        pytest.param(frame(deflate(b"\xff\xfe"), rsv=RSV1), CloseReason.INVALID_FRAME_PAYLOAD_DATA, id="not UTF-8"),
        pytest.param(frame(b"x", opcode=PING, rsv=RSV1), CloseReason.PROTOCOL_ERROR, id="a compressed ping"),
        pytest.param(frame(b"x", rsv=2), CloseReason.PROTOCOL_ERROR, id="another bit"),
        pytest.param(
            frame(b"x", fin=False) + frame(b"x", opcode=0, rsv=RSV1), CloseReason.PROTOCOL_ERROR, id="compressed later"
        ),
        pytest.param(
            frame(deflate(b"x"), rsv=RSV1, fin=False) + frame(deflate(b"x"), rsv=RSV1),
            CloseReason.PROTOCOL_ERROR,
            id="a message inside a message",
        ),
    ],
)
def test_what_cannot_be_inflated_within_the_limit_is_a_violation(data: bytes, code: CloseReason) -> None:
    with pytest.raises(ParseFailed) as violation:
        _received(data)
    assert violation.value.code is code


class _Client:
    """Inflates what it is sent, remembering what came before."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(-15)

    def read(self, sent: bytes) -> bytes:
        assert sent[0] == 0xC0 | TEXT
        return self._inflater.decompress(sent[{126: 4, 127: 10}.get(sent[1], 2) :] + TAIL)


def _body(number: int, size: int) -> bytes:
    return b"".join(b"%d: %d;" % (place, place * place + (number if place == 7 else 0)) for place in range(size))


@pytest.mark.parametrize("size", [10, 400, 9000])
def test_a_client_that_skips_messages_gets_each_one_whole(size: int) -> None:
    """The largest is beyond the 32 kB that a client remembers."""
    messages = [SharedMessage(_body(number, size)) for number in range(6)]
    reader, skipping, forgetful = _Client(), _Client(), SharedMessage(b"none")
    before = skipped = None
    for number, message in enumerate(messages):
        assert reader.read(message.frame(AFTER, after=before)) == _body(number, size)
        before = message
        if number % 3 != 1:
            assert skipping.read(message.frame(AFTER, after=skipped)) == _body(number, size)
            skipped = message
        assert _Client().read(message.frame(ALONE, after=forgetful)) == _body(number, size)
    again = messages[-1].frame(AFTER, after=messages[-1])
    assert reader.read(again) == _body(5, size)


def test_a_difference_is_made_once_and_is_small() -> None:
    first, second = SharedMessage(_body(1, 400)), SharedMessage(_body(2, 400))
    assert second.frame(AFTER, after=first) is second.frame(AFTER, after=first)
    assert second.frame(AFTER, after=None) is second.frame(ALONE, after=first)
    assert len(second.plain) > 2 * len(second.frame(ALONE, after=None)) > 40 * len(second.frame(AFTER, after=first))
    assert second.frame(None, after=first) is second.plain


def test_only_so_many_differences_are_made() -> None:
    newest, before = SharedMessage(_body(0, 50)), [SharedMessage(_body(number, 50)) for number in range(40)]
    made = {newest.frame(AFTER, after=one) for one in before}
    assert len(made) <= MOST_DIFFERENCES + 1
    assert newest.frame(AFTER, after=before[-1]) is newest.frame(ALONE, after=None)


def test_a_message_does_not_keep_those_before_it() -> None:
    first, second = SharedMessage(_body(1, 50)), SharedMessage(_body(2, 50))
    second.frame(AFTER, after=first)
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
