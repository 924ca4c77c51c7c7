"""The v1 table of control messages: type number, layout, value (punktfunk1.md §3.2, §6)."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from typing import Any

from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.reader import Reader, bounded_text, cut_text

CONTROL_MAGIC = b"PKFc"
MAX_PAIR_NAME_BYTES = 64
SPAKE_MESSAGE_BYTES = 33
CONFIRMATION_BYTES = 32
MAX_DEVICE_KEY_BYTES = 256
MAX_CLIP_FORMATS = 16
MAX_MIME_BYTES = 128
MAX_LAUNCH_MESSAGE_BYTES = 200
MAX_REFUSED_REASON_BYTES = 256
INPUT_EVENT_BYTES = 18

_PREFIX_BYTES = len(CONTROL_MAGIC) + 1
_COHERENCE_UNKNOWN = 0xFFFF


@dataclasses.dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    value: type[Any]
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def _fixed(number: int, value: type[Any], *layouts: str) -> _Entry:
    """A message of fixed fields. With several layouts each is a prefix of the next, and fields that are None at the
    end of a value select the shorter one."""
    structs = [struct.Struct("<" + layout) for layout in layouts]
    by_size = {s.size: s for s in structs}
    names = [f.name for f in dataclasses.fields(value)]

    def decode(body: bytes) -> Any:
        layout = by_size.get(len(body))
        if layout is None:
            raise MalformedError(value.__name__, f"body of {len(body)} bytes instead of {sorted(by_size)}")
        return value(*layout.unpack(body))

    def encode(message: Any) -> bytes:
        fields = [getattr(message, name) for name in names]
        while fields and fields[-1] is None:
            fields.pop()
        layout = next(s for s in structs if len(s.unpack(bytes(s.size))) == len(fields))
        try:
            return layout.pack(*fields)
        except struct.error as error:
            raise MalformedError(value.__name__, str(error)) from None

    return _Entry(number, value, decode, encode)


def _decode_phase_report(body: bytes) -> m.PhaseReport:
    message: m.PhaseReport = _PHASE_REPORT.decode(body)
    return dataclasses.replace(message, coherence=None) if message.coherence == _COHERENCE_UNKNOWN else message


def _decode_clip_offer(body: bytes) -> m.ClipOffer:
    reader = Reader(body, "ClipOffer")
    seq, count = reader.unsigned(4, "seq"), reader.unsigned(1, "count")
    if count > MAX_CLIP_FORMATS:
        raise MalformedError("ClipOffer.count", f"{count}, at most {MAX_CLIP_FORMATS} allowed")
    formats = tuple(m.ClipFormat(_mime(reader), reader.unsigned(8, "size_hint")) for _ in range(count))
    reader.end()
    return m.ClipOffer(seq, formats)


def _encode_clip_offer(offer: m.ClipOffer) -> bytes:
    if len(offer.formats) > MAX_CLIP_FORMATS:
        raise MalformedError("ClipOffer.count", f"{len(offer.formats)}, at most {MAX_CLIP_FORMATS} allowed")
    head = struct.pack("<IB", offer.seq, len(offer.formats))
    return head + b"".join(_mime_bytes(f.mime) + struct.pack("<Q", f.size_hint) for f in offer.formats)


def _decode_clip_fetch(body: bytes) -> m.ClipFetch:
    reader = Reader(body, "ClipFetch")
    seq, file_index = reader.unsigned(4, "seq"), reader.unsigned(4, "file_index")
    fetch = m.ClipFetch(seq, _mime(reader), file_index)
    reader.end()
    return fetch


def _encode_clip_fetch(fetch: m.ClipFetch) -> bytes:
    return struct.pack("<II", fetch.seq, fetch.file_index) + _mime_bytes(fetch.mime)


def _decode_cursor_shape(body: bytes) -> m.CursorShape:
    reader = Reader(body, "CursorShape")
    serial = reader.unsigned(4, "serial")
    width, height, hot_x, hot_y = (reader.unsigned(2, name) for name in ("width", "height", "hot_x", "hot_y"))
    shape = m.CursorShape(serial, width, height, hot_x, hot_y, reader.rest())
    _check_cursor(shape)
    return shape


def _encode_cursor_shape(shape: m.CursorShape) -> bytes:
    _check_cursor(shape)
    return struct.pack("<I4H", shape.serial, shape.width, shape.height, shape.hot_x, shape.hot_y) + shape.rgba


def _check_cursor(shape: m.CursorShape) -> None:
    if not (1 <= shape.width <= m.MAX_CURSOR_SIDE and 1 <= shape.height <= m.MAX_CURSOR_SIDE):
        raise MalformedError("CursorShape.size", f"{shape.width}x{shape.height} is outside 1..{m.MAX_CURSOR_SIDE}")
    if len(shape.rgba) != shape.width * shape.height * 4:
        raise MalformedError("CursorShape.rgba", f"{len(shape.rgba)} bytes for {shape.width}x{shape.height}")


def _decode_launch_outcome(body: bytes) -> m.LaunchOutcome:
    reader = Reader(body, "LaunchOutcome")
    kind = reader.unsigned(1, "kind")
    outcome = m.LaunchOutcome(kind, reader.text(reader.unsigned(1, "length"), MAX_LAUNCH_MESSAGE_BYTES, "message"))
    reader.end()
    return outcome


def _encode_launch_outcome(outcome: m.LaunchOutcome) -> bytes:
    raw = cut_text(outcome.message, MAX_LAUNCH_MESSAGE_BYTES)
    return bytes([outcome.kind, len(raw)]) + raw


def _decode_pair_request(body: bytes) -> m.PairRequest:
    reader = Reader(body, "PairRequest")
    size = reader.unsigned(1, "name_len")
    if size > MAX_PAIR_NAME_BYTES:
        raise MalformedError("PairRequest.name", f"{size} bytes, at most {MAX_PAIR_NAME_BYTES} allowed")
    name = reader.take(size, "name").decode(errors="replace")
    spake_a = _sized(reader, SPAKE_MESSAGE_BYTES, "spake_a")
    device_key = None
    if reader.remaining:
        device_key = reader.take(min(reader.unsigned(2, "device_key_len"), MAX_DEVICE_KEY_BYTES), "device_key")
    reader.end()
    return m.PairRequest(name, spake_a, device_key)


def _encode_pair_request(request: m.PairRequest) -> bytes:
    name = cut_text(request.name, MAX_PAIR_NAME_BYTES)
    key = request.device_key
    tail = b"" if key is None else len(key).to_bytes(2, "little") + key
    return bytes([len(name)]) + name + _with_size(request.spake_a) + tail


def _decode_pair_challenge(body: bytes) -> m.PairChallenge:
    reader = Reader(body, "PairChallenge")
    spake_b = _sized(reader, SPAKE_MESSAGE_BYTES, "spake_b")
    challenge = m.PairChallenge(spake_b, reader.take(CONFIRMATION_BYTES, "confirmation"))
    reader.end()
    return challenge


def _encode_pair_challenge(challenge: m.PairChallenge) -> bytes:
    return _with_size(challenge.spake_b) + challenge.confirmation


def _decode_refused(body: bytes) -> m.Refused:
    reader = Reader(body, "Refused")
    code = reader.unsigned(4, "code")
    refused = m.Refused(code, reader.text(reader.unsigned(2, "length"), MAX_REFUSED_REASON_BYTES, "reason"))
    reader.end()
    return refused


def _encode_refused(refused: m.Refused) -> bytes:
    return struct.pack("<I", refused.code) + _with_size(cut_text(refused.reason, MAX_REFUSED_REASON_BYTES))


def _mime(reader: Reader) -> str:
    return reader.text(reader.unsigned(1, "mime_len"), MAX_MIME_BYTES, "mime")


def _mime_bytes(mime: str) -> bytes:
    raw = bounded_text(mime, MAX_MIME_BYTES, "mime")
    return bytes([len(raw)]) + raw


def _sized(reader: Reader, size: int, field: str) -> bytes:
    announced = reader.unsigned(2, f"{field}_len")
    if announced != size:
        raise MalformedError(field, f"{announced} bytes instead of {size}")
    return reader.take(size, field)


def _with_size(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "little") + raw


_PHASE_REPORT = _fixed(0x32, m.PhaseReport, "QIII", "QIIIH")

_ENTRIES = (
    _fixed(0x01, m.Reconfigure, "III"),
    _fixed(0x02, m.Reconfigured, "?III"),
    _fixed(0x03, m.RequestKeyframe, ""),
    _fixed(0x04, m.LossReport, "I"),
    _fixed(0x05, m.SetBitrate, "I"),
    _fixed(0x06, m.BitrateChanged, "I", "IB"),
    _fixed(0x07, m.RfiRequest, "II"),
    _fixed(0x08, m.ShardPayloadChanged, "H"),
    _fixed(0x09, m.ShardPayloadAck, "H"),
    _fixed(0x0A, m.PipelineGap, "I"),
    _fixed(0x0B, m.DeliveryReport, "Q"),
    _fixed(0x0C, m.LinkReport, "I"),
    _fixed(0x0D, m.SetDelivery, "B"),
    _fixed(0x0E, m.DeliveryChanged, "B?"),
    _fixed(0x0F, m.HostFacts, "BIIB"),
    _Entry(0x10, m.PairRequest, _decode_pair_request, _encode_pair_request),
    _Entry(0x11, m.PairChallenge, _decode_pair_challenge, _encode_pair_challenge),
    _fixed(0x12, m.PairProof, f"{CONFIRMATION_BYTES}s"),
    _fixed(0x13, m.PairResult, "?"),
    _Entry(0x16, m.Refused, _decode_refused, _encode_refused),
    _fixed(0x20, m.ProbeRequest, "II"),
    _fixed(0x21, m.ProbeResult, "QII", "QIIII"),
    _fixed(0x22, m.ProbeShaped, "IIHII"),
    _fixed(0x30, m.ClockProbe, "Q"),
    _fixed(0x31, m.ClockEcho, "QQQ"),
    dataclasses.replace(_PHASE_REPORT, decode=_decode_phase_report),
    _fixed(0x40, m.ClipControl, "?B"),
    _fixed(0x41, m.ClipState, "?BB"),
    _Entry(0x42, m.ClipOffer, _decode_clip_offer, _encode_clip_offer),
    _Entry(0x43, m.ClipFetch, _decode_clip_fetch, _encode_clip_fetch),
    _fixed(0x44, m.ClipFetchHeader, "BQ"),
    _Entry(0x50, m.CursorShape, _decode_cursor_shape, _encode_cursor_shape),
    _fixed(0x51, m.CursorRender, "?"),
    _fixed(0x58, m.AccessUpdate, "II"),
    _fixed(0x59, m.AudioState, "?"),
    _Entry(0x5A, m.LaunchOutcome, _decode_launch_outcome, _encode_launch_outcome),
    _fixed(0x5B, m.PadSlots, "H"),
    _fixed(0x5C, m.InputEdge, f"{INPUT_EVENT_BYTES}s"),
)
_BY_TYPE = {entry.number: entry for entry in _ENTRIES}
_BY_VALUE = {entry.value: entry for entry in _ENTRIES}


def decode_control(payload: bytes) -> m.ControlMessage:
    """One payload of the control stream. Messages of an unknown type come back as ``Unknown``; a known type with a
    wrong length or content raises ``MalformedError``."""
    if payload[:4] != CONTROL_MAGIC or len(payload) < _PREFIX_BYTES:
        return m.Unknown(None)
    entry = _BY_TYPE.get(payload[4])
    if entry is None:
        return m.Unknown(payload[4])
    message: m.ControlMessage = entry.decode(payload[_PREFIX_BYTES:])
    return message


def encode_control(message: m.ControlMessage) -> bytes:
    """The payload of one message, without its frame."""
    entry = _BY_VALUE[type(message)]
    return CONTROL_MAGIC + bytes([entry.number]) + entry.encode(message)
