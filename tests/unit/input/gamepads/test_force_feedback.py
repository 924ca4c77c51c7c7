"""Effects in, two motor levels out, at times given by the test."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.input.gamepads.force_feedback import (
    FF_CONSTANT,
    FF_PERIODIC,
    FF_RUMBLE,
    FF_SINE,
    MAX_EFFECTS,
    MAX_LEVEL,
    Effect,
    Envelope,
    MalformedEffect,
    Mixer,
    parse_effect,
)

HALF = 0x8000


def raw_effect(kind: int, body: bytes, effect_id: int = 0, length_ms: int = 100, delay_ms: int = 0) -> bytes:
    head = struct.pack("<HhHHHHHxx", kind, effect_id, 0, 0, 0, length_ms, delay_ms)
    return (head + body).ljust(48, b"\0")


def rumble(low: float = 1.0, high: float = 0.0, length: float = 0.1, delay: float = 0.0, number: int = 0) -> Effect:
    return Effect(number, low, high, length, delay)


def test_a_rumble_effect_is_two_motors() -> None:
    effect = parse_effect(raw_effect(FF_RUMBLE, struct.pack("<HH", 0xFFFF, 0), 3, 250, 50))
    assert effect == Effect(3, 1.0, 0.0, 0.25, 0.05)


def test_a_periodic_effect_drives_both_motors_with_its_envelope() -> None:
    body = struct.pack("<HHhhH4H", FF_SINE, 20, -0x7FFF, 0, 0, 10, 0, 20, 0x7FFF)
    assert parse_effect(raw_effect(FF_PERIODIC, body)) == Effect(0, 1.0, 1.0, 0.1, 0.0, Envelope(0.01, 0.0, 0.02, 1.0))


def test_a_constant_effect_drives_both_motors() -> None:
    assert parse_effect(raw_effect(FF_CONSTANT, struct.pack("<h4H", 0x7FFF, 0, 0, 0, 0))).low == 1.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(20),
        raw_effect(0x53, b""),
        raw_effect(FF_RUMBLE, b"", effect_id=-1),
        raw_effect(FF_RUMBLE, b"", effect_id=MAX_EFFECTS),
    ],
)
def test_what_cannot_be_played_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedEffect):
        parse_effect(data)


def test_an_effect_lasts_as_long_as_it_says() -> None:
    mixer = Mixer()
    mixer.upload(rumble(0.5, 1.0), 0.0)
    assert mixer.levels(0.0) == (0, 0)
    mixer.play(0, 1, 10.0)
    assert mixer.levels(10.0) == (HALF, MAX_LEVEL)
    assert mixer.changes_at() == 10.1
    assert mixer.levels(10.2) == (0, 0)
    assert mixer.changes_at() is None


def test_a_delay_comes_before_every_repetition() -> None:
    mixer = Mixer()
    mixer.upload(rumble(length=1.0, delay=0.5), 0.0)
    mixer.play(0, 2, 0.0)
    seen = [mixer.levels(time)[0] > 0 for time in (0.0, 0.4, 0.6, 1.4, 1.6, 2.1, 2.9, 3.1)]
    assert seen == [False, False, True, True, False, True, True, False]


def test_an_effect_without_length_plays_until_it_is_stopped() -> None:
    mixer = Mixer()
    mixer.upload(rumble(length=0.0), 0.0)
    mixer.play(0, 1, 0.0)
    assert mixer.levels(1e6) == (MAX_LEVEL, 0)
    assert mixer.changes_at() is None
    mixer.play(0, 0, 1e6)
    assert mixer.levels(1e6) == (0, 0)


def test_effects_add_up_to_the_motors_limit_and_gain_scales_them() -> None:
    mixer = Mixer()
    mixer.upload(rumble(0.25, 0.75, number=0), 0.0)
    mixer.upload(rumble(0.25, 0.75, number=1), 0.0)
    mixer.play(0, 1, 0.0)
    mixer.play(1, 1, 0.0)
    assert mixer.levels(0.0) == (HALF, MAX_LEVEL)
    mixer.set_gain(0x8000)
    assert mixer.levels(0.0)[0] == pytest.approx(HALF / 2, abs=1)
    mixer.set_gain(-5)
    assert mixer.levels(0.0) == (0, 0)


def test_an_envelope_swells_and_fades() -> None:
    mixer = Mixer()
    mixer.upload(Effect(0, 1.0, 1.0, 1.0, 0.0, Envelope(0.2, 0.0, 0.2, 0.0)), 0.0)
    mixer.play(0, 1, 0.0)
    levels = [mixer.levels(time)[0] / MAX_LEVEL for time in (0.0, 0.1, 0.2, 0.8, 0.9)]
    assert levels == pytest.approx([0.0, 0.5, 1.0, 1.0, 0.5], abs=0.01)


def test_a_new_shape_starts_over() -> None:
    mixer = Mixer()
    mixer.upload(rumble(), 0.0)
    mixer.play(0, 1, 0.0)
    mixer.upload(rumble(0.5), 0.09)
    assert mixer.levels(0.15) == (HALF, 0)


def test_a_new_shape_does_not_start_what_has_ended() -> None:
    mixer = Mixer()
    mixer.upload(rumble(), 0.0)
    mixer.play(0, 1, 0.0)
    mixer.upload(rumble(0.5), 0.2)
    assert mixer.levels(0.25) == (0, 0)


def test_erased_and_unknown_effects_are_silent() -> None:
    mixer = Mixer()
    mixer.upload(rumble(), 0.0)
    mixer.play(0, 1, 0.0)
    mixer.erase(0)
    mixer.play(0, 1, 0.0)
    mixer.play(7, 1, 0.0)
    mixer.erase(9)
    assert mixer.levels(0.0) == (0, 0)


MS = 1000
uploads = st.tuples(
    st.just("upload"),
    st.integers(0, 3),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 400),
    st.integers(0, 50),
)
orders = st.one_of(
    uploads,
    st.tuples(st.just("play"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("erase"), st.integers(0, 3)),
    st.tuples(st.just("gain"), st.integers(0, 0xFFFF)),
    st.tuples(st.just("wait"), st.integers(0, 300)),
)


class Reference:
    """What rumble effects do, counted millisecond by millisecond: the slow and plain way."""

    def __init__(self) -> None:
        self.effects: dict[int, tuple[int, int, int, int]] = {}
        self.playing: dict[int, tuple[int, int]] = {}
        self.gain = 0xFFFF

    def upload(self, number: int, effect: tuple[int, int, int, int], now: int) -> None:
        if number in self.playing and self.has_ended(number, now):
            del self.playing[number]
        elif number in self.playing:
            self.playing[number] = (now, self.playing[number][1])
        self.effects[number] = effect

    def has_ended(self, number: int, now: int) -> bool:
        start, count = self.playing[number]
        _, _, length, delay = self.effects[number]
        return bool(length) and now - start >= count * (length + delay)

    def levels(self, now: int) -> tuple[float, float]:
        low = high = 0
        for number, (start, _) in self.playing.items():
            strong, weak, length, delay = self.effects[number]
            if self.has_ended(number, now):
                continue
            since = (now - start) % (length + delay) if length else now - start
            if since >= delay:
                low, high = low + strong, high + weak
        scale = self.gain / 0xFFFF
        return min(low * scale, 0xFFFF), min(high * scale, 0xFFFF)


@settings(max_examples=150, deadline=None)
@given(st.lists(orders, max_size=25))
def test_several_effects_with_lengths_delays_and_gain(orders: list[tuple[object, ...]]) -> None:
    mixer, reference, now = Mixer(), Reference(), 0
    for order in orders:
        match order:
            case ("upload", int(number), int(strong), int(weak), int(length), int(delay)):
                raw = raw_effect(FF_RUMBLE, struct.pack("<HH", strong, weak), number, length, delay)
                mixer.upload(parse_effect(raw), now / MS)
                reference.upload(number, (strong, weak, length, delay), now)
            case ("play", int(number), int(count)):
                mixer.play(number, count, now / MS)
                reference.playing.pop(number, None)
                if count and number in reference.effects:
                    reference.playing[number] = (now, count)
            case ("erase", int(number)):
                mixer.erase(number)
                reference.effects.pop(number, None)
                reference.playing.pop(number, None)
            case ("gain", int(gain)):
                mixer.set_gain(gain)
                reference.gain = gain
            case ("wait", int(pause)):
                _same_until(mixer, reference, now, now + pause)
                now += pause
    _same_until(mixer, reference, now, now + 5)


def _same_until(mixer: Mixer, reference: Reference, now: int, then: int) -> None:
    """The mixer agrees, asked only when it says that something changes by itself: no change may be missed."""
    told: tuple[int, int] | None = None
    for moment in range(now, then):
        due = mixer.changes_at()
        # In the middle of a millisecond, where rounding of its borders does not matter.
        middle = (moment + 0.5) / MS
        if told is None or (due is not None and due <= middle):
            told = mixer.levels(middle)
        assert told == pytest.approx(reference.levels(moment), abs=1.0)
