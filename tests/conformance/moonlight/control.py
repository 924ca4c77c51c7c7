"""Control messages: the encrypted envelope and what both sides say in it (gamestream.md §6.5 to §6.8)."""

import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .violations import Violations

ENVELOPE = struct.Struct("<HHI")
INNER = struct.Struct("<HH")
ENCRYPTED = 0x0001

START_A = REQUEST_IDR = 0x0302
START_B = 0x0307
PERIODIC_PING = 0x0200
INVALIDATE_REFERENCES = 0x0301
LTR_ACK = 0x0350
FRAME_FEC_STATUS = 0x5502
INPUT = 0x0206

CHANNEL_GENERIC = 0
CHANNEL_URGENT = 1

PING_PAYLOAD = struct.pack("<H6x", 4)
GRACEFUL = 0x80030023
NO_VIDEO_TRAFFIC = -100
NO_VIDEO_FRAME = -101
UNEXPECTED_EARLY_TERMINATION = -102
TERMINATION_RESULTS = {0x800E9302: -103, 0x800E9403: -104}


class ControlCodec:
    """Seals and opens control messages of one session with either nonce form."""

    def __init__(self, key: bytes, v2: bool, violations: Violations) -> None:
        self._aead, self._v2, self._violations = AESGCM(key), v2, violations
        self._sent = self._expected = 0

    def seal(self, kind: int, payload: bytes) -> bytes:
        sequence, self._sent = self._sent, (self._sent + 1) & 0xFFFFFFFF
        inner = INNER.pack(kind, len(payload)) + payload
        sealed = self._aead.encrypt(self.nonce(sequence, b"CC"), inner, None)
        return ENVELOPE.pack(ENCRYPTED, len(inner) + 20, sequence) + sealed[-16:] + sealed[:-16]

    def open(self, message: bytes) -> tuple[int, bytes] | None:
        """Type and payload of a host message; None when a client would drop it."""
        if len(message) < 28:
            self._violations.add("control.length", f"message of {len(message)} bytes")
            return None
        marker, length, sequence = ENVELOPE.unpack_from(message)
        if marker != ENCRYPTED:
            self._violations.add("control.plaintext", f"type {marker:#06x}")
            return None
        if length != len(message) - 4:
            self._violations.add("control.length", f"field {length}, {len(message) - 4} bytes follow")
            return None
        if sequence != self._expected:
            self._violations.add("control.sequence", f"{sequence}, expected {self._expected}")
        self._expected = (sequence + 1) & 0xFFFFFFFF
        try:
            inner = self._aead.decrypt(self.nonce(sequence, b"HC"), message[24:] + message[8:24], None)
        except InvalidTag:
            self._violations.add("control.tag", f"sequence {sequence}")
            return None
        kind, size = INNER.unpack_from(inner)
        if size != len(inner) - 4:
            self._violations.add("control.inner-length", f"type {kind:#06x}: {size}, {len(inner) - 4} bytes follow")
            return None
        return kind, inner[4:]

    def nonce(self, sequence: int, suffix: bytes) -> bytes:
        if self._v2:
            return struct.pack("<I", sequence) + bytes(6) + suffix
        return bytes([sequence & 0xFF]) + bytes(15)


def invalidate_references(first: int, last: int) -> bytes:
    return struct.pack("<IIIIII", first, 0, last, 0, 0, 0)


def ltr_ack(frame: int) -> bytes:
    return struct.pack("<II", frame, 0)


@dataclass(frozen=True, slots=True)
class FrameFecStatus:
    frame_index: int
    highest_received_seq: int
    next_contiguous_seq: int
    missing_before_highest: int
    total_data: int
    total_parity: int
    received_data: int
    received_parity: int
    fec_percentage: int
    block_index: int
    block_count: int

    def pack(self) -> bytes:
        return struct.pack(
            "!IHHHHHHHBBB",
            self.frame_index,
            self.highest_received_seq,
            self.next_contiguous_seq,
            self.missing_before_highest,
            self.total_data,
            self.total_parity,
            self.received_data,
            self.received_parity,
            self.fec_percentage,
            self.block_index,
            self.block_count,
        )


@dataclass(frozen=True)
class Rumble:
    controller: int
    low_frequency: int
    high_frequency: int


@dataclass(frozen=True)
class TriggerRumble:
    controller: int
    left: int
    right: int


@dataclass(frozen=True)
class MotionRequest:
    controller: int
    rate_hz: int
    sensor: int


@dataclass(frozen=True)
class ControllerLed:
    controller: int
    red: int
    green: int
    blue: int


@dataclass(frozen=True)
class AdaptiveTriggers:
    controller: int
    flags: int
    left_type: int
    right_type: int
    left: bytes
    right: bytes


@dataclass(frozen=True)
class HdrMode:
    """``metadata``: the 13 fields of §6.7 in wire order."""

    enabled: bool
    metadata: tuple[int, ...]


@dataclass(frozen=True)
class Termination:
    code: int


@dataclass(frozen=True)
class UnknownMessage:
    kind: int
    payload: bytes


Feedback = (
    Rumble | TriggerRumble | MotionRequest | ControllerLed | AdaptiveTriggers | HdrMode | Termination | UnknownMessage
)


def parse_feedback(kind: int, payload: bytes, violations: Violations) -> Feedback:
    """A host message as a typed value. A wrong size or an unknown type is a violation and gives UnknownMessage."""
    try:
        match kind:
            case 0x010B:
                return Rumble(*struct.unpack("<4xHHH", payload))
            case 0x5500:
                return TriggerRumble(*struct.unpack("<HHH", payload))
            case 0x5501:
                return MotionRequest(*struct.unpack("<HHB", payload))
            case 0x5502:
                return ControllerLed(*struct.unpack("<HBBB", payload))
            case 0x5503:
                return AdaptiveTriggers(*struct.unpack("<HBBB10s10s", payload))
            case 0x010E:
                enabled, *metadata = struct.unpack("<B13H", payload)
                return HdrMode(bool(enabled), tuple(metadata))
            case 0x0109:
                return Termination(*struct.unpack("!I", payload))
            case _:
                violations.add("control.unknown-type", f"{kind:#06x}")
    except struct.error:
        violations.add("control.payload-size", f"type {kind:#06x}: {len(payload)} bytes")
    return UnknownMessage(kind, payload)


def termination_result(code: int, frame_seen: bool) -> int:
    """The client library's error code for a termination message."""
    if code == GRACEFUL:
        return 0 if frame_seen else UNEXPECTED_EARLY_TERMINATION
    return TERMINATION_RESULTS.get(code, code)
