"""RTSP against recorded frames and the captured ANNOUNCE (gamestream.md §3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.gamestream.rtsp.crypto import Envelope, frame_length, is_encrypted
from punktfunk.gamestream.rtsp.message import RtspResponse, parse_request

VECTORS = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())
FRAMES = VECTORS["rtsp_encrypted"]
TO_HOST = [frame for frame in FRAMES if frame["direction"] == "client_to_host"]
TO_CLIENT = [frame for frame in FRAMES if frame["direction"] == "host_to_client"]


@pytest.mark.parametrize("vector", TO_HOST, ids=lambda v: str(v["seq"]))
def test_opening_a_recorded_frame(vector: dict) -> None:
    frame = bytes.fromhex(vector["frame"])
    assert is_encrypted(frame)
    assert frame_length(frame) == len(frame)
    assert Envelope(bytes.fromhex(vector["key"])).open(frame).decode() == vector["plaintext_text"]


@pytest.mark.parametrize("vector", TO_CLIENT, ids=lambda v: str(v["seq"]))
def test_sealing_a_recorded_frame(vector: dict) -> None:
    envelope = Envelope(bytes.fromhex(vector["key"]))
    for _ in range(vector["seq"] - 1):
        envelope.seal(b"earlier reply")
    assert envelope.seal(vector["plaintext_text"].encode()).hex() == vector["frame"]


def test_nonce_layout() -> None:
    vector = TO_CLIENT[-1]
    sealed = AESGCM(bytes.fromhex(vector["key"])).encrypt(
        bytes.fromhex(vector["iv"]), vector["plaintext_text"].encode(), None
    )
    assert bytes.fromhex(vector["frame"])[24:] == sealed[:-16]


def test_captured_announce_request() -> None:
    text = VECTORS["announce_captured"]["text"]
    request = parse_request(text.encode())
    assert request is not None
    assert (request.command, request.target, request.sequence) == ("ANNOUNCE", "streamid=control/13/0", "6")
    assert request.headers["host"] == "0.0.0.0"
    assert request.body == text.partition("\r\n\r\n")[2]


def test_setup_reply_text() -> None:
    reply = RtspResponse(
        "4",
        200,
        (
            ("Session", "DEADBEEFCAFE;timeout = 90"),
            ("Transport", "server_port=47998"),
            ("X-SS-Ping-Payload", "0123456789ABCDEF"),
        ),
    )
    assert reply.to_bytes().decode() == TO_CLIENT[-1]["plaintext_text"]
