"""GameStream's control messages, inside their envelope (gamestream.md §6.7, §6.8). All little-endian but for the
frame FEC status and the termination code."""

from __future__ import annotations

import struct
from collections.abc import Callable

import msgspec

from punktfunk.input.events import Feedback, LightChanged, MotionRequested, Rumbled, TriggerEffect, TriggersRumbled

TERMINATION_GRACEFUL = 0x80030023
TERMINATION_FRAME_CONVERSION = 0x800E9403
TERMINATION_PROTECTED_CONTENT = 0x800E9302


class ControlError(Exception):
    """A control message whose payload is not what its type says; the text names the field."""


class RequestIdr(msgspec.Struct, frozen=True):
    """The client needs a frame that decodes on its own; the first one is also "start A"."""


class StartB(msgspec.Struct, frozen=True):
    """Second half of the client's start; wants nothing."""


class PeriodicPing(msgspec.Struct, frozen=True):
    """The client lives; comes every 100 ms."""


class InvalidateReferenceFrames(msgspec.Struct, frozen=True):
    """Frames ``first`` to ``last``, inclusive, are lost or damaged and must not be predicted from."""

    first: int
    last: int


class LtrAcknowledged(msgspec.Struct, frozen=True):
    """The client decoded this frame and keeps it as a long-term reference."""

    frame: int


class FrameFecStatus(msgspec.Struct, frozen=True):
    """What arrived of one FEC block, sent after it needed recovery or was lost."""

    frame: int
    highest_received_sequence: int
    next_contiguous_sequence: int
    missing_before_highest: int
    data_packets: int
    parity_packets: int
    received_data: int
    received_parity: int
    fec_percentage: int
    block: int
    block_count: int


class LossStatistics(msgspec.Struct, frozen=True):
    """Lost packets in an interval, from old clients only."""

    lost_packets: int
    interval_ms: int
    last_good_frame: int


class InputPacket(msgspec.Struct, frozen=True):
    """One input packet (gamestream.md §7), still encoded."""

    payload: bytes


class Unknown(msgspec.Struct, frozen=True):
    """A message of a type that this host does not know; to be ignored."""

    kind: int


ClientMessage = (
    RequestIdr
    | StartB
    | PeriodicPing
    | InvalidateReferenceFrames
    | LtrAcknowledged
    | FrameFecStatus
    | LossStatistics
    | InputPacket
    | Unknown
)

_INVALIDATE = struct.Struct("<QQ8x")
_LTR_ACKNOWLEDGED = struct.Struct("<I4x")
_FRAME_FEC_STATUS = struct.Struct(">IHHHHHHHBBB")
_LOSS_STATISTICS = struct.Struct("<II4xQ12x")


def _unpack(name: str, fields: struct.Struct, payload: bytes) -> tuple[int, ...]:
    if len(payload) != fields.size:
        raise ControlError(f"{name}: {len(payload)} bytes instead of {fields.size}")
    return fields.unpack(payload)


def _parse_invalidate(payload: bytes) -> InvalidateReferenceFrames:
    first, last = _unpack("invalidate reference frames", _INVALIDATE, payload)
    if first > last or last > 0xFFFF_FFFF:
        raise ControlError(f"invalidate reference frames: {first} to {last} is not a range of frames")
    return InvalidateReferenceFrames(first, last)


_PARSERS: dict[int, Callable[[bytes], ClientMessage]] = {
    # The payloads of the first three carry nothing, and clients do not agree on them.
    0x0302: lambda _: RequestIdr(),
    0x0307: lambda _: StartB(),
    0x0200: lambda _: PeriodicPing(),
    0x0301: _parse_invalidate,
    0x0350: lambda payload: LtrAcknowledged(*_unpack("LTR acknowledgement", _LTR_ACKNOWLEDGED, payload)),
    0x5502: lambda payload: FrameFecStatus(*_unpack("frame FEC status", _FRAME_FEC_STATUS, payload)),
    0x0201: lambda payload: LossStatistics(*_unpack("loss statistics", _LOSS_STATISTICS, payload)),
    0x0206: InputPacket,
}


def parse(kind: int, payload: bytes) -> ClientMessage:
    """A client's message from its type and payload. Raises :class:`ControlError`."""
    parser = _PARSERS.get(kind)
    return Unknown(kind) if parser is None else parser(payload)


class HdrMetadata(msgspec.Struct, frozen=True):
    """Mastering display and content light. Chromaticities x, y in 1/50000, luminances in nits, ``min_luminance`` in
    1/10000 nit."""

    red: tuple[int, int]
    green: tuple[int, int]
    blue: tuple[int, int]
    white: tuple[int, int]
    max_luminance: int
    min_luminance: int
    max_content_light: int = 0
    max_frame_average_light: int = 0
    max_full_frame_luminance: int = 0


class HdrMode(msgspec.Struct, frozen=True):
    """Whether the video is Rec 2020 PQ from now on; without metadata the client assumes none."""

    enabled: bool
    metadata: HdrMetadata | None = None


_HDR_METADATA = struct.Struct("<13H")
_RUMBLE_PREFIX = 0x00C0FFEE
_LEFT_TRIGGER, _RIGHT_TRIGGER = 0x08, 0x04


def encode_feedback(event: Feedback) -> tuple[int, bytes] | None:
    """Type and payload of a controller's feedback, None for what GameStream has no message for (player LEDs)."""
    match event:
        case Rumbled(pad=pad, low=low, high=high):
            return 0x010B, struct.pack("<IHHH", _RUMBLE_PREFIX, pad, low, high)
        case TriggersRumbled(pad=pad, left=left, right=right):
            return 0x5500, struct.pack("<HHH", pad, left, right)
        case MotionRequested(pad=pad, sensor=sensor, rate_hz=rate_hz):
            return 0x5501, struct.pack("<HHB", pad, rate_hz, sensor)
        case LightChanged(pad=pad, red=red, green=green, blue=blue):
            return 0x5502, struct.pack("<HBBB", pad, red, green, blue)
        case TriggerEffect(pad=pad, side=0):
            return encode_trigger_effects(pad, left=event)
        case TriggerEffect(pad=pad):
            return encode_trigger_effects(pad, right=event)
    return None


def encode_trigger_effects(
    pad: int, *, left: TriggerEffect | None = None, right: TriggerEffect | None = None
) -> tuple[int, bytes]:
    """Type and payload of an adaptive-trigger message that changes one trigger or both."""
    flags = (_LEFT_TRIGGER if left else 0) | (_RIGHT_TRIGGER if right else 0)
    modes = [effect.mode if effect else 0 for effect in (left, right)]
    parameters = [effect.parameters if effect else b"" for effect in (left, right)]
    return 0x5503, struct.pack("<HBBB10s10s", pad, flags, *modes, *parameters)


def encode_hdr(mode: HdrMode) -> tuple[int, bytes]:
    """Type and payload of the HDR mode; absent metadata is all zero."""
    metadata = mode.metadata
    if metadata is None:
        return 0x010E, bytes([mode.enabled]) + bytes(_HDR_METADATA.size)
    return 0x010E, bytes([mode.enabled]) + _HDR_METADATA.pack(
        *metadata.red,
        *metadata.green,
        *metadata.blue,
        *metadata.white,
        metadata.max_luminance,
        metadata.min_luminance,
        metadata.max_content_light,
        metadata.max_frame_average_light,
        metadata.max_full_frame_luminance,
    )


def encode_termination(code: int) -> tuple[int, bytes]:
    """Type and payload of the end of the session; the code decides what the client shows (gamestream.md §6.8)."""
    return 0x0109, struct.pack(">I", code)
