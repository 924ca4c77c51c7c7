"""Input packets with changed bytes: sound events, or one kind of exception."""

import json
import math
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.input_packets import InputDecoder, InputError

VECTORS = json.loads((Path(__file__).parents[1] / "wire" / "vectors" / "gamestream.json").read_text())
SEEDS = [bytes.fromhex(packet["payload"]) for packet in VECTORS["input_captured"]["packets"]]


def floats(event):
    for name in event.__struct_fields__:
        value = getattr(event, name)
        yield from (item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, float))


def check(event):
    assert all(math.isfinite(value) for value in floats(event))
    assert all(0.0 <= getattr(event, name) <= 1.0 for name in ("x", "y", "pressure") if hasattr(event, name))
    assert 0 <= getattr(event, "pad", 0) < 16


def test_changed_packets():
    dice = random.Random(4)
    decoder = InputDecoder()
    decoded = 0
    for _ in range(40_000):
        payload = bytearray(dice.choice(SEEDS))
        for _ in range(dice.randint(0, 5)):
            payload[dice.randrange(8, len(payload))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        if dice.random() < 0.1:
            del payload[dice.randrange(len(payload)) :]
        try:
            events = decoder.decode(bytes(payload))
        except InputError:
            continue
        decoded += 1
        for event in events:
            check(event)
    assert decoded > 10_000


@given(st.sampled_from([seed[4:8] for seed in SEEDS]), st.binary(max_size=64))
def test_any_body(magic, body):
    decoder = InputDecoder()
    try:
        events = decoder.decode((4 + len(body)).to_bytes(4, "big") + magic + body)
    except InputError:
        return
    for event in events:
        check(event)
