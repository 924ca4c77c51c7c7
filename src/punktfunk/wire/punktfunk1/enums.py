"""Numbers with names (punktfunk1.md §2.5, §4.4, §4.5, §6.8, §6.13)."""

from __future__ import annotations

import enum
from typing import Self


class Compositor(enum.IntEnum):
    """Which display backend is wished for or used; unknown numbers mean AUTO."""

    AUTO = 0
    KWIN = 1
    WLROOTS = 2
    MUTTER = 3
    GAMESCOPE = 4
    HYPRLAND = 5
    WINDOWS = 6

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls(0)


class Gamepad(enum.IntEnum):
    """Kind of controller; unknown numbers mean AUTO."""

    AUTO = 0
    XBOX_360 = 1
    DUALSENSE = 2
    XBOX_ONE = 3
    DUALSHOCK_4 = 4
    STEAM_CONTROLLER = 5
    STEAM_DECK = 6
    DUALSENSE_EDGE = 7
    SWITCH_PRO = 8
    STEAM_CONTROLLER_2 = 9
    STEAM_CONTROLLER_2_PUCK = 10
    XBOX_ELITE = 11

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls(0)


class VideoCodec(enum.IntFlag):
    """Codec bits of Hello and Welcome (§4.4)."""

    NONE = 0
    H264 = 1
    HEVC = 2
    AV1 = 4
    PYROWAVE = 8


class FecScheme(enum.IntEnum):
    """Field of the erasure code (§5.6)."""

    GF8 = 0
    GF16 = 1


class Cipher(enum.IntEnum):
    """Sealing of the video plane (§5.4)."""

    AES_128_GCM = 0
    CHACHA20_POLY1305 = 1


class AudioCodec(enum.IntEnum):
    """Codec of the desktop audio plane (§8)."""

    OPUS = 0
    PCM = 1


class CloseCode(enum.IntEnum):
    """QUIC application close codes (§2.5)."""

    DONE = 0x00
    ERROR = 0x01
    BUSY = 0x42
    USER_QUIT = 0x51
    APP_EXITED = 0x52
    NOT_ARMED = 0x60
    ARMED_FOR_OTHER = 0x61
    RATE_LIMITED = 0x62
    IDENTITY_REQUIRED = 0x63
    DENIED = 0x64
    APPROVAL_TIMEOUT = 0x65
    SUPERSEDED = 0x66
    WIRE_VERSION = 0x67
    SETUP_FAILED = 0x68
    ACCESS_EXPIRED = 0x69
    LAUNCH_FORBIDDEN = 0x6A
    POWERING_DOWN = 0x6B
    UNKNOWN_PROFILE = 0x6C
    NO_SEAT = 0x6D
    SEAT_OCCUPIED = 0x6E
    SEAT_UNAVAILABLE = 0x6F


CLOSE_SENTENCES: dict[int, str] = {
    CloseCode.DONE: "the session is over",
    CloseCode.ERROR: "the host reports an error",
    CloseCode.BUSY: "the host is busy: all its sessions are taken",
    CloseCode.USER_QUIT: "the session was quit",
    CloseCode.APP_EXITED: "the launched application exited",
    CloseCode.NOT_ARMED: "the host does not wait for a PIN; start pairing there first",
    CloseCode.ARMED_FOR_OTHER: "the host waits for another device's PIN",
    CloseCode.RATE_LIMITED: "too many pairing attempts; wait a few seconds",
    CloseCode.IDENTITY_REQUIRED: "the host wants a client certificate",
    CloseCode.DENIED: "the host's owner denied the request",
    CloseCode.APPROVAL_TIMEOUT: "nobody at the host approved the request in time",
    CloseCode.SUPERSEDED: "a newer connection of this device took over",
    CloseCode.WIRE_VERSION: "host and client speak different versions; update the older one",
    CloseCode.SETUP_FAILED: "the host could not start the session",
    CloseCode.ACCESS_EXPIRED: "this device's access to the host expired",
    CloseCode.LAUNCH_FORBIDDEN: "this device may not launch programs on the host",
    CloseCode.POWERING_DOWN: "the host is powering down",
    CloseCode.UNKNOWN_PROFILE: "the host does not know that profile",
    CloseCode.NO_SEAT: "the host has no seat for this session",
    CloseCode.SEAT_OCCUPIED: "the host's seat is occupied",
    CloseCode.SEAT_UNAVAILABLE: "the host's seat is not available",
}
"""Each code in words for a person, who may be on either side."""
MAX_CLOSE_REASON_BYTES = 256

STREAM_CANCELLED = 0x70
"""RESET_STREAM and STOP_SENDING code of a cancelled clipboard transfer."""


class ClipReason(enum.IntEnum):
    """Why the clipboard is as ClipState says (§6.8)."""

    OK = 0
    UNAVAILABLE = 1
    TAKEN_OVER = 2
    DISABLED = 3
    FILES_FORBIDDEN = 4
    NOT_PERMITTED = 5


class FetchStatus(enum.IntEnum):
    """Answer to a clipboard fetch (§6.8)."""

    OK = 0
    STALE = 1
    UNAVAILABLE = 2
    DENIED = 3


class BitrateReason(enum.IntEnum):
    """Late: why a bitrate was applied (§6.3)."""

    GRANTED = 0
    ENCODER_LIMIT = 1
    CADENCE = 2
    GOVERNOR = 3
    PINNED = 4


class LaunchKind(enum.IntEnum):
    """Late: what became of a launch (§6.13)."""

    SPAWNED = 0
    ADOPTED = 1
    ADOPTED_UNKNOWN = 2
    REFUSED = 3
    FAILED = 4
    SIGN_IN_NEEDED = 5
