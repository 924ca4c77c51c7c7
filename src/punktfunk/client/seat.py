"""What a person does at a window, as input of the session: held keys, pointer modes, shortcuts. Knows no toolkit."""

from __future__ import annotations

import enum

from punktfunk.client.inputs import NOTCH, InputSender
from punktfunk.client.keys import HID_USAGE_TO_VIRTUAL_KEY

_CTRL, _SHIFT, _ALT = {224, 228}, {225, 229}, {226, 230}


class Shortcut(enum.Enum):
    """What Ctrl+Alt+Shift with a letter does on this side; the letter by its HID usage."""

    QUIT = 20
    FULLSCREEN = 9
    GRAB = 29
    STATISTICS = 22


_SHORTCUTS = {shortcut.value: shortcut for shortcut in Shortcut}


class Seat:
    """One keyboard and one pointer. Motion is gathered and sent by ``flush``, so that a fast mouse costs one datagram
    a turn of the loop."""

    def __init__(self, sender: InputSender) -> None:
        self.relative = False
        """Whether motion is sent as such, for games that grab the pointer; else as positions."""
        self._sender = sender
        self._down: set[int] = set()
        self._keys: set[int] = set()
        self._buttons: set[int] = set()
        self._dx = self._dy = 0
        self._place: tuple[int, int, int, int] | None = None
        self._last_place: tuple[int, int, int, int] | None = None
        self._wheel = [0.0, 0.0]

    def key(self, usage: int, pressed: bool) -> Shortcut | None:
        """A key by its HID usage; a shortcut is returned instead of sent. Repeats are left to the host."""
        (self._down.add if pressed else self._down.discard)(usage)
        if pressed and usage in _SHORTCUTS and all(self._down & group for group in (_CTRL, _SHIFT, _ALT)):
            # The host must not see the rest of it; the modifiers stay down here, for the next shortcut.
            self._let_go()
            return _SHORTCUTS[usage]
        code = HID_USAGE_TO_VIRTUAL_KEY.get(usage)
        if code is not None and (usage in self._keys) != pressed:
            self._keys.symmetric_difference_update({usage})
            self._sender.key(code, pressed)
        return None

    def motion(self, dx: int, dy: int, x: int, y: int, width: int, height: int) -> None:
        """The pointer moved, to a position in a picture of this size."""
        self._dx, self._dy = self._dx + dx, self._dy + dy
        self._place = self._last_place = min(max(x, 0), width - 1), min(max(y, 0), height - 1), width, height

    def button(self, number: int, pressed: bool) -> None:
        """A mouse button, 1 left, 2 middle, 3 right, 4 back, 5 forward."""
        if 1 <= number <= 5 and (number in self._buttons) != pressed:
            # Datagrams get lost, and a click must not land where the pointer was before.
            if not self.relative and pressed and self._place is None:
                self._place = self._last_place
            self.flush()
            self._buttons.symmetric_difference_update({number})
            self._sender.button(number, pressed)

    def wheel(self, horizontal: float, vertical: float) -> None:
        """Notches, right and up positive; parts of a notch add up."""
        self._wheel[0] += NOTCH * horizontal
        self._wheel[1] += NOTCH * vertical

    def flush(self) -> None:
        """Send what was gathered."""
        if self.relative and (self._dx or self._dy):
            self._sender.move(self._dx, self._dy)
        elif not self.relative and self._place is not None:
            self._sender.move_to(*self._place)
        self._dx = self._dy = 0
        self._place = None
        horizontal, vertical = int(self._wheel[0]), int(self._wheel[1])
        if horizontal or vertical:
            self._sender.scroll(vertical=vertical, horizontal=horizontal)
            self._wheel = [self._wheel[0] - horizontal, self._wheel[1] - vertical]

    def release(self) -> None:
        """Let go of everything that is held: the window lost the keyboard, or the session ends."""
        self._down.clear()
        self._let_go()

    def _let_go(self) -> None:
        for usage in sorted(self._keys):
            self._sender.key(HID_USAGE_TO_VIRTUAL_KEY[usage], False)
        for number in sorted(self._buttons):
            self._sender.button(number, False)
        self._keys.clear()
        self._buttons.clear()
