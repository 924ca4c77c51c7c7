"""Known answers of the control envelope and its messages (gamestream.md §6.5–6.8)."""

import json
from pathlib import Path

import pytest

from punktfunk.gamestream.control import (
    TERMINATION_GRACEFUL,
    FrameFecStatus,
    HdrMetadata,
    HdrMode,
    InputPacket,
    InvalidateReferenceFrames,
    LtrAcknowledged,
    PeriodicPing,
    RequestIdr,
    StartB,
    encode_feedback,
    encode_hdr,
    encode_termination,
    encode_trigger_effects,
    parse,
)
from punktfunk.gamestream.control_cipher import ControlCipher
from punktfunk.input.events import LightChanged, MotionRequested, Rumbled, TriggerEffect, TriggersRumbled

VECTORS = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())
V2 = VECTORS["control_v2"]
OLD = VECTORS["control_old_iv"]


def of(vectors, direction):
    return [vector for vector in vectors if vector["direction"] == direction]


def split(vector):
    plaintext = bytes.fromhex(vector["plaintext"])
    return int.from_bytes(plaintext[:2], "little"), plaintext[4:]


@pytest.mark.parametrize("vectors", [V2, OLD], ids=["v2", "old"])
def test_client_envelopes_open(vectors):
    for vector in of(vectors, "client_to_host"):
        cipher = ControlCipher(bytes.fromhex(vector["key"]), v2=vectors is V2)
        assert cipher.open(bytes.fromhex(vector["packet"])) == (vector["seq"], *split(vector))


@pytest.mark.parametrize("vectors", [V2, OLD], ids=["v2", "old"])
def test_host_envelopes_seal(vectors):
    for vector in of(vectors, "host_to_client"):
        cipher = ControlCipher(bytes.fromhex(vector["key"]), v2=vectors is V2)
        for _ in range(vector["seq"]):
            cipher.seal(0x0109, b"")
        assert cipher.seal(*split(vector)).hex() == vector["packet"]


CLIENT_MESSAGES = [
    RequestIdr(),
    StartB(),
    PeriodicPing(),
    InputPacket(bytes.fromhex("000000080700000000010001")),
    InvalidateReferenceFrames(100, 103),
    LtrAcknowledged(77),
]


@pytest.mark.parametrize(("vector", "message"), list(zip(of(V2, "client_to_host"), CLIENT_MESSAGES, strict=True)))
def test_client_messages(vector, message):
    assert parse(*split(vector)) == message


def test_frame_fec_status():
    vector = VECTORS["frame_fec_status"]
    assert parse(0x5502, bytes.fromhex(vector["payload"])) == FrameFecStatus(*vector["fields"].values())


HOST_MESSAGES = [
    encode_feedback(Rumbled(0, 0x1234, 0xFFFF)),
    encode_hdr(
        HdrMode(
            enabled=True,
            metadata=HdrMetadata(
                red=(34000, 16000),
                green=(13250, 34500),
                blue=(7500, 3000),
                white=(15635, 16450),
                max_luminance=1000,
                min_luminance=50,
                max_content_light=900,
                max_frame_average_light=400,
                max_full_frame_luminance=800,
            ),
        )
    ),
    encode_feedback(TriggersRumbled(0, 0x1111, 0x2222)),
    encode_feedback(MotionRequested(0, sensor=2, rate_hz=100)),
    encode_feedback(LightChanged(0, 10, 20, 30)),
    encode_trigger_effects(
        0,
        left=TriggerEffect(0, 0, 0x21, bytes(range(10))),
        right=TriggerEffect(0, 1, 0x25, bytes(range(10, 20))),
    ),
    encode_termination(TERMINATION_GRACEFUL),
]


@pytest.mark.parametrize(("vector", "message"), list(zip(of(V2, "host_to_client"), HOST_MESSAGES, strict=True)))
def test_host_messages(vector, message):
    assert message == split(vector)
