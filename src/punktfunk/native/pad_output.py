"""What games send to controllers, as datagrams for the client (punktfunk1.md §7.6, §7.7). Sans-IO; times in seconds.

Datagrams get lost: a rumble level is repeated while it lasts and runs out by itself, its end is said three times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from punktfunk.input import events as e
from punktfunk.wire.punktfunk1.pad_feedback import (
    AdaptiveTrigger,
    HidOutput,
    Led,
    PlayerLeds,
    Rumble,
    encode_hid_output,
    encode_rumble,
)

MAX_PADS = 16
TTL_MS = 400
RENEW_S = 0.3 * TTL_MS / 1000
STOP_REPEATS = 2
MAX_REMEMBERED = 8
"""HID outputs of one pad, one for each kind and place."""


@dataclass(frozen=True, slots=True)
class _Level:
    rumble: Rumble
    next_at: float
    repeats: int

    @property
    def silent(self) -> bool:
        r = self.rumble
        return not (r.low or r.high or r.left_trigger or r.right_trigger)


class PadOutput:
    """One connection's; ``take`` and ``poll`` return the datagrams to send now."""

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}
        self._seqs: dict[int, int] = {}
        self._shown: dict[int, dict[tuple[type, int], HidOutput]] = {}

    @property
    def deadline(self) -> float | None:
        """When ``poll`` has something to do."""
        return min((level.next_at for level in self._levels.values()), default=None)

    def take(self, feedback: tuple[e.Feedback, ...], now: float) -> list[bytes]:
        """Feedback of games, in order."""
        datagrams: list[bytes] = []
        for event in feedback:
            if 0 <= event.pad < MAX_PADS:
                datagrams += self._take(event, now)
        return datagrams

    def poll(self, now: float) -> list[bytes]:
        """Renewals that are due."""
        datagrams = []
        for pad, level in list(self._levels.items()):
            if now < level.next_at:
                continue
            datagrams.append(self._send(pad, level.rumble))
            if level.silent and level.repeats <= 1:
                del self._levels[pad]
            else:
                self._levels[pad] = replace(level, next_at=now + RENEW_S, repeats=level.repeats - 1)
        return datagrams

    def forget(self, pad: int) -> None:
        """Another controller may be there now: the next lights and effects are sent even if they are the same."""
        self._shown.pop(pad, None)

    def _take(self, event: e.Feedback, now: float) -> list[bytes]:
        match event:
            case e.Rumbled(pad=pad, low=low, high=high):
                return self._rumble(replace(self._level(pad), low=low, high=high), now)
            case e.TriggersRumbled(pad=pad, left=left, right=right):
                return self._rumble(replace(self._level(pad), left_trigger=left, right_trigger=right), now)
            case e.LightChanged(pad=pad, red=red, green=green, blue=blue):
                return self._show(Led(pad, red, green, blue), 0)
            case e.PlayerLedsChanged(pad=pad, bits=bits):
                return self._show(PlayerLeds(pad, bits & 0x1F), 0)
            case e.TriggerEffect(pad=pad, side=side, mode=mode, parameters=parameters):
                return self._show(AdaptiveTrigger(pad, side, bytes([mode]) + parameters[:10]), side)
            case _:  # clients of this protocol send motion unasked
                return []

    def _level(self, pad: int) -> Rumble:
        level = self._levels.get(pad)
        return level.rumble if level is not None else Rumble(pad, 0, 0)

    def _rumble(self, rumble: Rumble, now: float) -> list[bytes]:
        level = _Level(rumble, now + RENEW_S, STOP_REPEATS)
        if level.silent and rumble.pad not in self._levels:
            return []
        self._levels[rumble.pad] = level
        return [self._send(rumble.pad, rumble)]

    def _send(self, pad: int, rumble: Rumble) -> bytes:
        seq = self._seqs.get(pad, 0)
        self._seqs[pad] = (seq + 1) & 0xFF
        return encode_rumble(replace(rumble, seq=seq, ttl_ms=TTL_MS))

    def _show(self, output: Led | PlayerLeds | AdaptiveTrigger, place: int) -> list[bytes]:
        """HID outputs are sent when they change."""
        shown = self._shown.setdefault(output.pad, {})
        key = type(output), place
        if shown.get(key) == output or (key not in shown and len(shown) >= MAX_REMEMBERED):
            return []
        shown[key] = output
        return [encode_hid_output(output)]
