"""Effects of any bytes, played in any order at any time: levels stay levels, and every mixer falls silent."""

from __future__ import annotations

import contextlib
import random
import struct

from punktfunk.input.gamepads.force_feedback import MAX_EFFECTS, MAX_LEVEL, MalformedEffect, Mixer, parse_effect

RUNS = 300
STEPS = 60


def random_effect(chance: random.Random) -> bytes:
    kind = chance.choice((0x50, 0x51, 0x52, chance.randrange(65536)))
    head = struct.pack(
        "<HhHHHHHxx",
        kind,
        chance.choice((chance.randrange(MAX_EFFECTS), chance.randrange(-3, 20))),
        *(chance.randrange(65536) for _ in range(3)),
        chance.choice((0, 1, 50, chance.randrange(65536))),
        chance.choice((0, 0, 50, chance.randrange(65536))),
    )
    data = head + chance.randbytes(32)
    return data[: chance.choice((48, 48, 48, chance.randrange(49)))]


def test_any_effects_at_any_time() -> None:
    for run in range(RUNS):
        chance, mixer, now = random.Random(run), Mixer(), 0.0
        for _ in range(STEPS):
            now += chance.choice((0.0, 0.001, chance.random(), 100.0))
            match chance.randrange(5):
                case 0 | 1:
                    with contextlib.suppress(MalformedEffect):
                        mixer.upload(parse_effect(random_effect(chance)), now)
                case 2:
                    mixer.play(chance.randrange(-2, 20), chance.choice((0, 1, 3, 2**31 - 1, -1)), now)
                case 3:
                    mixer.erase(chance.randrange(-2, 20))
                case 4:
                    mixer.set_gain(chance.randrange(-10, 70000))
            low, high = mixer.levels(now)
            assert 0 <= low <= MAX_LEVEL
            assert 0 <= high <= MAX_LEVEL
            change = mixer.changes_at()
            assert change is None or change >= now - 1e-6
        for effect_id in range(MAX_EFFECTS):
            mixer.play(effect_id, 0, now)
        assert mixer.levels(now) == (0, 0)
        assert mixer.changes_at() is None
