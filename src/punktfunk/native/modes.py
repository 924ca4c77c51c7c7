"""Which modes a session may stream, and how often it may change (punktfunk1.md §4.4, §6.1, §6.3). Times in seconds."""

from __future__ import annotations

from typing import NamedTuple

from punktfunk.wire.punktfunk1 import DEFAULT_BITRATE_KBPS, MAX_BITRATE_KBPS, MIN_BITRATE_KBPS
from punktfunk.wire.punktfunk1.enums import VideoCodec
from punktfunk.wire.punktfunk1.messages import Reconfigure, Reconfigured

MAX_REFRESH_HZ = 480
MIN_SIDE = 16
MAX_SIDE_H264 = 4096
MAX_SIDE = 8192
SWITCH_SPACING_S = 0.5


class Mode(NamedTuple):
    """Pixels and hertz."""

    width: int
    height: int
    refresh_hz: int


def mode_error(mode: Mode, codec: VideoCodec) -> str | None:
    """Why a mode cannot be streamed with a codec, in words; None if it can."""
    most = MAX_SIDE_H264 if codec is VideoCodec.H264 else MAX_SIDE
    if not (MIN_SIDE <= mode.width <= most and MIN_SIDE <= mode.height <= most):
        return f"{mode.width}x{mode.height} is outside {MIN_SIDE} to {most} pixels a side"
    if mode.width % 2 or mode.height % 2:
        return f"{mode.width}x{mode.height} is not even"
    if not 1 <= mode.refresh_hz <= MAX_REFRESH_HZ:
        return f"{mode.refresh_hz} Hz is outside 1 to {MAX_REFRESH_HZ}"
    return None


def clamp_bitrate(kbps: int, *, default_kbps: int = DEFAULT_BITRATE_KBPS, ceiling_kbps: int = MAX_BITRATE_KBPS) -> int:
    """A wished bitrate within the band and the encoder's ceiling; 0 = the default."""
    return max(MIN_BITRATE_KBPS, min(kbps or default_kbps, ceiling_kbps, MAX_BITRATE_KBPS))


def resolve_codec(client: VideoCodec, preferred: VideoCodec, host: VideoCodec) -> VideoCodec | None:
    """The codec of a session: the preferred one if shared, else HEVC, AV1, H.264; None when nothing is shared.

    A client that names none counts as one with HEVC (§4.4). Where the host has no HEVC it gets what there is: released
    clients name none for a speed test, in which they decode nothing.
    """
    shared = (client or (VideoCodec.HEVC & host) or host) & host
    wish = preferred if preferred.bit_count() == 1 else VideoCodec.NONE
    order = (wish, VideoCodec.HEVC, VideoCodec.AV1, VideoCodec.H264)
    return next((codec for codec in order if codec and codec in shared), None)


class ModeSwitch:
    """Answers Reconfigure: at most one switch per ``SWITCH_SPACING_S``, and none for ``fixed`` sessions."""

    def __init__(self, mode: Mode, codec: VideoCodec, *, fixed: bool = False) -> None:
        self.live = mode
        self._codec = codec
        self._fixed = fixed
        self._switched: float | None = None

    def request(self, wish: Reconfigure, now: float) -> Reconfigured:
        """The answer; when it accepts, the owner rebuilds for ``live``."""
        mode = Mode(wish.width, wish.height, wish.refresh_hz)
        too_soon = self._switched is not None and now - self._switched < SWITCH_SPACING_S
        if self._fixed or too_soon or mode_error(mode, self._codec):
            return Reconfigured(False, *self.live)
        self._switched, self.live = now, mode
        return Reconfigured(True, *mode)

    def became(self, mode: Mode) -> Reconfigured | None:
        """The rebuild ended in another mode than promised: the second message that says so."""
        if mode == self.live:
            return None
        self.live = mode
        return Reconfigured(True, *mode)
