"""The parameters of ``/launch`` and ``/resume``, parsed once into a typed value (gamestream.md §2.7, §2.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from punktfunk.media.plan import Mode

MIN_PIXELS = 64
MAX_PIXELS = 16384
MAX_REFRESH_MHZ = 1_000_000
STEREO = 0x0003_0002
AUDIO_CHANNEL_COUNTS = (2, 6, 8)

_INTEGER = re.compile(r"-?[0-9]{1,10}\Z")
_RATE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,6})?\Z")
_SURROUND_PARAMS = re.compile(r"[0-9]{5,11}\Z")


class LaunchError(Exception):
    """A parameter is missing or unusable; the message names it."""


class StreamRefused(Exception):
    """The host cannot do what was asked. ``status`` goes into the reply, the message to the client's screen."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a client wants to start. ``mode`` None leaves it to the host; ANNOUNCE has the last word on it.

    ``key_id`` is the unsigned form of ``rikeyid``. ``encrypted_rtsp`` means that the client can do encrypted RTSP,
    control encryption v2 and video encryption.
    """

    key: bytes = field(repr=False)
    key_id: int = field(repr=False)
    app_id: int = 0
    mode: Mode | None = None
    host_audio: bool = False
    optimise_settings: bool = False
    hdr: bool = False
    audio_channels: int = 2
    surround_params: str = ""
    continuous_audio: bool = False
    attached_controllers: int = 0
    keep_controllers: bool = False
    encrypted_rtsp: bool = False
    virtual_display: bool = False
    scale_percent: int = 100

    @property
    def key_iv(self) -> bytes:
        """The 16-byte "rikey IV": the key id big-endian, then zeros."""
        return self.key_id.to_bytes(4, "big") + bytes(12)


def parse_launch(query: Mapping[str, str]) -> LaunchRequest:
    """Read a ``/launch`` query; raises LaunchError."""
    for name in ("appid", "localAudioPlayMode"):
        if name not in query:
            raise LaunchError(f"Missing a required launch parameter: {name}")
    return _parse(query)


def parse_resume(query: Mapping[str, str]) -> LaunchRequest:
    """Read a ``/resume`` query, which requires less; raises LaunchError."""
    return _parse(query)


def _parse(query: Mapping[str, str]) -> LaunchRequest:
    controllers = "remoteControllersBitmap" if "remoteControllersBitmap" in query else "gcmap"
    return LaunchRequest(
        key=_key(query),
        key_id=_integer(query, "rikeyid", -(1 << 31), (1 << 32) - 1) & 0xFFFF_FFFF,
        app_id=_integer(query, "appid", -(1 << 31), (1 << 31) - 1, 0),
        mode=_mode(query.get("mode", "0x0x0")),
        host_audio=_flag(query, "localAudioPlayMode"),
        optimise_settings=_flag(query, "sops"),
        hdr=_flag(query, "hdrMode"),
        audio_channels=_channels(query),
        surround_params=_surround_params(query),
        continuous_audio=_flag(query, "continuousAudio"),
        attached_controllers=_integer(query, controllers, 0, (1 << 32) - 1, 0) & 0xFFFF,
        keep_controllers=_flag(query, "gcpersist"),
        encrypted_rtsp=_integer(query, "corever", 0, 1 << 16, 0) >= 1,
        virtual_display=_flag(query, "virtualDisplay"),
        scale_percent=_integer(query, "scaleFactor", 20, 500, 100),
    )


def _integer(query: Mapping[str, str], name: str, low: int, high: int, default: int | None = None) -> int:
    text = query.get(name)
    if text is None or (text == "" and default is not None):
        if default is None:
            raise LaunchError(f"Missing a required launch parameter: {name}")
        return default
    if not _INTEGER.match(text) or not low <= int(text) <= high:
        raise LaunchError(f"Launch parameter {name} is not a number from {low} to {high}")
    return int(text)


def _flag(query: Mapping[str, str], name: str) -> bool:
    return _integer(query, name, -(1 << 31), (1 << 32) - 1, 0) != 0


def _key(query: Mapping[str, str]) -> bytes:
    text = query.get("rikey")
    if text is None:
        raise LaunchError("Missing a required launch parameter: rikey")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16 or len(text) != 32:
        raise LaunchError("Launch parameter rikey is not 32 hex digits")
    return key


def _mode(text: str) -> Mode | None:
    """``WxHxFPS``. A rate below 1000 is in hertz and may have a fraction, from 1000 on it is in millihertz."""
    parts = text.split("x")
    sizes_ok = len(parts) == 3 and all(re.fullmatch("[0-9]{1,5}", part) for part in parts[:2])
    if not sizes_ok or not _RATE.match(parts[2]):
        raise LaunchError("Launch parameter mode is not WIDTHxHEIGHTxFPS")
    width, height, rate = int(parts[0]), int(parts[1]), float(parts[2])
    if 0 in (width, height, rate):
        return None
    refresh_mhz = round(rate * 1000 if rate < 1000 else rate)
    if not (MIN_PIXELS <= width <= MAX_PIXELS and MIN_PIXELS <= height <= MAX_PIXELS):
        raise LaunchError(f"Launch parameter mode: width and height must be from {MIN_PIXELS} to {MAX_PIXELS}")
    if not 1000 <= refresh_mhz <= MAX_REFRESH_MHZ:
        raise LaunchError("Launch parameter mode: the rate must be from 1 to 1000 Hz")
    return Mode(width, height, refresh_mhz)


def _channels(query: Mapping[str, str]) -> int:
    channels = _integer(query, "surroundAudioInfo", 0, (1 << 32) - 1, STEREO) & 0xFFFF
    if channels not in AUDIO_CHANNEL_COUNTS:
        raise LaunchError("Launch parameter surroundAudioInfo must have 2, 6 or 8 channels")
    return channels


def _surround_params(query: Mapping[str, str]) -> str:
    """Digits only: the text is repeated in the DESCRIBE reply. What they mean is judged by the audio layouts."""
    text = query.get("surroundParams", "")
    if text and not _SURROUND_PARAMS.match(text):
        raise LaunchError("Launch parameter surroundParams is not 5 to 11 digits")
    return text
