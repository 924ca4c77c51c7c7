"""The sender's rules, checked on the wire before any impairment (gamestream.md §4.3 to §4.6, §10)."""

from dataclasses import dataclass, field
from random import Random

from .fec import recover, video_rows
from .shard import HEADER_BYTES, Shard, expected_flags, parity_count
from .violations import Violations

CLOCK_HZ = 90000
MAX_IDR_TIMES = 4096
CLOCK_TOLERANCE = 0.1
MIN_CLOCK_SPAN_S = 2.0
FRAME_TYPES = (1, 2, 4, 5)


@dataclass
class _Block:
    number: int
    data_shards: int
    percentage: int
    next_index: int = 0
    shards: list[bytes] = field(default_factory=list)
    """Kept only when this block's parity is going to be proved."""

    @property
    def parity_shards(self) -> int:
        return parity_count(self.data_shards, self.percentage)


@dataclass
class _Frame:
    index: int
    timestamp: int
    last_block: int
    sizes: list[int] = field(default_factory=list)
    last_payload: int = 0
    complete: bool = False
    broken: bool = False
    """A gap on the path or an earlier breach makes further structural findings worthless."""


class VideoAudit:
    """Watches shards in arrival order. Meaningful only on a path that neither loses nor reorders."""

    def __init__(
        self, violations: Violations, *, min_parity: int, lossless: bool = True, proof_every: int = 16
    ) -> None:
        self.shards = self.bytes = self.gaps = self.frames = self.blocks_proved = 0
        self.idr_times: list[float] = []
        """Arrival of the first shard of each frame of type 2; the newest :data:`MAX_IDR_TIMES`."""
        self._violations, self._min_parity, self._lossless = violations, min_parity, lossless
        self._proof_every, self._random = proof_every, Random(1)
        self._next_seq: int | None = None
        self._next_stream_index: int | None = None
        self._frame: _Frame | None = None
        self._block: _Block | None = None
        self._blocks_seen = 0
        self._clock: tuple[int, float] | None = None
        self._ticks = 0
        self._last_arrival = 0.0

    def on_shard(self, shard: Shard, now: float) -> None:
        self.shards += 1
        self.bytes += len(shard.raw)
        gap = self._check_sequence(shard)
        frame = self._frame
        if frame is None or shard.frame != frame.index:
            frame = self._start_frame(shard, gap, now)
        elif gap:
            frame.broken = True
        if not frame.broken:
            self._check_structure(frame, shard, now)
        self._last_arrival = now

    def finish(self) -> None:
        """Checks that need the whole stream: the 90 kHz clock against arrival times."""
        if self._clock is None:
            return
        elapsed = self._last_arrival - self._clock[1]
        if elapsed >= MIN_CLOCK_SPAN_S and abs(self._ticks / CLOCK_HZ / elapsed - 1) > CLOCK_TOLERANCE:
            self._violations.add("video.clock", f"{self._ticks / elapsed:.0f} Hz")

    def _check_sequence(self, shard: Shard) -> int:
        if self._next_seq is None:
            if shard.seq >= 0x8000:
                self._violations.add("video.first-sequence", shard.seq)
            gap = 0
        else:
            gap = (shard.seq - self._next_seq) & 0xFFFF
        if gap:
            self.gaps += 1
            if self._lossless:
                self._violations.add("video.sequence-gap", f"{shard.seq}, expected {self._next_seq}")
        self._next_seq = (shard.seq + 1) & 0xFFFF
        return gap

    def _start_frame(self, shard: Shard, gap: int, now: float) -> _Frame:
        before, add = self._frame, self._violations.add
        frame = _Frame(shard.frame, shard.timestamp, shard.last_block, broken=bool(gap))
        if before is None:
            if shard.frame != 1:
                add("video.first-frame", shard.frame)
            self._clock = (shard.timestamp, now)
        else:
            if not (before.complete or before.broken or gap):
                add("video.frame-incomplete", f"frame {before.index} ended in block {self._block_number}")
            if shard.frame != before.index + 1 and not gap:
                add("video.frame-number", f"{shard.frame} after {before.index}")
            step = (shard.timestamp - before.timestamp) & 0xFFFFFFFF
            if not 0 < step < 0x80000000:
                add("video.timestamp", f"frame {shard.frame}: {shard.timestamp} after {before.timestamp}")
            else:
                self._ticks += step
        self._frame, self._block = frame, None
        self.frames += 1
        return frame

    @property
    def _block_number(self) -> int:
        return -1 if self._block is None else self._block.number

    def _check_structure(self, frame: _Frame, shard: Shard, now: float) -> None:
        add, where = self._violations.add, f"frame {shard.frame} block {shard.block} shard {shard.position}"
        if frame.complete:
            add("video.after-frame-end", where)
            frame.broken = True
            return
        block = self._block
        if block is None or shard.block != block.number:
            block = self._start_block(frame, shard, where)
        if shard.timestamp != frame.timestamp or shard.last_block != frame.last_block:
            add("video.frame-fields", where)
        if (shard.data_shards, shard.percentage) != (block.data_shards, block.percentage):
            add("video.block-fields", where)
            frame.broken = True
            return
        if shard.position != block.next_index:
            add("video.shard-order", f"{where}, expected {block.next_index}")
            frame.broken = True
            return
        block.next_index += 1
        if shard.is_data:
            self._check_data(frame, shard, where, now)
        if self._proof_every and self._blocks_seen % self._proof_every == 0:
            block.shards.append(shard.raw)
        if block.next_index == block.data_shards + shard.parity_shards:
            self._end_block(frame, block, where)

    def _start_block(self, frame: _Frame, shard: Shard, where: str) -> _Block:
        expected = self._block_number + 1
        if shard.block != expected or shard.position != 0:
            self._violations.add("video.block-order", f"{where}, expected block {expected} shard 0")
            frame.broken = True
        previous, self._block = self._block, _Block(shard.block, shard.data_shards, shard.percentage)
        if previous is not None and previous.next_index < previous.data_shards + previous.parity_shards:
            self._violations.add("video.block-incomplete", where)
        self._blocks_seen += 1
        frame.sizes.append(shard.data_shards)
        parity = shard.parity_shards
        if shard.percentage and parity < self._min_parity:
            self._violations.add("video.min-parity", f"{where}: {parity} parity shards")
        return self._block

    def _check_data(self, frame: _Frame, shard: Shard, where: str, now: float) -> None:
        add = self._violations.add
        if shard.flags != expected_flags(shard.position, shard.data_shards):
            add("video.flags", f"{where}: {shard.flags:#x}")
        counter = shard.stream_index >> 8
        if self._next_stream_index is not None:
            ahead = (counter - self._next_stream_index) & 0xFFFFFF
            if ahead >= 0x800000 or (ahead and shard.position):
                add("video.stream-index", f"{where}: {counter}, expected {self._next_stream_index}")
        self._next_stream_index = (counter + 1) & 0xFFFFFF
        if shard.block == 0 and shard.position == 0:
            self._check_frame_header(frame, shard, where, now)
        if shard.block == shard.last_block and shard.position == shard.data_shards - 1:
            padding = shard.raw[HEADER_BYTES + frame.last_payload :]
            if padding.count(0) != len(padding):
                add("video.padding", f"{where}: bytes after lastPayloadLen {frame.last_payload}")

    def _check_frame_header(self, frame: _Frame, shard: Shard, where: str, now: float) -> None:
        header = shard.raw[HEADER_BYTES : HEADER_BYTES + 8]
        kind, frame.last_payload = header[3], int.from_bytes(header[4:6], "little")
        payload = len(shard.raw) - HEADER_BYTES
        add = self._violations.add
        if header[0] != 1 or header[6:] != b"\0\0" or kind not in FRAME_TYPES:
            add("video.frame-header", f"{where}: {header.hex()}")
        if not 1 <= frame.last_payload <= payload:
            add("video.last-payload-length", f"{where}: {frame.last_payload} of {payload}")
        if shard.last_block == 0 and shard.data_shards == 1 and frame.last_payload <= 8:
            add("video.empty-frame", where)
        if self.frames == 1 and kind != 2:
            add("video.first-frame-type", kind)
        if kind == 2:
            self.idr_times = [*self.idr_times[-MAX_IDR_TIMES + 1 :], now]

    def _end_block(self, frame: _Frame, block: _Block, where: str) -> None:
        if block.number == frame.last_block:
            frame.complete = True
            *leading, last = frame.sizes
            if len(set(leading)) > 1 or (leading and last > leading[0]):
                self._violations.add("video.block-sizes", f"{where}: {frame.sizes}")
        if block.shards:
            self._prove(block, where)

    def _prove(self, block: _Block, where: str) -> None:
        """Lose as many data shards as there is parity, recover them, and compare what recovery must bring back."""
        count = block.data_shards
        data, parity = dict(enumerate(block.shards[:count])), dict(enumerate(block.shards[count:]))
        if not parity:
            return
        self.blocks_proved += 1
        lost = self._random.sample(range(count), min(count, len(parity)))
        kept_parity = dict(self._random.sample(sorted(parity.items()), len(lost)))
        kept = {index: raw for index, raw in data.items() if index not in lost}
        for index, raw in recover(video_rows(count, len(parity)), kept, kept_parity).items():
            if protected_bytes(raw) != protected_bytes(data[index]):
                self._violations.add("video.parity", f"{where}: data shard {index} does not come back")


def protected_bytes(raw: bytes) -> bytes:
    """The bytes of a shard that parity must cover (gamestream.md §4.5)."""
    return raw[16:20] + raw[24:27] + raw[HEADER_BYTES:]
