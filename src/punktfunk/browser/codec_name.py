"""What WebCodecs calls a stream, read from a keyframe's parameter sets (RFC 6381; ISO/IEC 14496-15 Annex E)."""

from __future__ import annotations

from punktfunk.media.frames import Codec
from punktfunk.media.plan import VideoPlan

_H264_SPS = 7
_HEVC_SPS = 33
_SEARCH_BYTES = 4096


def codec_name(plan: VideoPlan, keyframe: bytes | memoryview) -> str:
    """The name for a VideoDecoder; empty when the keyframe carries no parameter sets."""
    head = bytes(keyframe[:_SEARCH_BYTES])
    match plan.codec:
        case Codec.H264:
            return _h264(head)
        case Codec.HEVC:
            return _hevc(head)
        case Codec.AV1:
            level = "05" if plan.mode.width * plan.mode.height <= 1280 * 720 else "13"
            return f"av01.{1 if plan.chroma_444 else 0}.{level}M.{plan.bit_depth:02d}"


def _h264(head: bytes) -> str:
    for unit in _units(head):
        if len(unit) >= 4 and unit[0] & 0x1F == _H264_SPS:
            return f"avc1.{unit[1:4].hex().upper()}"
    return ""


def _hevc(head: bytes) -> str:
    for unit in _units(head):
        if len(unit) >= 2 and (unit[0] >> 1) & 0x3F == _HEVC_SPS:
            level = unit[2:].replace(b"\0\0\3", b"\0\0")
            if len(level) < 13:
                return ""
            tier, profile = ("H" if level[1] & 0x20 else "L"), level[1] & 0x1F
            compatibility = int(f"{int.from_bytes(level[2:6], 'big'):032b}"[::-1], 2)
            constraints = level[6:12].rstrip(b"\0") or b"\0"
            text = ".".join(f"{byte:X}" for byte in constraints)
            return f"hev1.{profile}.{compatibility:X}.{tier}{level[12]}.{text}"
    return ""


def _units(head: bytes) -> list[bytes]:
    return [part.rstrip(b"\0") if part.endswith(b"\0") else part for part in head.split(b"\0\0\1")[1:]]
