"""What must be inside an access unit for stock clients and decoders (gamestream.md §4.9)."""

from collections.abc import Callable
from dataclasses import dataclass

from .options import Codec
from .parameter_sets import BitReader, PictureFormat, av1_sequence_header, h264_sps, hevc_sps, unescape
from .violations import Violations

FRAME_TYPE_IDR = 2
AV1_SEQUENCE_HEADER, AV1_TEMPORAL_DELIMITER = 1, 2
AV1_OBU_TYPES = frozenset({1, 2, 3, 4, 5, 6, 7, 15})


@dataclass(frozen=True)
class Expected:
    """What the stream was negotiated to be."""

    width: int
    height: int
    bits_per_sample: int
    chroma444: bool
    single_reference: bool


@dataclass(frozen=True)
class _NalRules:
    delimiter: int
    sei: frozenset[int]
    first_of_idr: int
    parameter_sets: tuple[int, ...]
    """In the order they must have on an IDR."""
    sps: int
    filler: frozenset[int]
    header_bytes: int
    parse_sps: Callable[[bytes], PictureFormat]

    def is_idr_slice(self, kind: int) -> bool:
        return kind == 5 if self.header_bytes == 1 else 16 <= kind <= 21

    def is_slice(self, kind: int) -> bool:
        return 1 <= kind <= 5 if self.header_bytes == 1 else kind <= 31


H264 = _NalRules(9, frozenset({6}), 7, (7, 8), 7, frozenset({12}), 1, h264_sps)
HEVC = _NalRules(35, frozenset({39, 40}), 32, (32, 33, 34), 33, frozenset({38}), 2, hevc_sps)


class BitstreamChecker:
    """Checks access units of one stream and tells whether a client takes them for an IDR."""

    def __init__(self, codec: Codec, expected: Expected, violations: Violations) -> None:
        self.formats: list[PictureFormat] = []
        """Distinct picture formats announced so far, at most eight."""
        self._codec, self._expected, self._violations = codec, expected, violations

    def check(self, frame: int, kind: int, data: bytes, first_payload_bytes: int) -> bool:
        """``first_payload_bytes``: how much of ``data`` travelled in the first packet."""
        if self._codec is Codec.AV1:
            return self._check_av1(frame, kind, data)
        rules = H264 if self._codec is Codec.H264 else HEVC
        return self._check_annex_b(rules, frame, kind, data, first_payload_bytes)

    def _check_annex_b(self, rules: _NalRules, frame: int, kind: int, data: bytes, first_bytes: int) -> bool:
        add, where = self._violations.add, f"frame {frame}"
        if not data.startswith((b"\0\0\1", b"\0\0\0\1")):
            add("bitstream.start-code", f"{where}: {data[:8].hex()}")
            return False
        if data.endswith(b"\0"):
            add("bitstream.trailing-zero", where)
        nals = split_annex_b(data)
        kinds = [nal_type(data[at], rules) for at, _ in nals]
        leading = iter(kinds)
        first = next((nal for nal in leading if nal != rules.delimiter and nal not in rules.sei), -1)
        idr = first == rules.first_of_idr
        if idr != (kind == FRAME_TYPE_IDR):
            add("bitstream.idr-type", f"{where}: header type {kind}, first NAL {first}")
        if idr:
            self._check_idr(rules, where, data, nals, kinds, first_bytes)
        else:
            self._check_predicted(rules, where, kinds)
        slices = [index for index, nal in enumerate(kinds) if rules.is_slice(nal)]
        if not slices:
            add("bitstream.no-slice", f"{where}: {kinds}")
        elif any(nal in rules.sei or nal == rules.delimiter for nal in kinds[slices[0] :]):
            add("bitstream.after-slice", f"{where}: {kinds}")
        if rules is H264:
            self._check_no_b_slices(where, data, [nals[index] for index in slices])
        return idr

    def _check_idr(
        self, rules: _NalRules, where: str, data: bytes, nals: list[tuple[int, int]], kinds: list[int], first_bytes: int
    ) -> None:
        add = self._violations.add
        for (at, end), nal in zip(nals, kinds, strict=True):
            if nal == rules.sps:
                self._check_sps(rules, where, data[at:end])
        sets = [nal for nal in kinds if nal in rules.parameter_sets]
        if sets != sorted(sets) or set(sets) != set(rules.parameter_sets):
            add("bitstream.parameter-sets", f"{where}: {kinds}")
        first_slice = next((at for (at, _), nal in zip(nals, kinds, strict=True) if rules.is_idr_slice(nal)), None)
        if first_slice is None or first_slice >= first_bytes:
            add(
                "bitstream.first-packet", f"{where}: first IDR slice at {first_slice}, first packet holds {first_bytes}"
            )
            return
        after = kinds[kinds.index(next(nal for nal in kinds if rules.is_idr_slice(nal))) :]
        if any(not rules.is_idr_slice(nal) and nal not in rules.filler for nal in after):
            add("bitstream.idr-order", f"{where}: {kinds}")

    def _check_sps(self, rules: _NalRules, where: str, nal: bytes) -> None:
        try:
            self._check_format(where, rules.parse_sps(nal))
        except ValueError as error:
            self._violations.add("bitstream.sps", f"{where}: {error}")

    def _check_format(self, where: str, seen: PictureFormat) -> None:
        if seen in self.formats:
            return
        self.formats = [*self.formats[-7:], seen]
        add, want = self._violations.add, self._expected
        if (seen.width, seen.height) != (want.width, want.height):
            add("bitstream.size", f"{where}: {seen.width}x{seen.height}, asked for {want.width}x{want.height}")
        if seen.bits_per_sample and seen.bits_per_sample != want.bits_per_sample:
            add("bitstream.depth", f"{where}: {seen.bits_per_sample}, agreed {want.bits_per_sample}")
        if seen.chroma444 != want.chroma444:
            add("bitstream.chroma", f"{where}: 4:4:4 {seen.chroma444}, agreed {want.chroma444}")
        if self._codec is Codec.H264 and seen.reorder_frames is None:
            add("bitstream.no-restriction", f"{where}: VUI without bitstream restriction")
        elif seen.reorder_frames:
            add("bitstream.reordering", f"{where}: {seen.reorder_frames} frames")
        if want.single_reference and (seen.reference_frames or 0) > 1:
            add("bitstream.references", f"{where}: {seen.reference_frames}, agreed 1")

    def _check_predicted(self, rules: _NalRules, where: str, kinds: list[int]) -> None:
        pps = rules.parameter_sets[-1]
        if any(nal in rules.parameter_sets and nal != pps for nal in kinds):
            self._violations.add("bitstream.parameter-sets-on-p", f"{where}: {kinds}")
        if any(rules.is_idr_slice(nal) for nal in kinds):
            self._violations.add("bitstream.idr-without-sets", f"{where}: {kinds}")

    def _check_no_b_slices(self, where: str, data: bytes, slices: list[tuple[int, int]]) -> None:
        for at, end in slices:
            read = BitReader(unescape(data[at + 1 : min(end, at + 24)]))
            try:
                read.ue()
                if read.ue() % 5 == 1:
                    self._violations.add("bitstream.b-slice", where)
            except ValueError:
                self._violations.add("bitstream.slice-header", where)

    def _check_av1(self, frame: int, kind: int, data: bytes) -> bool:
        where = f"frame {frame}"
        try:
            units = split_obus(data)
        except ValueError as error:
            self._violations.add("bitstream.obu", f"{where}: {error}")
            return kind == FRAME_TYPE_IDR
        types = [obu_type for obu_type, _ in units]
        if any(obu_type not in AV1_OBU_TYPES for obu_type in types) or not types:
            self._violations.add("bitstream.obu", f"{where}: types {types}")
        leading = [obu_type for obu_type in types if obu_type != AV1_TEMPORAL_DELIMITER]
        has_header = bool(leading) and leading[0] == AV1_SEQUENCE_HEADER
        if kind == FRAME_TYPE_IDR and not has_header:
            self._violations.add("bitstream.parameter-sets", f"{where}: types {types}")
        if kind != FRAME_TYPE_IDR and AV1_SEQUENCE_HEADER in types:
            self._violations.add("bitstream.parameter-sets-on-p", f"{where}: types {types}")
        for obu_type, payload in units:
            if obu_type == AV1_SEQUENCE_HEADER:
                self._check_format(where, av1_sequence_header(payload))
        return kind == FRAME_TYPE_IDR


def nal_type(header: int, rules: _NalRules) -> int:
    return header & 0x1F if rules.header_bytes == 1 else header >> 1 & 0x3F


def split_annex_b(data: bytes) -> list[tuple[int, int]]:
    """Begin and end of each NAL, start codes excluded."""
    starts = []
    at = data.find(b"\0\0\1")
    while at >= 0:
        starts.append(at + 3)
        at = data.find(b"\0\0\1", at + 3)
    ends = [start - 3 for start in starts[1:]] + [len(data)]
    ends = [end - 1 if end < len(data) and end > start and data[end - 1] == 0 else end
            for start, end in zip(starts, ends, strict=True)]  # fmt: skip
    return [(start, end) for start, end in zip(starts, ends, strict=True) if end > start]


def split_obus(data: bytes) -> list[tuple[int, bytes]]:
    """Type and payload of each OBU of a temporal unit; ValueError unless they fill ``data`` exactly."""
    units = []
    at = 0
    while at < len(data):
        header = data[at]
        if header & 0x80:
            raise ValueError("forbidden bit set")
        at += 2 if header & 0x04 else 1
        if not header & 0x02:
            raise ValueError("OBU without a size field")
        size, shift = 0, 0
        while True:
            if at >= len(data) or shift > 56:
                raise ValueError("size field cut off")
            byte = data[at]
            at, size, shift = at + 1, size | (byte & 0x7F) << shift, shift + 7
            if not byte & 0x80:
                break
        if at + size > len(data):
            raise ValueError(f"OBU of {size} bytes, {len(data) - at} left")
        units.append((header >> 3 & 0xF, data[at : at + size]))
        at += size
    return units
