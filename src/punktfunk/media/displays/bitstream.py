"""As much of the H.264, HEVC and AV1 bitstreams as a source must know: keyframes, and SEI that nobody needs."""

from __future__ import annotations

from collections.abc import Iterator

from punktfunk.media.frames import Codec

_START_CODE = b"\0\0\1"
_SCANNED_BYTES = 4096
_OBU_SEQUENCE_HEADER, _OBU_TEMPORAL_DELIMITER = 1, 2
_H264_SLICES, _H264_SEI, _H264_SPS = range(1, 6), 6, 7
_HEVC_SLICES, _HEVC_SEI, _HEVC_VPS = range(0, 32), (39, 40), 32


def is_keyframe(codec: Codec, unit: bytes | memoryview) -> bool:
    """Whether an access unit carries its parameter sets, as only keyframes do here."""
    if codec is Codec.AV1:
        return _starts_with_sequence_header(bytes(unit[:8]))
    wanted = _H264_SPS if codec is Codec.H264 else _HEVC_VPS
    return any(kind == wanted for kind, _, _ in _leading_nals(codec, bytes(unit[:_SCANNED_BYTES])))


def without_sei(codec: Codec, unit: bytes | memoryview) -> bytes | memoryview:
    """The access unit without the SEI messages in front of its first slice.

    x264 and x265 write their settings there, and the parameter sets must fit into one packet (gamestream.md §4.9).
    """
    if codec is Codec.AV1:
        return unit
    head = bytes(unit[:_SCANNED_BYTES])
    sei = (_H264_SEI,) if codec is Codec.H264 else _HEVC_SEI
    cuts = [(start, end) for kind, start, end in _leading_nals(codec, head) if kind in sei]
    if not cuts or cuts[-1][1] >= len(head) < len(unit):
        return unit
    kept = bytearray()
    position = 0
    for start, end in cuts:
        kept += head[position:start]
        position = end
    return bytes(kept + head[position:] + bytes(unit[len(head) :]))


def _leading_nals(codec: Codec, head: bytes) -> Iterator[tuple[int, int, int]]:
    """NAL type, begin (with its start code) and end of the units up to the first slice."""
    start = head.find(_START_CODE)
    while start >= 0 and start + 3 < len(head):
        begin = start - 1 if start > 0 and head[start - 1] == 0 else start
        header = head[start + 3]
        kind = header & 0x1F if codec is Codec.H264 else (header >> 1) & 0x3F
        if kind in (_H264_SLICES if codec is Codec.H264 else _HEVC_SLICES):
            return
        start = head.find(_START_CODE, start + 3)
        end = len(head) if start < 0 else start - 1 if head[start - 1] == 0 else start
        yield kind, begin, end


def _starts_with_sequence_header(head: bytes) -> bool:
    position = 0
    while position < len(head):
        kind = (head[position] >> 3) & 0xF
        if kind != _OBU_TEMPORAL_DELIMITER:
            return kind == _OBU_SEQUENCE_HEADER
        position += 2 if head[position] & 2 else 1
    return False
