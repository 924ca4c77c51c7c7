"""Reading and changing screens, against a stand-in that keeps the state of a RandR server."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import cast

import pytest

from punktfunk.media.plan import Mode
from punktfunk.media.x11 import loan as loans
from punktfunk.media.x11.connection import Extension, Facts, X11Connection, X11Error
from punktfunk.media.x11.loan import Loan, read_loan, show_mode
from punktfunk.media.x11.modeline import Modeline, make_modeline
from punktfunk.media.x11.randr import RandR, Region

OPCODE, ROOT, EDID, FIRST_MODE = 140, 77, 500, 90
HD = make_modeline(Mode(1280, 720, 60_000))


@dataclass
class FakeOutput:
    name: str
    crtc: int = 0
    connected: bool = True
    edid: bool = False
    modes: list[int] = field(default_factory=lambda: [FIRST_MODE])


@dataclass
class FakeCrtc:
    x: int = 0
    y: int = 0
    mode: int = 0
    outputs: list[int] = field(default_factory=list)


class FakeServer:
    """Outputs are 10, 11, ..., their CRTCs 20, 21, ...; each shows the mode 90 (1024x768) beside the one before it."""

    display = ":5"
    more_extensions: tuple[str, ...] = ()

    def __init__(self, *outputs: FakeOutput, primary: int = 0, largest: int = 8192) -> None:
        self.outputs = {10 + n: output for n, output in enumerate(outputs)}
        self.crtcs: dict[int, FakeCrtc] = {}
        self.modes = {FIRST_MODE: Modeline(FIRST_MODE, "1024x768", 1024, 768, *[0] * 9)}
        for number, output in self.outputs.items():
            output.crtc = number + 10 if output.connected else 0
            shown = FIRST_MODE if output.connected else 0
            self.crtcs[number + 10] = FakeCrtc(1024 * (number - 10), 0, shown, [number] if shown else [])
        self.width, self.height = 1024 * len([o for o in outputs if o.connected]), 768
        self.primary, self.largest = primary, largest
        self.facts = Facts("fake", 0, ROOT, self.width, self.height, 270, 203, 8, 255)
        self.done: list[str] = []

    def needed(self, name: str) -> Extension:
        assert name == "RANDR"
        return Extension(OPCODE, 89)

    def extension(self, name: str) -> Extension | None:
        return Extension(150, 0) if name in self.more_extensions else None

    def send(self, *_requests: bytes) -> None:
        pass

    def sync(self) -> None:
        pass

    def checked(self, data: bytes) -> None:
        minor, body = data[1], data[4:]
        if minor == 7:
            _, self.width, self.height = struct.unpack_from("<IHH", body)
            for crtc in self.crtcs.values():
                if crtc.mode:
                    line = self.modes[crtc.mode]
                    assert crtc.x + line.width <= self.width, "a CRTC lies outside of the screen"
                    assert crtc.y + line.height <= self.height
            self.done.append(f"screen {self.width}x{self.height}")
        elif minor == 17:
            del self.modes[struct.unpack("<I", body)[0]]
        elif minor in (18, 19):
            output, mode = struct.unpack("<II", body)
            (self.outputs[output].modes.append if minor == 18 else self.outputs[output].modes.remove)(mode)

    def call(self, data: bytes) -> bytes:
        opcode, minor = data[:2]
        if opcode == 14:
            return self._reply(struct.pack("<IhhHHH", ROOT, 0, 0, self.width, self.height, 0))
        if opcode == 16:
            return self._reply(struct.pack("<I", EDID))
        assert opcode == OPCODE
        return cast(bytes, getattr(self, f"_minor_{minor}")(data[4:]))

    def _reply(self, body: bytes, detail: int = 0) -> bytes:
        body += bytes(max(0, 24 - len(body)))
        return struct.pack("<BBHI", 1, detail, 0, (len(body) - 24) // 4) + body

    def _minor_0(self, _body: bytes) -> bytes:
        return self._reply(struct.pack("<II", 1, 6))

    def _minor_6(self, _body: bytes) -> bytes:
        return self._reply(struct.pack("<HHHH", 1, 1, self.largest, self.largest))

    def _minor_9(self, body: bytes) -> bytes:
        number = struct.unpack_from("<I", body)[0]
        output = self.outputs[number]
        name = output.name.encode()
        head = struct.pack(
            "<IIIIBBHHHHH",
            *(0, output.crtc, 0, 0, int(not output.connected), 0, 1, len(output.modes), 0, 0, len(name)),
        )
        return self._reply(head + struct.pack(f"<{1 + len(output.modes)}I", number + 10, *output.modes) + name)

    def _minor_10(self, body: bytes) -> bytes:
        properties = [499, EDID] if self.outputs[struct.unpack_from("<I", body)[0]].edid else [499]
        return self._reply(struct.pack("<H22x", len(properties)) + struct.pack(f"<{len(properties)}I", *properties))

    def _minor_16(self, body: bytes) -> bytes:
        line = Modeline.unpack_all(body[4:36], body[36:])[0]
        number = max(self.modes) + 1
        self.modes[number] = Modeline.unpack_all(struct.pack("<I", number) + line.pack()[4:], line.name.encode())[0]
        return self._reply(struct.pack("<I", number))

    def _minor_20(self, body: bytes) -> bytes:
        crtc = self.crtcs[struct.unpack_from("<I", body)[0]]
        line = self.modes.get(crtc.mode)
        size = (line.width, line.height) if line else (0, 0)
        head = struct.pack("<IhhHHIHHHH", 0, crtc.x, crtc.y, *size, crtc.mode, 1, 1, len(crtc.outputs), 0)
        return self._reply(head + struct.pack(f"<{len(crtc.outputs)}I", *crtc.outputs))

    def _minor_21(self, body: bytes) -> bytes:
        number, _, _, x, y, mode, _ = struct.unpack_from("<IIIhhIH2x", body)
        outputs = list(struct.unpack_from(f"<{(len(body) - 24) // 4}I", body, 24))
        line = self.modes[mode]
        assert x + line.width <= self.width, "a CRTC lies outside of the screen"
        assert y + line.height <= self.height
        assert all(mode in self.outputs[output].modes for output in outputs)
        self.crtcs[number] = FakeCrtc(x, y, mode, outputs)
        self.done.append(f"crtc {number} {line.width}x{line.height}+{x}+{y}")
        return self._reply(b"")

    def _minor_25(self, _body: bytes) -> bytes:
        names = b"".join(line.name.encode() for line in self.modes.values())
        head = struct.pack("<IIHHHH8x", 0, 0, len(self.crtcs), len(self.outputs), len(self.modes), len(names))
        ids = struct.pack(f"<{len(self.crtcs) + len(self.outputs)}I", *self.crtcs, *self.outputs)
        return self._reply(head + ids + b"".join(line.pack() for line in self.modes.values()) + names)

    def _minor_31(self, _body: bytes) -> bytes:
        return self._reply(struct.pack("<I", self.primary))


def randr(server: FakeServer) -> RandR:
    return RandR(cast(X11Connection, server))


@pytest.mark.parametrize(
    ("output", "fixed"),
    [
        (FakeOutput("screen"), ""),
        (FakeOutput("DUMMY0"), ""),
        (FakeOutput("Virtual-1"), ""),
        (FakeOutput("default"), ""),
        (FakeOutput("Virtual-1", edid=True), "Virtual-1 has a monitor"),
        (FakeOutput("HDMI-1"), "HDMI-1 has a monitor"),
        (FakeOutput("DP-3.1"), "DP-3.1 has a monitor"),
        (FakeOutput("eDP1"), "eDP1 has a monitor"),
        (FakeOutput("DVI-D-0"), "DVI-D-0 has a monitor"),
        (FakeOutput("HDMI-1", connected=False), "none of the screen's outputs is connected"),
    ],
)
def test_a_monitor_keeps_its_mode(output: FakeOutput, fixed: str) -> None:
    server = FakeServer(output)
    server.width = max(server.width, 1024)
    assert randr(server).why_fixed() == fixed
    if fixed:
        assert show_mode(cast(X11Connection, server), Mode(1280, 720, 60_000)) == fixed
        assert server.done == []
        assert server.modes.keys() == {FIRST_MODE}


def test_a_larger_mode_comes_after_a_larger_screen_and_a_smaller_one_before() -> None:
    server = FakeServer(FakeOutput("DUMMY0"))
    randr(server).set_mode(Mode(1920, 1080, 60_000))
    randr(server).set_mode(Mode(640, 480, 60_000))
    assert server.done == ["screen 1920x1080", "crtc 20 1920x1080+0+0", "crtc 20 640x480+0+0", "screen 640x480"]


def test_a_mode_that_is_shown_already_changes_nothing() -> None:
    server = FakeServer(FakeOutput("DUMMY0"))
    randr(server).set_mode(Mode(1280, 720, 60_000))
    server.done.clear()
    randr(server).set_mode(Mode(1280, 720, 60_000))
    assert server.done == []


def test_a_mode_of_the_outputs_own_is_taken_before_one_is_made() -> None:
    server = FakeServer(FakeOutput("DUMMY0", modes=[FIRST_MODE, 91]))
    server.modes[91] = Modeline.unpack_all(struct.pack("<I", 91) + HD.pack()[4:], b"1280x720".ljust(len(HD.name)))[0]
    randr(server).set_mode(Mode(1280, 720, 60_000))
    assert server.crtcs[20].mode == 91
    assert server.modes.keys() == {FIRST_MODE, 91}


def test_only_one_made_mode_is_left_at_a_time() -> None:
    server = FakeServer(FakeOutput("DUMMY0"))
    for width in range(800, 1600, 16):
        randr(server).set_mode(Mode(width, 600, 60_000))
        assert len(server.modes) == 2
    randr(server).show(
        randr(server).crtcs[20],
        server.modes[FIRST_MODE],
        (10,),
        0,
        0,
        1,
        randr(server).around(randr(server).crtcs[20], 1024, 768),
    )
    randr(server).remove_own_modes()
    assert server.modes.keys() == {FIRST_MODE}
    assert server.outputs[10].modes == [FIRST_MODE]


def test_more_than_the_screen_can_be_is_refused() -> None:
    server = FakeServer(FakeOutput("screen"), largest=1100)
    with pytest.raises(X11Error, match="at most 1100x1100"):
        randr(server).set_mode(Mode(1280, 720, 60_000))
    assert server.done == []


def test_the_primary_output_is_streamed_where_it_lies() -> None:
    server = FakeServer(FakeOutput("DUMMY0"), FakeOutput("DUMMY1"), primary=11)
    assert randr(server).region() == Region(1024, 0, 1024, 768, False)
    server.primary = 0
    assert randr(server).region() == Region(0, 0, 1024, 768, False)


def test_the_other_outputs_stay_on_the_screen() -> None:
    server = FakeServer(FakeOutput("DUMMY0"), FakeOutput("HDMI-1"))
    randr(server).set_mode(Mode(640, 480, 60_000))
    assert (server.width, server.height) == (2048, 768)


def test_one_output_alone_is_the_whole_screen() -> None:
    assert randr(FakeServer(FakeOutput("screen"))).region() == Region(0, 0, 1024, 768, True)


def test_xwayland_is_known_by_its_outputs_or_its_extension() -> None:
    assert randr(FakeServer(FakeOutput("XWAYLAND0"))).is_xwayland
    server = FakeServer(FakeOutput("DP-1"))
    assert not randr(server).is_xwayland
    server.more_extensions = ("XWAYLAND",)
    assert randr(server).is_xwayland


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b'{"host":"a","holder":"b","keycodes":[7]}',
        b'{"host":"a","holder":"b","keycodes":[300]}',
        b'{"host":"a","holder":"b","screen":[70000,1,1,1]}',
        b'{"host":"a","holder":"b","keycodes":[' + b",".join([b"9"] * 300) + b"]}",
    ],
)
def test_a_note_that_is_not_ours_is_none(monkeypatch: pytest.MonkeyPatch, note: bytes) -> None:
    monkeypatch.setattr(loans, "read_property", lambda _x, _name: note)
    assert read_loan(cast(X11Connection, object())) is None


def test_a_note_is_read_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    loan = Loan("1-2-3", "abc", (248, 230), 2, 59, 58, "2560x1440", 0, 0, 1, (60,), (2560, 1440, 650, 366))
    monkeypatch.setattr(loans, "write_property", lambda _x, _name, value: written.append(value))
    loans.write_loan(cast(X11Connection, object()), loan)
    monkeypatch.setattr(loans, "read_property", lambda _x, _name: written[0])
    assert read_loan(cast(X11Connection, object())) == loan
