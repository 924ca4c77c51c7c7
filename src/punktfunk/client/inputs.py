"""Everything a person does, as datagrams in the protocol's terms (punktfunk1.md §7). Sans-IO: bytes go to ``send``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from punktfunk.client.pad_board import PadBoard, PadState
from punktfunk.input.text import is_text
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, encode_input
from punktfunk.wire.punktfunk1.rich_input import PEN_IN_RANGE, PenBatch, PenSample, RichInput, encode_rich_input

NOTCH = 120
PEN_REFRESH_S = 0.1
MAX_TEXT_CHARACTERS = 4096
"""Of one call; more would be a flood, and belongs on the clipboard."""
_MAX_SIDE = 0xFFFF


@dataclass(slots=True)
class InputStatistics:
    """Counters since the start."""

    events: int = 0


class InputSender:
    """Input of one session. What a host cannot take (text, pads as snapshots, pens) raises ``ValueError`` or falls
    back to what it can, as each method says."""

    def __init__(self, send: Callable[[bytes], None], host_caps: HostCaps) -> None:
        self.statistics = InputStatistics()
        self._send_bytes = send
        self._caps = host_caps
        self._pads = PadBoard(snapshots=HostCaps.GAMEPAD_STATE in host_caps)
        self._pen_seq = 0
        self._pen_sample: PenSample | None = None
        self._pen_due = 0.0

    def key(self, virtual_key: int, pressed: bool) -> None:
        """A physical key by its Windows virtual-key code on a US layout (§7.2)."""
        if not 0 < virtual_key < 256:
            raise ValueError(f"virtual key {virtual_key} is outside 1..255")
        self._event(InputEvent(InputKind.KEY_DOWN if pressed else InputKind.KEY_UP, virtual_key))

    def text(self, text: str) -> None:
        """Text as text, whatever the keyboard layout; control characters are left out. Raises ``ValueError`` toward a
        host without that, and for more than ``MAX_TEXT_CHARACTERS``."""
        if HostCaps.TEXT_INPUT not in self._caps:
            raise ValueError("this host takes no text")
        if len(text) > MAX_TEXT_CHARACTERS:
            raise ValueError(f"{len(text)} characters, at most {MAX_TEXT_CHARACTERS} at a time")
        for character in text:
            if is_text(character):
                self._event(InputEvent(InputKind.TEXT_INPUT, ord(character)))

    def move(self, dx: int, dy: int) -> None:
        """Relative motion of the pointer."""
        self._event(InputEvent(InputKind.MOUSE_MOVE, 0, dx, dy))

    def move_to(self, x: int, y: int, width: int, height: int) -> None:
        """The pointer to a position on a surface of this size."""
        self._event(InputEvent(InputKind.MOUSE_MOVE_ABS, 0, x, y, _surface(width, height)))

    def button(self, number: int, pressed: bool) -> None:
        """Mouse button 1 left, 2 middle, 3 right, 4 back, 5 forward."""
        kind = InputKind.MOUSE_BUTTON_DOWN if pressed else InputKind.MOUSE_BUTTON_UP
        self._event(InputEvent(kind, number))

    def scroll(self, vertical: int = 0, horizontal: int = 0) -> None:
        """Wheel motion, ``NOTCH`` units a notch; up and right positive."""
        for axis, delta in enumerate((vertical, horizontal)):
            if delta:
                self._event(InputEvent(InputKind.MOUSE_SCROLL, axis, delta))

    def touch(self, finger: int, x: int, y: int, width: int, height: int, *, began: bool) -> None:
        """A finger came down (``began``) or moved on a surface of this size."""
        kind = InputKind.TOUCH_DOWN if began else InputKind.TOUCH_MOVE
        self._event(InputEvent(kind, finger, x, y, _surface(width, height)))

    def touch_up(self, finger: int) -> None:
        """A finger left the surface."""
        self._event(InputEvent(InputKind.TOUCH_UP, finger))

    def pad_arrived(self, pad: int, kind: Gamepad, now: float, *, haptics: bool = False, speaker: bool = False) -> None:
        """A controller was plugged in; ``haptics`` and ``speaker``: its audio can be played."""
        self._events(self._pads.arrive(pad, kind, now, haptics=haptics, speaker=speaker))

    def pad(self, pad: int, state: PadState, now: float) -> None:
        """A controller's whole state; toward old hosts as single buttons and axes."""
        self._events(self._pads.change(pad, state, now))

    def pad_removed(self, pad: int, now: float) -> None:
        """A controller was unplugged."""
        self._events(self._pads.remove(pad, now))

    def rich(self, value: RichInput) -> None:
        """Touchpads, motion and raw reports of controllers."""
        self._send_bytes(encode_rich_input(value))
        self.statistics.events += 1

    def pen(self, samples: tuple[PenSample, ...], now: float) -> None:
        """Pen samples, oldest first, eight at most; the last one is repeated while the pen is in range. Raises
        ``ValueError`` toward a host without pens."""
        if HostCaps.PEN not in self._caps:
            raise ValueError("this host takes no pen")
        self.rich(PenBatch(self._pen_seq, samples))
        self._pen_seq = (self._pen_seq + 1) & 0xFFFF
        last = samples[-1]
        self._pen_sample = replace(last, dt_us=0) if last.state & PEN_IN_RANGE else None
        self._pen_due = now + PEN_REFRESH_S

    def poll(self, now: float) -> None:
        """Send what is repeated while it lasts: pads and pens."""
        self._events(self._pads.poll(now))
        if self._pen_sample is not None and now >= self._pen_due:
            self.pen((self._pen_sample,), now)

    def next_deadline(self) -> float | None:
        """When ``poll`` has something to do."""
        due = [self._pads.next_deadline(), self._pen_due if self._pen_sample is not None else None]
        return min((at for at in due if at is not None), default=None)

    def _events(self, events: list[InputEvent]) -> None:
        for event in events:
            self._event(event)

    def _event(self, event: InputEvent) -> None:
        self._send_bytes(encode_input(event))
        self.statistics.events += 1


def _surface(width: int, height: int) -> int:
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise ValueError(f"a surface of {width}x{height} cannot be stated")
    return width << 16 | height
