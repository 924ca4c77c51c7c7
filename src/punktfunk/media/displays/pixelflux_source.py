"""Video through pixelflux: its own compositor, or another one captured by it. X11 is in `x11_source`.

pixelflux keeps process-wide state, so that a process has one such source at a time. Measured behaviour that this file
relies on is in docs/decisions/0001-embedded-desktop.md.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pixelflux

from punktfunk.media.displays.bitstream import is_keyframe, without_sei
from punktfunk.media.displays.pixelflux_seat import PixelfluxSeat
from punktfunk.media.displays.references import DECODES_ALONE, UNTRACKED, ReferenceLedger
from punktfunk.media.displays.sway_ipc import SwayControl, SwayError
from punktfunk.media.frames import Codec, EncodedFrame, FrameHandler, FrameKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.video_source import HostCompositor, OwnCompositor, SourceError, SourceInfo, SourceLost
from punktfunk.media.wayland import look as wayland_look
from punktfunk.media.wayland.output_filter import FilteredDisplay

FIRST_FRAME_TIMEOUT_S = 4.0
CODEC_NAMES = {Codec.H264: "h264", Codec.HEVC: "h265", Codec.AV1: "av1"}

_PRIMARY = 0
_CONNECT_TIMEOUT_S = 1.0
_STIR_S = 0.25
_STIRS = 8
_MAX_SOFTWARE_SLICES = 4
_VBV_FRAMES = 1.0

log = logging.getLogger(__name__)


class PixelfluxCapture:
    """What every source through the library has in common; see VideoSource for the contract of the methods."""

    def __init__(self) -> None:
        self._capture = pixelflux.ScreenCapture()
        self._ledger = ReferenceLedger()
        self._ledger_lock = threading.Lock()
        self._delivery = threading.RLock()
        self._on_frame: FrameHandler | None = None
        self._codec = Codec.H264
        self._keyframe_arrived = threading.Event()

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe. Raises SourceError, SourceLost when the display is not there."""
        self._on_frame = on_frame
        return self._begin(plan)

    def request_keyframe(self) -> None:
        """Make one of the next frames an IDR."""
        self._capture.request_idr_frame()

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        """Predict from none of these frames; see VideoSource."""
        with self._ledger_lock:
            if not self._ledger.tracked:
                return False
            try:
                encoder_id = self._ledger.lose(first_source_id, last_source_id)
            except LookupError:
                return False
        if encoder_id is not None:
            self._capture.invalidate_reference(encoder_id)
        return True

    def set_bitrate(self, kbps: int) -> None:
        """Change the target bitrate."""
        self._capture.update_video_bitrate(kbps)

    def reconfigure(self, plan: VideoPlan) -> SourceInfo:
        """Change mode or encoding in place."""
        return self._begin(plan)

    def stop(self) -> None:
        """End the capture; the display and its programs are not touched."""
        with self._delivery:
            self._on_frame = None
        self._capture.stop_capture()

    def _begin(self, plan: VideoPlan) -> SourceInfo:
        raise NotImplementedError

    def _capture_from(self, plan: VideoPlan, settings: Any) -> None:
        """Start or change the capture. Raises SourceError."""
        self._keyframe_arrived.clear()
        self._codec = plan.codec
        try:
            self._capture.start_capture(self._deliver, settings)
        except RuntimeError as error:
            raise SourceError(f"the capture library refuses {plan.mode}: {error}") from error

    def _await_keyframe(self) -> None:
        if not self._keyframe_arrived.wait(FIRST_FRAME_TIMEOUT_S):
            state, reason = self._capture.capture_state(_PRIMARY)
            self.stop()
            raise SourceLost(f"no picture from the display within {FIRST_FRAME_TIMEOUT_S:g} s ({reason or state})")

    def _deliver(self, frame: Any) -> None:
        data: bytes | memoryview = memoryview(frame)
        reference = frame.reference_frame_id
        keyframe = reference == DECODES_ALONE or (reference == UNTRACKED and is_keyframe(self._codec, data))
        with self._ledger_lock:
            source_id, kind = self._ledger.add(frame.frame_id, reference, keyframe=keyframe)
        if kind is FrameKind.KEY:
            data = without_sei(self._codec, data)
            self._keyframe_arrived.set()
        encoded = EncodedFrame(
            data, kind, source_id, frame.capture_ns, frame.encode_start_ns, frame.encode_end_ns or time.monotonic_ns()
        )
        with self._delivery:
            if self._on_frame is not None:
                self._on_frame(encoded)


class PixelfluxSource(PixelfluxCapture):
    """Captures ``target`` and encodes it. See VideoSource for the contract of the methods."""

    def __init__(self, target: HostCompositor | OwnCompositor) -> None:
        super().__init__()
        self._target = target
        self._filtered: FilteredDisplay | None = None
        self.capture_cursor = True
        """What a portal is asked for; the library opens a session anew when it changes."""
        self._seat = PixelfluxSeat(self._capture)
        self._sway = (
            SwayControl(target.sway_socket) if isinstance(target, HostCompositor) and target.sway_socket else None
        )

    @property
    def seat(self) -> PixelfluxSeat:
        """Keyboard and mouse of the captured display."""
        return self._seat

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe. Raises SourceError, SourceLost when the compositor is not there."""
        if isinstance(self._target, HostCompositor):
            _check_listening(self._target.wayland_display)
            self._leave_one_output(self._target)
        return super().start(plan, on_frame)

    def stop(self) -> None:
        """End the capture; the compositor and its programs are not touched."""
        super().stop()
        if self._filtered is not None:
            self._filtered.close()
        if isinstance(self._target, OwnCompositor):
            with contextlib.suppress(OSError):
                os.unlink(self._target.socket_link)

    def _begin(self, plan: VideoPlan) -> SourceInfo:
        if self._filtered is not None:
            self._set_output_mode(plan.mode)
        settings = capture_settings(plan, self._target)
        settings.capture_cursor = self.capture_cursor
        self._capture_from(plan, settings)
        if isinstance(self._target, OwnCompositor):
            _link_socket(self._target.socket_link)
        if self._filtered is not None:
            self._stir_until_keyframe(plan.mode)
        self._await_keyframe()
        if isinstance(self._target, HostCompositor) and self._capture.output_capacity() < 0:
            # The library silently falls back to a compositor of its own, which nothing would ever be shown on.
            _, reason = self._capture.capture_state(_PRIMARY)
            self.stop()
            raise SourceLost(f"the desktop cannot be captured: {reason}")
        return self._settle(plan)

    def _settle(self, plan: VideoPlan) -> SourceInfo:
        mode = self._realized(plan.mode)
        self._seat.resized(mode.width, mode.height)
        self._set_layout()
        if self._sway is not None and self._filtered is None:
            # Starting a capture sets the plain refresh rate, so that tuning it comes afterwards.
            try:
                self._sway.set_mode(mode)
            except SwayError as error:
                log.warning("the desktop's refresh rate stays untuned: %s", error)
        return describe(self._capture.stream_info() or {}, plan, mode, graphics=has_graphics_card())

    def _leave_one_output(self, target: HostCompositor) -> None:
        if not target.output:
            return
        try:
            output = wayland_look.look(target.wayland_display).output(target.output)
        except wayland_look.LookError as error:
            raise SourceLost(str(error)) from error
        if output is None:
            raise SourceLost(f"the desktop has no output {target.output} any more")
        filtered = FilteredDisplay(target.wayland_display, output.number, Path(os.environ["XDG_RUNTIME_DIR"]))
        try:
            filtered.start()
        except OSError as error:
            raise SourceError(f"no socket can be made at {filtered.path}: {error}") from error
        self._filtered = filtered
        self._target = msgspec.structs.replace(target, wayland_display=filtered.path)

    def _set_output_mode(self, mode: Mode, *, tuned: bool = True) -> None:
        # The capture follows the size that it finds.
        assert isinstance(self._target, HostCompositor)
        if self._sway is None:
            return
        try:
            self._sway.set_mode(mode, output=self._target.output, tuned=tuned)
        except SwayError as error:
            raise SourceLost(str(error)) from error

    def _stir_until_keyframe(self, mode: Mode) -> None:
        # Between sway's new mode and the capture's new start a picture can be taken in the old size and thrown away; a
        # still screen gives no other. Each change of the refresh rate does.
        tuned = True
        for _ in range(_STIRS):
            if self._sway is None or self._keyframe_arrived.wait(_STIR_S):
                break
            tuned = not tuned
            self._set_output_mode(mode, tuned=tuned)
        if not tuned:
            self._set_output_mode(mode)

    def _set_layout(self) -> None:
        keys = self._target.keyboard
        if keys.keymap:
            self._capture.set_keymap_string(keys.keymap)
        elif not self._capture.set_xkb_layout(keys.layout, keys.variant, keys.options):
            log.warning(
                "there is no keyboard layout %r (%r): keys are those of a US keyboard", keys.layout, keys.variant
            )

    def _realized(self, mode: Mode) -> Mode:
        geometry = self._capture.get_realized_geometry(_PRIMARY)
        if geometry is None:
            return mode
        width, height, _ = geometry
        return Mode(width, height, mode.refresh_mhz)


def capture_settings(plan: VideoPlan, target: HostCompositor | OwnCompositor) -> Any:
    """pixelflux settings for a plan and a Wayland display."""
    settings = encoder_settings(plan)
    settings.use_wayland = True
    if isinstance(target, HostCompositor):
        settings.wayland_host_display = target.wayland_display
    return settings


def encoder_settings(plan: VideoPlan) -> Any:
    """pixelflux settings for a plan: full frames at a constant bitrate, keyframes only on demand."""
    settings = pixelflux.CaptureSettings()
    settings.capture_width, settings.capture_height = plan.mode.width, plan.mode.height
    settings.target_fps = plan.mode.refresh_hz
    settings.capture_cursor = True
    settings.auto_gpu = "true"
    settings.codec = CODEC_NAMES[plan.codec]
    settings.video_fullframe = True
    settings.omit_stripe_headers = True
    settings.video_streaming_mode = True
    settings.use_paint_over_quality = False
    settings.keyframe_interval_s = 0.0
    settings.video_cbr_mode = True
    settings.video_bitrate_kbps = plan.bitrate_kbps
    settings.video_vbv_multiplier = _VBV_FRAMES
    settings.video_fullcolor = plan.chroma_444
    settings.video_bit_depth = plan.bit_depth
    settings.video_reference_frames = plan.max_reference_frames
    # Threads make slices, as many as there are cores to spare; a client that asked for fewer gets one.
    threads = min(_MAX_SOFTWARE_SLICES, max(1, (os.cpu_count() or 2) - 1))
    settings.cpu_encode_threading = plan.codec is not Codec.H264 or plan.slices_per_frame >= threads
    return settings


def has_graphics_card(devices: Path = Path("/dev")) -> bool:
    """Whether anything here could be one. Where nothing is, what the library says of failed drivers is a riddle."""
    return any(devices.glob("dri/renderD*")) or any(devices.glob("nvidia*"))


def describe(stream: dict[str, Any], plan: VideoPlan, mode: Mode, *, graphics: bool = True) -> SourceInfo:
    """What a running capture says about itself, on a machine with or without a graphics card."""
    hardware = bool(stream.get("hardware"))
    if hardware:
        why = f"hardware encoder of {stream.get('gpu') or stream.get('encode_node') or 'the GPU'}"
    elif graphics:
        why = f"software: {stream.get('encoder_reason') or 'no hardware encoder'}"
    else:
        why = "software: there is no graphics card"
    name = str(stream.get("codec", CODEC_NAMES[plan.codec]))
    codec = next((codec for codec, known in CODEC_NAMES.items() if known == name), None)
    if codec is None:
        raise SourceError(f"the encoder came up with {name} instead of {plan.codec}")
    return SourceInfo(
        encoder=str(stream.get("encoder", "unknown")),
        why=why,
        codec=codec,
        mode=mode,
        hardware=hardware,
        chroma_444=bool(stream.get("fullcolor")),
        bit_depth=int(stream.get("bit_depth", 8)),
        color_space="bt709",
        full_range=bool(stream.get("full_range")),
        supports_invalidation=plan.max_reference_frames != 1,
    )


def _check_listening(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_TIMEOUT_S)
        try:
            probe.connect(path)
        except OSError as error:
            raise SourceLost(f"no compositor listens on {path}: {error}") from error


def _link_socket(link: str) -> None:
    name = pixelflux.get_wayland_display_name()
    if not name:
        raise SourceError("the compositor has no socket; is XDG_RUNTIME_DIR a writable folder?")
    socket_path = os.path.join(os.environ["XDG_RUNTIME_DIR"], name)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(link)
    os.symlink(socket_path, link)
