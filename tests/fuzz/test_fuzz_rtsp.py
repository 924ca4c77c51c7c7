"""Random bytes at the RTSP parser, the envelope and the handshake."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.launch import LaunchRequest
from punktfunk.gamestream.rtsp.crypto import HEADER_BYTES, Envelope, Unauthentic, frame_length
from punktfunk.gamestream.rtsp.handshake import Announced, MediaPorts, RtspHandshake
from punktfunk.gamestream.rtsp.message import MAX_MESSAGE_BYTES, RtspError, RtspResponse, parse_request
from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.gamestream.stream_plan import StreamOffer

VECTORS = json.loads((Path(__file__).parents[1] / "wire" / "vectors" / "gamestream.json").read_text())
SEEDS = [
    VECTORS["announce_captured"]["text"].encode(),
    b"OPTIONS rtsp://192.0.2.10:48010 RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"SETUP streamid=audio/0/0 RTSP/1.0\r\nCSeq: 3\r\nTransport: unicast\r\n\r\n",
    b"PLAY / RTSP/1.0\r\nCSeq: 7\r\nSession: DEADBEEFCAFE\r\n\r\n",
]


def mutated(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randrange(1, 8)):
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(3)] = rng.choice([b"\r\n", b": ", b"9" * 12, b"-", rng.randbytes(2)])
    return bytes(data)


def test_mutated_requests_are_answered_or_refused() -> None:
    rng = random.Random(3)
    for _ in range(2000):
        offer = StreamOffer(CodecSupport(0x30301))
        shake = RtspHandshake(
            LaunchRequest(bytes(16), 0), offer, MediaPorts(1, 2, 3), ping_payload="0" * 16, connect_data=7
        )
        with contextlib.suppress(RtspError):
            request = parse_request(mutated(rng.choice(SEEDS), rng))
            outcome = shake.handle(request) if request else None
            if isinstance(outcome, RtspResponse):
                check_reply(outcome.to_bytes())
            elif isinstance(outcome, Announced):
                check_reply(shake.started(outcome).to_bytes())


def check_reply(reply: bytes) -> None:
    """What the client's strict parser needs, whatever was asked."""
    head = reply.partition(b"\r\n\r\n")[0].decode()
    first, *headers = head.split("\r\n")
    assert first.startswith("RTSP/1.0 ")
    assert headers
    for header in headers:
        name, separator, value = header.partition(": ")
        assert name
        assert separator
        assert value
        assert value.strip() == value
    assert b"\0" not in reply


@given(st.binary(max_size=200))
def test_random_frames_are_not_opened(frame: bytes) -> None:
    with contextlib.suppress(RtspError):
        length = frame_length(frame)
        assert length is None or HEADER_BYTES < length <= HEADER_BYTES + MAX_MESSAGE_BYTES
    if len(frame) >= HEADER_BYTES:
        with contextlib.suppress(Unauthentic):
            Envelope(bytes(16)).open(frame)
            raise AssertionError("opened a frame that nobody sealed")
