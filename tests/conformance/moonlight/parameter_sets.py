"""Just enough of SPS and AV1 sequence headers to compare a stream with what was asked.

H.264 §7.3.2.1, H.265 §7.3.2.2, AV1 §5.5.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PictureFormat:
    width: int
    height: int
    bits_per_sample: int
    chroma444: bool
    reorder_frames: int | None
    """None when the bitstream does not say."""
    reference_frames: int | None
    """H.264 only: HEVC states a buffer size, AV1 nothing."""


class BitReader:
    """Most significant bit first. Reading past the end raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data), len(data) * 8

    def bits(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("parameter set too short")
        return self._value >> self._left & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.bits(1))

    def ue(self) -> int:
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("exp-Golomb code too long")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def skip_ue(self, count: int) -> None:
        for _ in range(count):
            self.ue()


def unescape(nal: bytes) -> bytes:
    """Remove emulation prevention bytes."""
    out = bytearray()
    zeros = 0
    for byte in nal:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        zeros = zeros + 1 if byte == 0 else 0
        out.append(byte)
    return bytes(out)


_H264_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def h264_sps(nal: bytes) -> PictureFormat:
    """``nal`` starts with the NAL header byte."""
    read = BitReader(unescape(nal[1:]))
    profile = read.bits(8)
    read.bits(16)
    read.ue()
    chroma, depth = 1, 8
    if profile in _H264_HIGH:
        chroma = read.ue()
        if chroma == 3:
            read.flag()
        depth = 8 + read.ue()
        read.ue()
        read.flag()
        if read.flag():
            _skip_scaling_lists(read, 12 if chroma == 3 else 8)
    read.ue()
    order = read.ue()
    if order == 0:
        read.ue()
    elif order == 1:
        read.flag()
        read.se()
        read.se()
        read.skip_ue(read.ue())
    references = read.ue()
    read.flag()
    width, height = (read.ue() + 1) * 16, (read.ue() + 1) * 16
    frame_only = read.flag()
    height *= 1 if frame_only else 2
    if not frame_only:
        read.flag()
    read.flag()
    if read.flag():
        unit_x = 2 if chroma in (1, 2) else 1
        unit_y = (2 if chroma == 1 else 1) * (1 if frame_only else 2)
        left, right, top, bottom = read.ue(), read.ue(), read.ue(), read.ue()
        width, height = width - (left + right) * unit_x, height - (top + bottom) * unit_y
    reorder = _h264_reorder_frames(read) if read.flag() else None
    return PictureFormat(
        width, height, depth, chroma == 3, 0 if order == 2 and reorder is None else reorder, references
    )


def _skip_scaling_lists(read: BitReader, count: int) -> None:
    for index in range(count):
        if not read.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + read.se()) % 256
            last = following or last


def _h264_reorder_frames(read: BitReader) -> int | None:
    if read.flag() and read.bits(8) == 255:
        read.bits(32)
    if read.flag():
        read.flag()
    if read.flag():
        read.bits(4)
        if read.flag():
            read.bits(24)
    if read.flag():
        read.skip_ue(2)
    if read.flag():
        read.bits(65)
    hrd = 0
    for _ in range(2):
        if read.flag():
            hrd += 1
            _skip_hrd(read)
    if hrd:
        read.flag()
    read.flag()
    if not read.flag():
        return None
    read.flag()
    read.skip_ue(4)
    return read.ue()


def _skip_hrd(read: BitReader) -> None:
    count = read.ue() + 1
    read.bits(8)
    for _ in range(count):
        read.skip_ue(2)
        read.flag()
    read.bits(20)


def hevc_sps(nal: bytes) -> PictureFormat:
    """``nal`` starts with the two NAL header bytes."""
    read = BitReader(unescape(nal[2:]))
    read.bits(4)
    sub_layers = read.bits(3)
    read.flag()
    _skip_profile_tier_level(read, sub_layers)
    read.ue()
    chroma = read.ue()
    if chroma == 3:
        read.flag()
    width, height = read.ue(), read.ue()
    if read.flag():
        unit_x, unit_y = (2 if chroma in (1, 2) else 1), (2 if chroma == 1 else 1)
        left, right, top, bottom = read.ue(), read.ue(), read.ue(), read.ue()
        width, height = width - (left + right) * unit_x, height - (top + bottom) * unit_y
    depth = 8 + read.ue()
    read.ue()
    read.ue()
    layers = sub_layers + 1 if read.flag() else 1
    reorder = 0
    for _ in range(layers):
        _buffering, reorder, _latency = read.ue(), read.ue(), read.ue()
    return PictureFormat(width, height, depth, chroma == 3, reorder, None)


def _skip_profile_tier_level(read: BitReader, sub_layers: int) -> None:
    read.bits(88)
    read.bits(8)
    present = [(read.flag(), read.flag()) for _ in range(sub_layers)]
    if sub_layers:
        read.bits(2 * (8 - sub_layers))
    for profile, level in present:
        read.bits(88 * profile + 8 * level)


def av1_sequence_header(payload: bytes) -> PictureFormat:
    """``payload`` is the OBU without its header."""
    read = BitReader(payload + bytes(8))
    profile = read.bits(3)
    read.flag()
    if read.flag():
        read.bits(5)
    else:
        _skip_av1_operating_points(read)
    width_bits, height_bits = read.bits(4) + 1, read.bits(4) + 1
    width, height = read.bits(width_bits) + 1, read.bits(height_bits) + 1
    return PictureFormat(width, height, 0, profile == 1, None, None)


def _skip_av1_operating_points(read: BitReader) -> None:
    decoder_model, delay_bits = False, 0
    if read.flag():
        read.bits(64)
        if read.flag():
            read.ue()
        decoder_model = read.flag()
        if decoder_model:
            delay_bits = read.bits(5) + 1
            read.bits(32 + 10)
    initial_delay = read.flag()
    for _ in range(read.bits(5) + 1):
        read.bits(12)
        if read.bits(5) > 7:
            read.flag()
        if decoder_model and read.flag():
            read.bits(2 * delay_bits + 1)
        if initial_delay and read.flag():
            read.bits(4)
    # reduced_still_picture_header is clear here, so the frame size follows directly.
