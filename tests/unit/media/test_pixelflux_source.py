"""The pixelflux source against a stand-in for the library's capture object."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

pytest.importorskip("pixelflux")

from punktfunk.media.displays import pixelflux_source
from punktfunk.media.displays.pixelflux_source import PixelfluxSource, capture_settings, describe, has_graphics_card
from punktfunk.media.displays.sway_ipc import SwayControl
from punktfunk.media.frames import Codec, EncodedFrame, FrameKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.video_source import HostCompositor, SourceError, SourceLost, TargetKeyboard
from punktfunk.media.wayland.look import Compositor, Output

MODE = Mode(1280, 720, 59_940)
PLAN = VideoPlan(MODE, bitrate_kbps=12_345)
INFO = {"codec": "h264", "encoder": "x264", "hardware": False, "encoder_reason": "no GPU"}


class Stripe(bytes):
    frame_id = 0
    reference_frame_id = -1
    capture_ns, encode_start_ns, encode_end_ns = 1, 2, 3


def stripe(frame_id: int, reference: int) -> Stripe:
    frame = Stripe(b"\0\0\1\x67s\0\0\1\x68p\0\0\1\x06sei\0\0\1\x65i" if reference == -1 else b"\0\0\1\x41d")
    frame.frame_id, frame.reference_frame_id = frame_id, reference
    return frame


class FakeCapture:
    """Delivers one keyframe at each start and notes every call."""

    outputs = 1
    silent = False

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.deliver: Callable[[Stripe], None] = lambda _stripe: None

    def start_capture(self, deliver: Callable[[Stripe], None], settings: Any) -> None:
        self.deliver = deliver
        if not self.silent:
            deliver(stripe(0, -1))

    def output_capacity(self) -> int:
        return self.outputs

    def capture_state(self, _display: int) -> tuple[str, str]:
        return "failed", "the reason"

    def get_realized_geometry(self, _display: int) -> tuple[int, int, float]:
        return 1024, 768, 1.0

    def stream_info(self) -> dict[str, object]:
        return INFO

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[HostCompositor]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "w"))
        listener.listen()
        yield HostCompositor(str(tmp_path / "w"))


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> FakeCapture:
    fake = FakeCapture()
    monkeypatch.setattr(pixelflux_source.pixelflux, "ScreenCapture", lambda: fake)
    monkeypatch.setattr(pixelflux_source, "FIRST_FRAME_TIMEOUT_S", 0.01)
    return fake


def test_start_tells_what_was_realized(capture: FakeCapture, listening: HostCompositor) -> None:
    frames: list[EncodedFrame] = []
    info = PixelfluxSource(listening).start(PLAN, frames.append)
    assert (info.encoder, info.mode) == ("x264", Mode(1024, 768, 59_940))
    assert info.why.startswith("software: ")
    assert frames[0].kind is FrameKind.KEY
    assert bytes(frames[0].data) == b"\0\0\1\x67s\0\0\1\x68p\0\0\1\x65i"


def test_loss_is_answered_without_a_keyframe(capture: FakeCapture, listening: HostCompositor) -> None:
    frames: list[EncodedFrame] = []
    source = PixelfluxSource(listening)
    source.start(PLAN, frames.append)
    for i in (1, 2, 3):
        capture.deliver(stripe(i, i - 1))
    assert source.invalidate(2, 3)
    assert ("invalidate_reference", 2) in capture.calls
    capture.deliver(stripe(4, 1))
    assert frames[-1].kind is FrameKind.RECOVERY


def test_nothing_is_delivered_after_stop(capture: FakeCapture, listening: HostCompositor) -> None:
    frames: list[EncodedFrame] = []
    source = PixelfluxSource(listening)
    source.start(PLAN, frames.append)
    source.stop()
    capture.deliver(stripe(1, 0))
    assert len(frames) == 1


def test_no_compositor_is_a_lost_source(capture: FakeCapture, tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="no compositor listens"):
        PixelfluxSource(HostCompositor(str(tmp_path / "none"))).start(PLAN, lambda _frame: None)


def test_a_silent_display_is_a_lost_source(capture: FakeCapture, listening: HostCompositor) -> None:
    capture.silent = True
    with pytest.raises(SourceLost, match="the reason"):
        PixelfluxSource(listening).start(PLAN, lambda _frame: None)


def test_falling_back_to_an_empty_compositor_is_a_lost_source(capture: FakeCapture, listening: HostCompositor) -> None:
    capture.outputs = -1
    with pytest.raises(SourceLost, match="cannot be captured"):
        PixelfluxSource(listening).start(PLAN, lambda _frame: None)


def seen(*names: str) -> Callable[[str], Compositor]:
    outputs = tuple(Output(number, name, MODE) for number, name in enumerate(names, 38))
    return lambda _path: Compositor(outputs, frozenset())


def test_a_named_output_is_captured_alone_in_the_plans_mode(
    capture: FakeCapture, listening: HostCompositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(pixelflux_source.wayland_look, "look", seen("DP-1", "HEADLESS-1"))
    order: list[tuple[str, object]] = []
    monkeypatch.setattr(SwayControl, "set_mode", lambda _self, mode, *, output, tuned: order.append((output, mode)))
    monkeypatch.setattr(
        capture,
        "start_capture",
        lambda deliver, settings: order.append(("capture", settings)) or deliver(stripe(0, -1)),
    )
    keyboard = TargetKeyboard(keymap="xkb_keymap {};")
    target = msgspec.structs.replace(listening, output="HEADLESS-1", sway_socket="/s", keyboard=keyboard)
    source = PixelfluxSource(target)
    source.start(PLAN, lambda _frame: None)
    assert order[0] == ("HEADLESS-1", MODE)
    (_, settings) = order[1]
    filtered = Path(settings.wayland_host_display)  # type: ignore[attr-defined]
    assert filtered.parent == tmp_path
    assert filtered.is_socket()
    assert ("set_keymap_string", "xkb_keymap {};") in capture.calls
    other = Mode(800, 600, 30_000)
    source.reconfigure(VideoPlan(other))
    assert order[2] == ("HEADLESS-1", other)
    source.stop()
    assert not filtered.exists()


def test_a_still_output_is_stirred_until_it_gives_a_picture(
    capture: FakeCapture, listening: HostCompositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(pixelflux_source.wayland_look, "look", seen("HEADLESS-1"))
    monkeypatch.setattr(pixelflux_source, "_STIR_S", 0.01)
    rates: list[bool] = []

    def set_mode(_sway: SwayControl, _mode: Mode, *, output: str, tuned: bool) -> None:
        rates.append(tuned)
        if len(rates) == 4:
            capture.deliver(stripe(0, -1))

    monkeypatch.setattr(SwayControl, "set_mode", set_mode)
    capture.silent = True
    source = PixelfluxSource(msgspec.structs.replace(listening, output="HEADLESS-1", sway_socket="/s"))
    source.start(PLAN, lambda _frame: None)
    assert rates == [True, False, True, False, True], "and it ends with the rate that the plan wants"
    with pytest.raises(SourceLost, match="no picture"):
        source.reconfigure(PLAN)
    assert len(rates) == 5 + 1 + pixelflux_source._STIRS, "not for ever"


def test_an_output_that_is_gone_is_a_lost_source(
    capture: FakeCapture, listening: HostCompositor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixelflux_source.wayland_look, "look", seen("DP-1"))
    with pytest.raises(SourceLost, match="no output HEADLESS-1 any more"):
        PixelfluxSource(msgspec.structs.replace(listening, output="HEADLESS-1")).start(PLAN, lambda _frame: None)


def test_a_sway_that_does_not_answer_is_a_lost_source(
    capture: FakeCapture, listening: HostCompositor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(pixelflux_source.wayland_look, "look", seen("HEADLESS-1"))
    source = PixelfluxSource(
        msgspec.structs.replace(listening, output="HEADLESS-1", sway_socket=str(tmp_path / "none"))
    )
    with pytest.raises(SourceLost, match="sway does not answer"):
        source.start(PLAN, lambda _frame: None)
    source.stop()


@pytest.mark.parametrize(("cores", "slices", "threading"), [(1, 1, True), (2, 1, True), (8, 1, False), (8, 4, True)])
def test_no_more_slices_than_asked(monkeypatch: pytest.MonkeyPatch, cores: int, slices: int, threading: bool) -> None:
    monkeypatch.setattr(pixelflux_source.os, "cpu_count", lambda: cores)
    settings = capture_settings(VideoPlan(MODE, slices_per_frame=slices), HostCompositor("/w"))
    assert settings.cpu_encode_threading is threading


def test_settings_are_those_of_a_stream() -> None:
    settings = capture_settings(PLAN, HostCompositor("/w"))
    assert settings.wayland_host_display == "/w"
    assert (settings.capture_width, settings.capture_height, settings.target_fps) == (1280, 720, 59.94)
    assert settings.video_cbr_mode
    assert settings.video_bitrate_kbps == 12_345
    assert settings.video_streaming_mode
    assert settings.keyframe_interval_s == 0


def test_an_encoder_of_another_codec_is_refused() -> None:
    assert describe({"codec": "h265", "hardware": True, "gpu": "GPU 1"}, PLAN, MODE).codec is Codec.HEVC
    with pytest.raises(SourceError, match="vp8"):
        describe({"codec": "vp8"}, PLAN, MODE)


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("", "software: there is no graphics card"),
        ("dri/renderD128", "software: no GPU"),
        ("nvidia0", "software: no GPU"),
        ("dri/card0", "software: there is no graphics card"),
    ],
)
def test_why_the_processor_encodes(tmp_path: Path, device: str, why: str) -> None:
    (tmp_path / "dri").mkdir()
    if device:
        (tmp_path / device).touch()
    assert describe(INFO, PLAN, MODE, graphics=has_graphics_card(tmp_path)).why == why
