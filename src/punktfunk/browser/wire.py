"""The messages between the host and its player page: one table for both directions, big-endian, a type byte first.

docs/play-in-browser.md describes them, ``web/src/player/wire.ts`` holds the same table, and
tests/wire/vectors/browser.json the answers that both have to give. No I/O.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Any

VERSION = 2
MAX_MESSAGE_BYTES = 72 * 1024
"""The largest message that a page may send: a clipboard text with its head."""


class WireError(ValueError):
    """Bytes that are no message of this version; the text names the field."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a connection. ``codecs``: bits 1 H.264, 2 HEVC, 4 AV1. ``app`` 0 is the first one."""

    version: int
    ticket: str
    width: int
    height: int
    refresh_hz: int
    codecs: int
    audio: bool
    bitrate_kbps: int
    app: int


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """The page cannot decode what comes."""


@dataclass(frozen=True, slots=True)
class BitrateWanted:
    """What the page's own control found."""

    kbps: int


@dataclass(frozen=True, slots=True)
class Resized:
    """The window has another size."""

    width: int
    height: int
    refresh_hz: int


@dataclass(frozen=True, slots=True)
class Ping:
    """``client_us`` comes back unchanged."""

    client_us: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """The page goes away; with ``end`` the session goes too."""

    end: bool


@dataclass(frozen=True, slots=True)
class Visible:
    """Whether somebody can see the page: pictures for a hidden one are not sent."""

    visible: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A physical key by its evdev code."""

    code: int
    pressed: bool
    modifiers: int


@dataclass(frozen=True, slots=True)
class Text:
    """Text to insert as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Move:
    """Relative motion in pixels of the picture."""

    dx: int
    dy: int


@dataclass(frozen=True, slots=True)
class Place:
    """Absolute position in 1/65535 of the picture. May be lost or late: only a newer ``seq`` counts."""

    seq: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Button:
    """A mouse button by its evdev code."""

    code: int
    pressed: bool


@dataclass(frozen=True, slots=True)
class Wheel:
    """120 units a notch, up and right positive."""

    horizontal: int
    vertical: int


@dataclass(frozen=True, slots=True)
class Touch:
    """A finger; ``phase`` indexes ``input_events.PHASES``."""

    phase: int
    pointer_id: int
    x: int
    y: int
    pressure: int


@dataclass(frozen=True, slots=True)
class PadPlugged:
    """A controller is there. ``capabilities`` as in ``PadArrived``."""

    pad: int
    capabilities: int


@dataclass(frozen=True, slots=True)
class PadUnplugged:
    """A controller is gone."""

    pad: int


@dataclass(frozen=True, slots=True)
class Pad:
    """Whole state of a controller; only a newer ``seq`` counts."""

    seq: int
    pad: int
    buttons: int
    left_trigger: int
    right_trigger: int
    left_x: int
    left_y: int
    right_x: int
    right_y: int


@dataclass(frozen=True, slots=True)
class ReleaseAll:
    """The page lost the keyboard's focus."""


@dataclass(frozen=True, slots=True)
class Clipboard:
    """The clipboard of the sender holds this text now. Both directions."""

    text: str


@dataclass(frozen=True, slots=True)
class Voice:
    """One Opus packet of the page's microphone: one channel, numbered one after the other."""

    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ready:
    """Pictures follow. ``grants`` as in ``trust.devices.Grants``; ``audio_packet_ms`` 0: no sound."""

    version: int
    session: str
    width: int
    height: int
    refresh_mhz: int
    grants: int
    bitrate_kbps: int
    audio_channels: int
    audio_packet_ms: int
    encoder: str
    app: str


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """Pictures have this mode now."""

    width: int
    height: int
    refresh_mhz: int


@dataclass(frozen=True, slots=True)
class Pong:
    """``host_us``: the host's monotonic clock, in which frames are stamped."""

    client_us: int
    host_us: int


@dataclass(frozen=True, slots=True)
class Recovering:
    """Pictures stand still while the host repairs something; ``reason`` is empty when they go on."""

    reason: str


class Cause(enum.IntEnum):
    """Why a connection ends, for the page to say in its reader's language."""

    OTHER = 0
    TAKEN_OVER = 1
    SESSION_OVER = 2
    HOST_STOPPING = 3
    REVOKED = 4
    SILENT = 5
    NO_CODEC = 6
    NOT_STARTED = 7
    REFUSED = 8
    NONSENSE = 9
    OTHER_VERSION = 10


@dataclass(frozen=True, slots=True)
class Ended:
    """Last message. ``again``: the page may come back with a new ticket. ``cause`` as in ``Cause``; ``reason`` is a
    sentence."""

    again: bool
    cause: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rumble:
    """Motors of a controller, 0..65535."""

    pad: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class TriggerRumble:
    """Motors in a controller's triggers, 0..65535."""

    pad: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class BitrateSet:
    """The bitrate that the encoder aims at now."""

    kbps: int


@dataclass(frozen=True, slots=True)
class ClipboardTaken:
    """The desktop's clipboard holds what the page sent: a key that pastes may follow."""


@dataclass(frozen=True, slots=True)
class Video:
    """One access unit. ``codec`` is the WebCodecs name on keyframes and empty on others; ``encode_us`` the encoder's
    time, ``queue_us`` from capture to its begin. ``flags``: bits 1 keyframe, 2 first clean picture after a loss."""

    flags: int
    index: int
    capture_us: int
    queue_us: int
    encode_us: int
    codec: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Audio:
    """One Opus packet."""

    seq: int
    capture_us: int
    data: bytes


FromPage = (
    Hello | KeyframeWanted | BitrateWanted | Resized | Ping | Leaving | Key | Text | Move | Place | Button | Wheel
    | Touch | PadPlugged | PadUnplugged | Pad | ReleaseAll | Clipboard | Visible | Voice
)  # fmt: skip
FromHost = (
    Ready | ModeChanged | Pong | Recovering | Ended | Rumble | TriggerRumble | BitrateSet | ClipboardTaken | Clipboard
    | Video | Audio
)  # fmt: skip
Message = FromPage | FromHost

KEYFRAME_FLAG = 1
RECOVERY_FLAG = 2

_LAYOUTS: dict[type, tuple[int, str]] = {
    Hello: (0x01, "u8 str8 u16 u16 u16 u8 flag u32 u32"),
    KeyframeWanted: (0x02, ""),
    BitrateWanted: (0x03, "u32"),
    Resized: (0x04, "u16 u16 u16"),
    Ping: (0x05, "u64"),
    Leaving: (0x06, "flag"),
    Visible: (0x07, "flag"),
    Key: (0x10, "u16 flag u8"),
    Text: (0x11, "str16"),
    Move: (0x12, "i16 i16"),
    Place: (0x13, "u32 u16 u16"),
    Button: (0x14, "u16 flag"),
    Wheel: (0x15, "i16 i16"),
    Touch: (0x16, "u8 u32 u16 u16 u16"),
    PadPlugged: (0x17, "u8 u16"),
    PadUnplugged: (0x18, "u8"),
    Pad: (0x19, "u32 u8 u32 u8 u8 i16 i16 i16 i16"),
    ReleaseAll: (0x1A, ""),
    Clipboard: (0x20, "str"),
    Voice: (0x21, "u32 rest"),
    Ready: (0x81, "u8 str8 u16 u16 u32 u8 u32 u8 u8 str8 str8"),
    ModeChanged: (0x82, "u16 u16 u32"),
    Pong: (0x83, "u64 u64"),
    Recovering: (0x84, "str8"),
    Ended: (0x85, "flag u8 str8"),
    Rumble: (0x86, "u8 u16 u16"),
    TriggerRumble: (0x87, "u8 u16 u16"),
    BitrateSet: (0x88, "u32"),
    ClipboardTaken: (0x89, ""),
    Video: (0x90, "u8 u32 u64 u32 u32 str8 rest"),
    Audio: (0x91, "u32 u64 rest"),
}
_NUMBERS = {"u8": ">B", "u16": ">H", "u32": ">I", "u64": ">Q", "i16": ">h"}
_STRUCTS = {kind: struct.Struct(form) for kind, form in _NUMBERS.items()}
_TYPES: dict[int, tuple[type, tuple[tuple[str, str], ...]]] = {
    code: (cls, tuple(zip(cls.__dataclass_fields__, kinds.split(), strict=True)))  # type: ignore[attr-defined]
    for cls, (code, kinds) in _LAYOUTS.items()
}
HOST_BIT = 0x80


def encode(message: Message) -> bytes:
    """The bytes of a message. Short texts are cut to what fits; raises WireError for a number that does not."""
    code = _LAYOUTS[type(message)][0]
    parts = [bytes((code,))]
    for name, kind in _TYPES[code][1]:
        value = getattr(message, name)
        try:
            parts.append(_put(kind, value))
        except struct.error as error:
            raise WireError(f"{type(message).__name__}: {value} is no {kind}") from error
    return b"".join(parts)


def decode_from_page(data: bytes) -> FromPage:
    """Parse what a page sent. Raises WireError."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"a message of {len(data)} bytes is too long")
    message = decode(data)
    if data[0] & HOST_BIT:
        raise WireError(f"{type(message).__name__} is no message of a page")
    return message  # type: ignore[return-value]


def decode(data: bytes) -> Message:
    """Parse one message of either side. Raises WireError."""
    found = _TYPES.get(data[0]) if data else None
    if found is None:
        raise WireError("an unknown type of message")
    cls, fields = found
    values: list[Any] = []
    at = 1
    for name, kind in fields:
        try:
            value, at = _take(kind, data, at)
        except (struct.error, UnicodeDecodeError, WireError) as error:
            raise WireError(f"{cls.__name__}.{name} is cut off or no {kind}") from error
        values.append(value)
    if at != len(data):
        raise WireError(f"{cls.__name__} has {len(data) - at} bytes too many")
    message: Message = cls(*values)
    return message


def _put(kind: str, value: Any) -> bytes:
    if kind == "flag":
        return b"\1" if value else b"\0"
    if kind == "rest":
        return bytes(value)
    if kind == "str":
        return str(value).encode()
    if kind == "str8":
        return _cut(value, 0xFF, "u8")
    if kind == "str16":
        return _cut(value, 0xFFFF, "u16")
    return _STRUCTS[kind].pack(value)


def _cut(text: str, limit: int, length_kind: str) -> bytes:
    raw = text.encode()[:limit].decode(errors="ignore").encode()
    return _STRUCTS[length_kind].pack(len(raw)) + raw


def _take(kind: str, data: bytes, at: int) -> tuple[Any, int]:
    if kind == "flag":
        (value,) = _STRUCTS["u8"].unpack_from(data, at)
        if value > 1:
            raise WireError("no flag")
        return bool(value), at + 1
    if kind == "rest":
        return data[at:], len(data)
    if kind == "str":
        return data[at:].decode(), len(data)
    if kind in ("str8", "str16"):
        length_kind = "u" + kind[3:]
        (length,) = _STRUCTS[length_kind].unpack_from(data, at)
        at += _STRUCTS[length_kind].size
        if at + length > len(data):
            raise WireError("cut off")
        return data[at : at + length].decode(), at + length
    (value,) = _STRUCTS[kind].unpack_from(data, at)
    return value, at + _STRUCTS[kind].size
