"""KWin's fake input (org_kde_kwin_fake_input, versions 4 to 6): what is sent is what a device would have done.

Positions are logical pixels of the whole desktop. KWin hears nobody before `authenticate`, and shows no dialog.
"""

from __future__ import annotations

from punktfunk.media.wayland.client import WaylandClient
from punktfunk.media.wayland.wire import WaylandError, fixed, string, uint

INTERFACE = "org_kde_kwin_fake_input"
NEWEST_VERSION = 6
KEYS_SINCE, KEYSYMS_SINCE = 4, 6
VERTICAL, HORIZONTAL = 0, 1
UNITS_PER_NOTCH = 10.0
"""KWin passes the value on as it is, without steps; 10 are a notch to toolkits and Xwayland."""

_AUTHENTICATE, _MOTION, _BUTTON, _AXIS = 0, 1, 2, 3
_TOUCH_DOWN, _TOUCH_MOTION, _TOUCH_UP, _TOUCH_CANCEL, _TOUCH_FRAME = 4, 5, 6, 7, 8
_MOTION_ABSOLUTE, _KEY, _KEYSYM = 9, 10, 12


class FakeInput:
    """Requests for one bound object; they are queued in the client. Raises WaylandError when KWin offers none."""

    def __init__(self, client: WaylandClient, application: str, reason: str) -> None:
        found = client.find(INTERFACE)
        if found is None:
            raise WaylandError(f"KWin does not offer {INTERFACE} to this program")
        if found.version < KEYS_SINCE:
            raise WaylandError(f"KWin offers version {found.version} of {INTERFACE}; keys need {KEYS_SINCE}")
        self.version = found.version
        self._client = client
        self._number = client.bind(found, min(found.version, NEWEST_VERSION))
        self._send(_AUTHENTICATE, string(application), string(reason))

    def move_to(self, x: float, y: float) -> None:
        """The pointer's place."""
        self._send(_MOTION_ABSOLUTE, fixed(x), fixed(y))

    def move_by(self, dx: float, dy: float) -> None:
        """The pointer's way."""
        self._send(_MOTION, fixed(dx), fixed(dy))

    def button(self, code: int, pressed: bool) -> None:
        """A mouse button by its evdev code."""
        self._send(_BUTTON, uint(code), uint(pressed))

    def axis(self, axis: int, notches: float) -> None:
        """A wheel's way, right or down positive."""
        self._send(_AXIS, uint(axis), fixed(notches * UNITS_PER_NOTCH))

    def key(self, code: int, pressed: bool) -> None:
        """A key by its evdev code."""
        self._send(_KEY, uint(code), uint(pressed))

    def keysym(self, symbol: int, pressed: bool) -> None:
        """What a key means (X11's keysym), whatever the layout has; with version `KEYSYMS_SINCE`."""
        self._send(_KEYSYM, uint(symbol), uint(pressed))

    def touch_down(self, finger: int, x: float, y: float) -> None:
        """A finger lands."""
        self._send(_TOUCH_DOWN, uint(finger), fixed(x), fixed(y))
        self._send(_TOUCH_FRAME)

    def touch_move(self, finger: int, x: float, y: float) -> None:
        """A finger moves."""
        self._send(_TOUCH_MOTION, uint(finger), fixed(x), fixed(y))
        self._send(_TOUCH_FRAME)

    def touch_up(self, finger: int) -> None:
        """A finger lifts."""
        self._send(_TOUCH_UP, uint(finger))
        self._send(_TOUCH_FRAME)

    def touch_cancel(self) -> None:
        """All fingers are gone, and what they were about is not done."""
        self._send(_TOUCH_CANCEL)

    def _send(self, opcode: int, *arguments: bytes) -> None:
        self._client.send(self._number, opcode, *arguments)
