"""Control envelopes and messages that nobody meant to send: one kind of exception each, and no state changed."""

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.control import ControlError, parse
from punktfunk.gamestream.control_cipher import ControlCipher, EnvelopeError
from punktfunk.gamestream.control_session import ControlSession

VECTORS = json.loads((Path(__file__).parents[1] / "wire" / "vectors" / "gamestream.json").read_text())
V2 = [vector for vector in VECTORS["control_v2"] if vector["direction"] == "client_to_host"]
KEY = bytes.fromhex(V2[0]["key"])
KINDS = [0x0302, 0x0307, 0x0200, 0x0301, 0x0350, 0x5502, 0x0206, 0x0201, 0x3000]


@given(st.binary(max_size=200))
def test_random_bytes_are_no_envelope(data):
    with pytest.raises(EnvelopeError):
        ControlCipher(KEY, v2=True).open(data)


def test_any_changed_byte_is_noticed():
    cipher = ControlCipher(KEY, v2=True)
    for vector in V2:
        envelope = bytes.fromhex(vector["packet"])
        for position in range(len(envelope)):
            changed = bytearray(envelope)
            changed[position] ^= 1 << position % 8
            with pytest.raises(EnvelopeError):
                cipher.open(bytes(changed))
        assert cipher.open(envelope)[0] == vector["seq"]


@given(st.sampled_from(KINDS) | st.integers(0, 0xFFFF), st.binary(max_size=64))
def test_any_payload_parses_or_raises_one_error(kind, payload):
    with contextlib.suppress(ControlError):
        parse(kind, payload)


def test_session_survives_anything():
    dice = random.Random(3)
    session = ControlSession(KEY, v2=True, now_ms=0)
    for now in range(5000):
        envelope = bytearray(bytes.fromhex(dice.choice(V2)["packet"]))
        if dice.random() < 0.9:
            envelope[dice.randrange(len(envelope))] = dice.randrange(256)
        session.received(bytes(envelope), now)
    taken = session.statistics.messages
    assert taken <= len(V2)
    assert session.statistics.bad_envelopes == 5000 - taken
