"""RandR 1.3: what a screen shows, and other modes for outputs that have no monitor."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from punktfunk.media.plan import Mode
from punktfunk.media.x11.atoms import atom
from punktfunk.media.x11.connection import X11Connection, X11Error, request
from punktfunk.media.x11.modeline import Modeline, make_modeline

EXTENSION = "RANDR"
MAX_SCREEN = 32_767
_QUERY_VERSION, _SELECT_INPUT, _GET_SIZE_RANGE, _SET_SCREEN_SIZE = 0, 4, 6, 7
_GET_OUTPUT, _LIST_PROPERTIES = 9, 10
_CREATE_MODE, _DESTROY_MODE, _ADD_MODE, _DELETE_MODE = 16, 17, 18, 19
_GET_CRTC, _SET_CRTC, _GET_RESOURCES, _GET_PRIMARY = 20, 21, 25, 31
_GRAB_SERVER, _UNGRAB_SERVER, _GET_GEOMETRY = 36, 37, 14
_NOTIFY_SCREEN_AND_CRTC = 1 | 2
_CONNECTED, _UPRIGHT = 0, 1
_MM_PER_INCH, _DPI = 25.4, 96
_MONITORS = re.compile(r"(e?DP|HDMI|DVI|VGA|LVDS|DSI|TV|Composite|S-?[Vv]ideo|USB-C)[-_\d]?", re.IGNORECASE)
_XWAYLAND = re.compile(r"XWAYLAND\d+")

_RESOURCES = struct.Struct("<IIHHHH8x")
_OUTPUT = struct.Struct("<IIIIBBHHHHH")
_CRTC = struct.Struct("<IhhHHIHHHH")


@dataclass(frozen=True, slots=True)
class Region:
    """The part of the root window that is streamed; ``whole`` when that is all of it."""

    x: int
    y: int
    width: int
    height: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Output:
    """A connector. ``crtc`` 0: it shows nothing. ``has_monitor``: what it shows, somebody may see on real glass."""

    id: int
    name: str
    crtc: int
    connected: bool
    crtcs: tuple[int, ...]
    modes: tuple[int, ...]
    has_monitor: bool


@dataclass(frozen=True, slots=True)
class Crtc:
    """What reads a part of the screen out to outputs; ``mode`` 0: off."""

    id: int
    x: int
    y: int
    width: int
    height: int
    mode: int
    rotation: int
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Of the screen, in pixels and millimetres."""

    width: int
    height: int
    width_mm: int
    height_mm: int


class RandR:
    """RandR over a connection. Raises X11Error where the server does not have it, or refuses."""

    def __init__(self, x: X11Connection) -> None:
        self._x = x
        extension = x.needed(EXTENSION)
        self._opcode, self.first_event = extension.opcode, extension.first_event
        major, minor = struct.unpack_from("<II", self._call(_QUERY_VERSION, struct.pack("<II", 1, 3)), 8)
        if (major, minor) < (1, 3):
            raise X11Error(f"the X server of {x.display} has RandR {major}.{minor}; 1.3 is needed")
        self.outputs: tuple[Output, ...] = ()
        self.crtcs: dict[int, Crtc] = {}
        self.modes: dict[int, Modeline] = {}
        self._config_time = 0
        self.refresh()

    def refresh(self) -> None:
        """Look again."""
        root = struct.pack("<I", self._x.facts.root)
        reply = self._call(_GET_RESOURCES, root)
        _, self._config_time, crtc_count, output_count, mode_count, _ = _RESOURCES.unpack_from(reply, 8)
        ids = struct.unpack_from(f"<{crtc_count + output_count}I", reply, 32)
        modes_at = 32 + 4 * len(ids)
        names_at = modes_at + 32 * mode_count
        self.modes = {mode.id: mode for mode in Modeline.unpack_all(reply[modes_at:names_at], reply[names_at:])}
        self.crtcs = {crtc: self._crtc(crtc) for crtc in ids[:crtc_count]}
        self.outputs = tuple(self._output(output) for output in ids[crtc_count:])
        (self._primary,) = struct.unpack_from("<I", self._call(_GET_PRIMARY, root), 8)

    @property
    def is_xwayland(self) -> bool:
        """Whether the screen is only a guest of a Wayland compositor: its root window shows nothing. Xwayland says so
        by an extension since 23.1, and by its outputs' names before."""
        named = any(_XWAYLAND.fullmatch(output.name) for output in self.outputs)
        return named or self._x.extension("XWAYLAND") is not None

    def streamed(self) -> Output | None:
        """The output that is streamed: the primary one, else the first that shows something, else the first that
        could."""
        lit = [output for output in self.outputs if output.crtc and self.crtcs[output.crtc].mode]
        lit.sort(key=lambda output: output.id != self._primary)
        dark = [output for output in self.outputs if output.connected and output.crtcs]
        return next(iter((*lit, *dark)), None)

    def region(self) -> Region:
        """Where on the screen that output lies, as it is now."""
        size = self.size()
        output = self.streamed()
        crtc = self.crtcs.get(output.crtc) if output is not None else None
        if crtc is None or not crtc.width or not crtc.height:
            return Region(0, 0, size.width, size.height, True)
        right, bottom = min(crtc.x + crtc.width, size.width), min(crtc.y + crtc.height, size.height)
        x, y = max(crtc.x, 0), max(crtc.y, 0)
        whole = (x, y, right, bottom) == (0, 0, size.width, size.height)
        return Region(x, y, max(right - x, 1), max(bottom - y, 1), whole)

    def size(self) -> Size:
        """Of the screen now; its millimetres are those of the beginning, in proportion."""
        facts = self._x.facts
        reply = self._x.call(request(_GET_GEOMETRY, 0, struct.pack("<I", facts.root)))
        width, height = struct.unpack_from("<HH", reply, 16)
        return Size(
            width,
            height,
            max(1, round(width * facts.width_mm / facts.width)) if facts.width_mm else _millimetres(width),
            max(1, round(height * facts.height_mm / facts.height)) if facts.height_mm else _millimetres(height),
        )

    def why_fixed(self) -> str:
        """Why the streamed output keeps its mode; "" when others may be made for it."""
        output = self.streamed()
        if output is None:
            return "none of the screen's outputs is connected"
        return f"{output.name} has a monitor" if output.has_monitor else ""

    def set_mode(self, mode: Mode) -> None:
        """Show exactly this mode on the streamed output, which has no monitor. Raises X11Error."""
        if fixed := self.why_fixed():
            raise X11Error(fixed)
        output = self.streamed()
        assert output is not None
        crtc = self.crtcs[output.crtc or output.crtcs[0]]
        shown = self.modes.get(crtc.mode)
        if shown is not None and shown.shows(mode) and crtc.outputs:
            return
        self._check_fits(mode, crtc)
        line = self._mode_for(output, mode)
        self.show(crtc, line, (output.id,), crtc.x, crtc.y, _UPRIGHT, self.around(crtc, mode.width, mode.height))
        self.remove_own_modes(keep=line.id)
        self.refresh()

    def show(
        self, crtc: Crtc, line: Modeline, outputs: tuple[int, ...], x: int, y: int, rotation: int, size: Size
    ) -> None:
        """Set one CRTC and the size of the screen, in the order in which nothing ever lies outside of it."""
        now = self.size()
        with self._grabbed():
            between = Size(max(now.width, size.width), max(now.height, size.height), size.width_mm, size.height_mm)
            if (between.width, between.height) != (now.width, now.height):
                self._set_size(between)
            head = struct.pack("<IIIhhIH2x", crtc.id, 0, self._config_time, x, y, line.id, rotation)
            reply = self._call(_SET_CRTC, head + struct.pack(f"<{len(outputs)}I", *outputs))
            if reply[1]:
                raise X11Error(f"the X server does not show {line.name} (status {reply[1]})")
            if (size.width, size.height) != (between.width, between.height):
                self._set_size(size)

    def remove_own_modes(self, keep: int = 0) -> None:
        """Take back the modes that were made here, all but one; those that are shown stay."""
        self.refresh()
        shown = {crtc.mode for crtc in self.crtcs.values()}
        for line in self.modes.values():
            if line.is_ours and line.id != keep and line.id not in shown:
                for output in self.outputs:
                    if line.id in output.modes:
                        self._checked(_DELETE_MODE, struct.pack("<II", output.id, line.id))
                self._checked(_DESTROY_MODE, struct.pack("<I", line.id))

    def notify(self) -> None:
        """Have changes told as events."""
        self._checked(_SELECT_INPUT, struct.pack("<IH2x", self._x.facts.root, _NOTIFY_SCREEN_AND_CRTC))

    def tells_change(self, event: bytes) -> bool:
        """Whether an event is of those; the server tells of keyboards unasked."""
        return event[0] & 0x7F in (self.first_event, self.first_event + 1)

    def _check_fits(self, mode: Mode, crtc: Crtc) -> None:
        reply = self._call(_GET_SIZE_RANGE, struct.pack("<I", self._x.facts.root))
        _, _, most_wide, most_high = struct.unpack_from("<HHHH", reply, 8)
        around = self.around(crtc, mode.width, mode.height)
        if around.width > min(most_wide, MAX_SCREEN) or around.height > min(most_high, MAX_SCREEN):
            raise X11Error(f"the screen can be at most {most_wide}x{most_high}")

    def around(self, changed: Crtc, width: int, height: int) -> Size:
        """The size of a screen that holds everything once ``changed`` is so large."""
        others = [crtc for crtc in self.crtcs.values() if crtc.mode and crtc.id != changed.id]
        right = max((crtc.x + crtc.width for crtc in others), default=0)
        bottom = max((crtc.y + crtc.height for crtc in others), default=0)
        width, height = max(right, changed.x + width), max(bottom, changed.y + height)
        return Size(width, height, _millimetres(width), _millimetres(height))

    def _mode_for(self, output: Output, mode: Mode) -> Modeline:
        for mode_id in output.modes:
            line = self.modes.get(mode_id)
            if line is not None and line.shows(mode):
                return line
        made = next((line for line in self.modes.values() if line.is_ours and line.shows(mode)), None)
        if made is None:
            wanted = make_modeline(mode)
            name = wanted.name.encode()
            reply = self._call(_CREATE_MODE, struct.pack("<I", self._x.facts.root) + wanted.pack() + name)
            (mode_id,) = struct.unpack_from("<I", reply, 8)
            self.refresh()
            made = self.modes.get(mode_id)
            if made is None:
                raise X11Error(f"the X server does not keep the mode {wanted.name}")
        self._checked(_ADD_MODE, struct.pack("<II", output.id, made.id))
        return made

    def _set_size(self, size: Size) -> None:
        data = struct.pack("<IHHII", self._x.facts.root, size.width, size.height, size.width_mm, size.height_mm)
        self._checked(_SET_SCREEN_SIZE, data)

    @contextmanager
    def _grabbed(self) -> Iterator[None]:
        """Other programs see only the end of it."""
        self._x.send(request(_GRAB_SERVER, 0))
        try:
            yield
        finally:
            self._x.send(request(_UNGRAB_SERVER, 0))
            self._x.sync()

    def _crtc(self, crtc: int) -> Crtc:
        reply = self._call(_GET_CRTC, struct.pack("<II", crtc, self._config_time))
        _, x, y, width, height, mode, rotation, _, output_count, _ = _CRTC.unpack_from(reply, 8)
        outputs = struct.unpack_from(f"<{output_count}I", reply, 32)
        return Crtc(crtc, x, y, width, height, mode, rotation, outputs)

    def _output(self, output: int) -> Output:
        reply = self._call(_GET_OUTPUT, struct.pack("<II", output, self._config_time))
        _, crtc, _, _, connection, _, crtc_count, mode_count, _, clone_count, name_bytes = _OUTPUT.unpack_from(reply, 8)
        ids = struct.unpack_from(f"<{crtc_count + mode_count}I", reply, 36)
        name_at = 36 + 4 * (len(ids) + clone_count)
        name = reply[name_at : name_at + name_bytes].decode(errors="replace")
        connected = connection == _CONNECTED
        monitor = connected and (bool(_MONITORS.match(name)) or self._has_edid(output))
        return Output(output, name, crtc, connected, ids[:crtc_count], ids[crtc_count:], monitor)

    def _has_edid(self, output: int) -> bool:
        reply = self._call(_LIST_PROPERTIES, struct.pack("<I", output))
        (count,) = struct.unpack_from("<H", reply, 8)
        return atom(self._x, "EDID") in struct.unpack_from(f"<{count}I", reply, 32)

    def _call(self, minor: int, body: bytes) -> bytes:
        return self._x.call(request(self._opcode, minor, body))

    def _checked(self, minor: int, body: bytes) -> None:
        self._x.checked(request(self._opcode, minor, body))


def _millimetres(pixels: int) -> int:
    return max(1, round(pixels * _MM_PER_INCH / _DPI))
