"""Opus layouts: what DESCRIBE announces and what the encoder must use (gamestream.md §5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.media.plan import AudioPlan

MAX_PACKET_BYTES = 1360
"""Largest Opus packet that fits the client's 1400-byte buffer with FEC header and padding."""


@dataclass(frozen=True, slots=True)
class OpusLayout:
    """Opus streams, the first ``coupled`` of them stereo; ``mapping`` places FL FR FC LFE BL BR SL SR in them."""

    channels: int
    streams: int
    coupled: int
    mapping: tuple[int, ...]

    def line_value(self) -> str:
        """The layout as ``surround-params`` digits, mapping in this order."""
        return "".join(str(n) for n in (self.channels, self.streams, self.coupled, *self.mapping))


NORMAL = {
    2: OpusLayout(2, 1, 1, (0, 1)),
    6: OpusLayout(6, 4, 2, (0, 1, 2, 3, 4, 5)),
    8: OpusLayout(8, 5, 3, (0, 1, 2, 3, 4, 5, 6, 7)),
}
HIGH = {
    2: OpusLayout(2, 1, 1, (0, 1)),
    6: OpusLayout(6, 6, 0, (0, 1, 2, 3, 4, 5)),
    8: OpusLayout(8, 8, 0, (0, 1, 2, 3, 4, 5, 6, 7)),
}
_BITRATES_BPS = {
    False: {2: 96_000, 6: 256_000, 8: 450_000},
    True: {2: 512_000, 6: 1_536_000, 8: 2_048_000},
}


def parse_surround_params(text: str) -> OpusLayout | None:
    """A client's own layout, or None when the digits do not make a usable one."""
    if not (text.isascii() and text.isdigit()) or len(text) < 5:
        return None
    channels, streams, coupled, *mapping = (int(digit) for digit in text)
    usable = (
        channels in (6, 8)
        and len(mapping) == channels
        and coupled <= streams
        and streams + coupled == channels
        and all(entry < channels for entry in mapping)
    )
    return OpusLayout(channels, streams, coupled, tuple(mapping)) if usable else None


def rotate_as_client(mapping: tuple[int, ...]) -> tuple[int, ...]:
    """What a client makes of the mapping of a normal-quality line: its last entry becomes the fourth."""
    return (*mapping[:3], mapping[-1], *mapping[3:-1]) if len(mapping) > 2 else mapping


def rotate_for_client(mapping: tuple[int, ...]) -> tuple[int, ...]:
    """The inverse: the mapping to announce so that the client decodes with ``mapping``."""
    return (*mapping[:3], *mapping[4:], mapping[3]) if len(mapping) > 2 else mapping


def describe_lines(custom: str) -> list[str]:
    """The ``surround-params`` values of DESCRIBE: a client's own one twice, then normal and high of each count."""
    lines = [custom, custom] if parse_surround_params(custom) else []
    for channels, layout in NORMAL.items():
        rotated = OpusLayout(channels, layout.streams, layout.coupled, rotate_for_client(layout.mapping))
        lines += [rotated.line_value(), HIGH[channels].line_value()]
    return lines


def audio_plan(channels: int, *, high_quality: bool, packet_ms: int, custom: str = "") -> AudioPlan:
    """The encoder's layout and bitrate for 2, 6 or 8 channels, equal to what the client decodes with."""
    layout = (HIGH if high_quality else NORMAL)[channels]
    mapping = layout.mapping
    own = parse_surround_params(custom)
    if own is not None and own.channels == channels:
        layout, mapping = own, own.mapping if high_quality else rotate_as_client(own.mapping)
    largest_bps = MAX_PACKET_BYTES * 8 * 1000 // packet_ms
    return AudioPlan(
        channels=channels,
        streams=layout.streams,
        coupled=layout.coupled,
        mapping=mapping,
        bitrate_bps=min(_BITRATES_BPS[high_quality][channels], largest_bps),
        packet_ms=packet_ms,
    )
