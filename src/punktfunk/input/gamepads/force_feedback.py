"""Force feedback as the kernel describes it, mixed into two motor levels. No clock inside: ``now`` is in seconds.

Effects have a length, a delay before it, a number of repetitions and an envelope; several play at once and add up.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_EFFECTS = 16
MAX_LEVEL = 0xFFFF
ENVELOPE_STEP_S = 0.05

FF_RUMBLE, FF_PERIODIC, FF_CONSTANT = 0x50, 0x51, 0x52
FF_SQUARE, FF_TRIANGLE, FF_SINE = 0x58, 0x59, 0x5A
FF_GAIN = 0x60

_HEAD = struct.Struct("<HhHHHHH")
_BODY_OFFSET = 16
_RUMBLE = struct.Struct("<HH")
_PERIODIC = struct.Struct("<HHhhH4H")
_CONSTANT = struct.Struct("<h4H")


class MalformedEffect(Exception):
    """An effect that cannot be played; the message names what is wrong."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """How an effect swells and fades, as fractions of the motor's range; lengths in seconds."""

    attack_s: float = 0.0
    attack_level: float = 0.0
    fade_s: float = 0.0
    fade_level: float = 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """One uploaded effect. ``low`` and ``high`` are 0..1; ``length_s`` 0 plays until it is stopped."""

    id: int
    low: float
    high: float
    length_s: float
    delay_s: float
    envelope: Envelope = Envelope()


def parse_effect(data: bytes) -> Effect:
    """A ``struct ff_effect`` (linux/input.h).

    A periodic or a constant effect drives both motors: what a real pad's driver makes of it. Raises MalformedEffect.
    """
    if len(data) < _BODY_OFFSET + _PERIODIC.size:
        raise MalformedEffect(f"{len(data)} bytes are no effect")
    kind, effect_id, _direction, _button, _interval, length_ms, delay_ms = _HEAD.unpack_from(data)
    if not 0 <= effect_id < MAX_EFFECTS:
        raise MalformedEffect(f"effect id {effect_id}")
    if kind == FF_RUMBLE:
        strong, weak = _RUMBLE.unpack_from(data, _BODY_OFFSET)
        return Effect(effect_id, strong / MAX_LEVEL, weak / MAX_LEVEL, length_ms / 1000, delay_ms / 1000)
    if kind == FF_PERIODIC:
        _wave, _period, level, _offset, _phase, *envelope = _PERIODIC.unpack_from(data, _BODY_OFFSET)
    elif kind == FF_CONSTANT:
        level, *envelope = _CONSTANT.unpack_from(data, _BODY_OFFSET)
    else:
        raise MalformedEffect(f"effect type {kind:#x}")
    level = min(abs(level) / 0x7FFF, 1.0)
    return Effect(effect_id, level, level, length_ms / 1000, delay_ms / 1000, _envelope(*envelope))


def _envelope(attack_ms: int, attack_level: int, fade_ms: int, fade_level: int) -> Envelope:
    attack, fade = (min(level / 0x7FFF, 1.0) for level in (attack_level, fade_level))
    return Envelope(attack_ms / 1000, attack, fade_ms / 1000, fade)


@dataclass(slots=True)
class _Playing:
    started: float
    count: int


class Mixer:
    """The effects of one pad. Not safe to share between threads."""

    def __init__(self) -> None:
        self._effects: dict[int, Effect] = {}
        self._playing: dict[int, _Playing] = {}
        self._gain = 1.0
        self._changes_at: float | None = None

    def upload(self, effect: Effect, now: float) -> None:
        """Add or replace an effect; one that still plays starts over with its new shape."""
        playing = self._playing.get(effect.id)
        if playing is not None and _ended(self._effects[effect.id], playing, now):
            del self._playing[effect.id]
        elif playing is not None:
            playing.started = now
        self._effects[effect.id] = effect

    def erase(self, effect_id: int) -> None:
        """Forget an effect; it falls silent."""
        self._effects.pop(effect_id, None)
        self._playing.pop(effect_id, None)

    def play(self, effect_id: int, count: int, now: float) -> None:
        """Play an effect ``count`` times from now; 0 stops it. Unknown ids are ignored."""
        if count > 0 and effect_id in self._effects:
            self._playing[effect_id] = _Playing(now, count)
        else:
            self._playing.pop(effect_id, None)

    def set_gain(self, gain: int) -> None:
        """Strength of everything, 0..65535."""
        self._gain = min(max(gain, 0), MAX_LEVEL) / MAX_LEVEL

    def levels(self, now: float) -> tuple[int, int]:
        """The low- and the high-frequency motor, 0..65535. Effects that ended are dropped."""
        for effect_id in [each for each, it in self._playing.items() if _ended(self._effects[each], it, now)]:
            del self._playing[effect_id]
        low = high = 0.0
        changes: list[float] = []
        for effect_id, playing in self._playing.items():
            effect = self._effects[effect_id]
            strength = _strength(effect, playing, now)
            low += strength * effect.low
            high += strength * effect.high
            if (change := _next_change(effect, playing, now)) is not None:
                changes.append(change)
        self._changes_at = min(changes, default=None)
        scale = self._gain * MAX_LEVEL
        return min(round(low * scale), MAX_LEVEL), min(round(high * scale), MAX_LEVEL)

    def changes_at(self) -> float | None:
        """When the levels will next differ by themselves from those that `levels` gave last; None for never."""
        return self._changes_at


def _cycle(effect: Effect, playing: _Playing, now: float) -> tuple[int, float]:
    """Repetition number and the time since its start; an endless effect is one long repetition."""
    elapsed = max(now - playing.started, 0.0)
    if effect.length_s == 0:
        return 0, elapsed
    number, position = divmod(elapsed, effect.delay_s + effect.length_s)
    return int(number), position


def _ended(effect: Effect, playing: _Playing, now: float) -> bool:
    return _cycle(effect, playing, now)[0] >= playing.count


def _strength(effect: Effect, playing: _Playing, now: float) -> float:
    position = _cycle(effect, playing, now)[1] - effect.delay_s
    if position < 0:
        return 0.0
    envelope, peak = effect.envelope, max(effect.low, effect.high)
    if peak == 0:
        return 0.0
    if position < envelope.attack_s:
        return _between(envelope.attack_level / peak, 1.0, position / envelope.attack_s)
    left = effect.length_s - position
    if effect.length_s and left < envelope.fade_s:
        return _between(envelope.fade_level / peak, 1.0, left / envelope.fade_s)
    return 1.0


def _between(start: float, end: float, fraction: float) -> float:
    return start + (end - start) * fraction


def _next_change(effect: Effect, playing: _Playing, now: float) -> float | None:
    number, position = _cycle(effect, playing, now)
    cycle_start = playing.started + number * (effect.delay_s + effect.length_s)
    if position < effect.delay_s:
        return cycle_start + effect.delay_s
    inside = position - effect.delay_s
    end = cycle_start + effect.delay_s + effect.length_s
    fade_start = end - effect.envelope.fade_s
    if inside < effect.envelope.attack_s:
        return now + ENVELOPE_STEP_S
    if effect.length_s == 0:
        return None
    if effect.envelope.fade_s and now < fade_start:
        return fade_start
    return min(end, now + ENVELOPE_STEP_S) if effect.envelope.fade_s else end
