"""The seat of a KWin desktop, through its fake input: keys, mouse, wheels and real touch."""

from __future__ import annotations

import logging
from collections.abc import Callable

from punktfunk.media.displays.kwin.fake_input import HORIZONTAL, KEYSYMS_SINCE, VERTICAL, FakeInput
from punktfunk.media.displays.kwin.held import TOUCH, HeldMemory
from punktfunk.media.displays.overlay_keymap import keysym
from punktfunk.media.video_source import SourceLost
from punktfunk.media.wayland.connection import WaylandConnection
from punktfunk.media.wayland.keymap import SeatKeymap
from punktfunk.media.wayland.outputs import Output, Outputs
from punktfunk.media.wayland.wire import WaylandError

APPLICATION = "punktfunk-host"
REASON = "Keyboard, mouse and touch of the people that you stream to"
PERMISSION_FIX = (
    "run `punktfunk-host setup desktop` as the user of the desktop, or set KWIN_WAYLAND_NO_PERMISSION_CHECKS=1 for KWin"
)

ENTER_TIMEOUT_S = 1.0
LETS_GO_SINCE = 5
"""With this version of fake input came releasing what a program held that is gone."""
BUTTONS = range(0x100, 0x160)

log = logging.getLogger(__name__)


class KwinSeat:
    """What is typed and pointed at on the output ``names`` of a desktop; pictures of it have the size of `resized`.

    Nothing waits: while KWin does not read, motion is dropped and the rest is kept within bounds. Raises SourceLost
    once the connection is lost: whoever replaces this process has a fresh one.
    """

    def __init__(self, connection: WaylandConnection, names: tuple[str, ...], memory: HeldMemory | None = None) -> None:
        self._connection = connection
        self._memory = memory
        self._outputs = Outputs(connection.client)
        self._keymap = SeatKeymap(connection.client)
        connection.roundtrip()
        self._input = FakeInput(connection.client, APPLICATION, REASON)
        # The second round brings what was bound in the first, the third the keymap of a keyboard that came with us.
        connection.roundtrip()
        connection.roundtrip()
        self._names = names
        self._size = (1, 1)
        self._let_go_of_what_was_left()

    @classmethod
    def open(cls, path: str, names: tuple[str, ...], memory: HeldMemory | None = None) -> KwinSeat:
        """Of the compositor at a socket; what ``memory`` says that a predecessor left down is released where KWin did
        not do so. Raises WaylandError."""
        connection = WaylandConnection(path)
        try:
            return cls(connection, names, memory)
        except WaylandError:
            connection.close()
            raise

    @property
    def version(self) -> int:
        """Of fake input, as KWin offers it."""
        return self._input.version

    def outputs(self) -> list[Output]:
        """The desktop's outputs."""
        self._do(lambda: None)
        return self._outputs.all()

    def enter(self, timeout_s: float = ENTER_TIMEOUT_S) -> None:
        """Wait for the streamed output, and put the pointer into its middle: new windows open there."""
        try:
            found = self._connection.wait(lambda: self._output() is not None, timeout_s)
        except WaylandError as error:
            raise SourceLost(f"KWin takes no more keys, mouse and touch: {error}") from error
        if not found:
            log.warning("KWin announces no output called %s: places cannot be pointed at", " or ".join(self._names))
        width, height = self._size
        self.move_to(width / 2, height / 2)

    def keymap(self) -> str:
        """What the desktop's keyboard is, as an XKB keymap; "" while it has none."""
        self._do(lambda: None)
        return self._keymap.text

    def resized(self, width: int, height: int) -> None:
        """The picture has this size now."""
        self._size = (width, height)

    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self._size

    def key(self, code: int, pressed: bool) -> None:
        """Press or release the key of an evdev code."""
        self._note(code, pressed)
        self._do(lambda: self._input.key(code, pressed))

    def character(self, character: str) -> bool:
        """Type a character that the layout need not have; False where KWin cannot do that."""
        if self.version < KEYSYMS_SINCE:
            return False
        symbol = keysym(character)
        if symbol is not None:
            for pressed in (True, False):
                self._do(lambda pressed=pressed: self._input.keysym(symbol, pressed))  # type: ignore[misc]
        return True

    def move_to(self, x: float, y: float) -> None:
        """Place the pointer, in pixels of the picture."""
        self._move(lambda: self._at(self._input.move_to, x, y))

    def move_by(self, dx: int, dy: int) -> None:
        """Move the pointer, also where a program has locked it."""
        self._move(lambda: self._input.move_by(dx, dy))

    def button(self, code: int, pressed: bool) -> None:
        """Press or release a mouse button of an evdev code."""
        self._note(code, pressed)
        self._do(lambda: self._input.button(code, pressed))

    def scroll(self, right_notches: float, down_notches: float) -> None:
        """Turn the wheels; fractions of a notch arrive as smooth scrolling."""
        for axis, notches in ((HORIZONTAL, right_notches), (VERTICAL, down_notches)):
            if notches:
                self._move(lambda axis=axis, notches=notches: self._input.axis(axis, notches))  # type: ignore[misc]

    def touch_down(self, finger: int, x: float, y: float) -> None:
        """A finger lands, in pixels of the picture."""
        self._note(TOUCH, True)
        self._do(lambda: self._at(lambda at_x, at_y: self._input.touch_down(finger, at_x, at_y), x, y))

    def touch_move(self, finger: int, x: float, y: float) -> None:
        """A finger moves."""
        self._move(lambda: self._at(lambda at_x, at_y: self._input.touch_move(finger, at_x, at_y), x, y))

    def touch_up(self, finger: int) -> None:
        """A finger lifts."""
        self._do(lambda: self._input.touch_up(finger))

    def touch_cancel(self) -> None:
        """All fingers are gone, and what they were about is not done."""
        self._do(self._input.touch_cancel)

    def close(self) -> None:
        """End the connection. Safe to repeat."""
        self._connection.close()

    def _note(self, code: int, pressed: bool) -> None:
        # Before it happens: a release too many does no harm.
        if self._memory is not None and (pressed or not self._connection.lost):
            self._memory.note(code, pressed)

    def _let_go_of_what_was_left(self) -> None:
        if self._memory is None:
            return
        for code in self._memory.held():
            if self.version < LETS_GO_SINCE:
                if code == TOUCH:
                    self.touch_cancel()
                else:
                    (self.button if code in BUTTONS else self.key)(code, False)
            self._memory.note(code, False)

    def _move(self, send: Callable[[], None]) -> None:
        if not self._connection.stalled:
            self._do(send)

    def _do(self, send: Callable[[], None]) -> None:
        """Hear what KWin has to say, then queue and send."""
        connection = self._connection
        with connection.lock:
            try:
                connection.pump()
                send()
                connection.flush()
            except WaylandError as error:
                raise SourceLost(f"KWin takes no more keys, mouse and touch: {error}") from error

    def _at(self, send: Callable[[float, float], None], x: float, y: float) -> None:
        output = self._output()
        if output is not None:
            width, height = self._size
            send(output.x + x * output.width / width, output.y + y * output.height / height)

    def _output(self) -> Output | None:
        return self._outputs.named(*self._names) if self._names else next(iter(self._outputs.all()), None)
