"""The worker's senders: what leaves them decodes, survives a change of worker, and makes room for a speed test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from punktfunk.client.frame import Limits
from punktfunk.client.reassembly import AccessUnit
from punktfunk.client.receiver import VideoReceiver
from punktfunk.media.frames import EncodedFrame, FrameKind, OpusPacket
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.audio_sender import MAX_PAYLOAD_BYTES, AudioNumbers, NativeAudioSender
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.native.plane_messages import FrameSent, ProbeDone, Report, SendDatagram
from punktfunk.native.video_sender import NativeVideoSender
from punktfunk.wire.punktfunk1.audio import AudioFrame, RedundantAudioFrame
from punktfunk.wire.punktfunk1.datagrams import HostTiming, decode_from_host
from punktfunk.wire.punktfunk1.enums import FecScheme
from punktfunk.wire.punktfunk1.video import FrameFlags, SealKey

KEY = SealKey(bytes(range(16)), b"salt")
OFFSET_NS = 10**18
MS = 1_000_000


class Bench:
    """A sender with a receiver at the other end of a socket pair of UDP."""

    def __init__(self, scheme: FecScheme = FecScheme.GF16) -> None:
        self.storage = bytearray(4096)
        self.reports: list[Report] = []
        self.keyframes = 0
        self.scheme = scheme
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.client.bind(("127.0.0.1", 0))
        self.client.setblocking(False)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.connect(self.client.getsockname())
        self.receiver = VideoReceiver(KEY, Limits(200, 8 << 20, scheme=scheme))
        self.sender = self.new_sender()

    def new_sender(self) -> NativeVideoSender:
        numbers = VideoNumbers(self.storage)
        packetizer = VideoPacketizer(KEY, Geometry(1408, 200, 10, self.scheme), numbers)
        sender = NativeVideoSender(
            *(self.out, packetizer, numbers, 16 * MS, self._keyframe, self.reports.append),
            wall_offset_ns=OFFSET_NS,
            host_timing=True,
            clock=lambda: 1000 * MS,
            sleep=lambda _s: None,
        )
        sender.set_endpoint(("127.0.0.1", 1))
        return sender

    def received(self, drop: int = 0) -> list[AccessUnit]:
        units: list[AccessUnit] = []
        while True:
            try:
                datagram = self.client.recv(2048)
            except BlockingIOError:
                return units
            if drop:
                drop -= 1
                continue
            units += self.receiver.receive(datagram, 0.0)

    def close(self) -> None:
        self.client.close()
        self.out.close()

    def _keyframe(self) -> None:
        self.keyframes += 1


@pytest.fixture(params=[FecScheme.GF16, FecScheme.GF8])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(request.param)
    yield made
    made.close()


def frame(data: bytes, kind: FrameKind = FrameKind.DELTA, capture_ms: int = 990) -> EncodedFrame:
    return EncodedFrame(data, kind, 0, capture_ms * MS, (capture_ms + 1) * MS, (capture_ms + 6) * MS)


def test_frames_arrive_with_flags_times_and_without_what_was_lost(bench: Bench) -> None:
    picture = bytes(range(256)) * 400
    assert bench.sender.send(frame(picture)) is None
    assert bench.keyframes == 1
    assert bench.sender.send(frame(picture, FrameKind.KEY)) == 0
    assert bench.sender.send(frame(b"delta")) == 1
    assert bench.sender.send(frame(b"clean", FrameKind.RECOVERY)) == 2
    key, delta, clean = bench.received(drop=3)
    assert (key.data, delta.data, clean.data) == (picture, b"delta", b"clean")
    assert (key.flags, delta.flags) == (FrameFlags.PICTURE | FrameFlags.KEYFRAME, FrameFlags.PICTURE)
    assert FrameFlags.RECOVERY_ANCHOR in clean.flags
    assert key.pts_ns == 990 * MS + OFFSET_NS
    assert len({key.pts_ns, delta.pts_ns, clean.pts_ns}) == 3
    assert [r for r in bench.reports if isinstance(r, FrameSent)] == [FrameSent(0, True), FrameSent(2, False)]
    timing = next(decode_from_host(r.data) for r in bench.reports if isinstance(r, SendDatagram))
    assert timing == HostTiming(key.pts_ns, 10_000, 1000, 5000, 4000)


def test_a_replacement_goes_on_in_the_numbers_and_begins_with_a_keyframe(bench: Bench) -> None:
    bench.sender.send(frame(b"one", FrameKind.KEY))
    replacement = bench.new_sender()
    assert replacement.send(frame(b"no use")) is None
    assert replacement.send(frame(b"two", FrameKind.KEY)) == 1
    assert [unit.data for unit in bench.received()] == [b"one", b"two"]
    assert bench.receiver.refused == 0


def test_a_smaller_shard_and_more_recovery_take_effect_with_the_next_frame(bench: Bench) -> None:
    bench.sender.send(frame(bytes(5000), FrameKind.KEY))
    before = bench.sender.datagrams.packets
    bench.sender.set_shard_bytes(512)
    bench.sender.set_fec(Protection(50))
    bench.sender.send(frame(bytes(5000)))
    assert bench.sender.datagrams.packets - before > 10
    assert len(bench.received()) == 2


def test_a_speed_test_pauses_the_picture() -> None:
    bench = Bench()
    ticks = iter(range(10**9))
    bench.sender._clock = lambda: 1000 * MS + next(ticks) * MS
    during: list[int | None] = []

    def report(message: Report) -> None:
        bench.reports.append(message)

    bench.sender._report = report
    bench.sender.send(frame(b"key", FrameKind.KEY))
    started = threading.Event()
    bench.sender._sleep = lambda _s: started.set()
    probe = threading.Thread(target=bench.sender.run_probe, args=(20_000, 400))
    probe.start()
    started.wait(5)
    during.append(bench.sender.send(frame(b"dropped")) if probe.is_alive() else None)
    probe.join(10)
    done = bench.reports[-1]
    assert isinstance(done, ProbeDone)
    assert done.duration_ms >= 400
    assert done.packets > 0
    assert during == [None]
    bench.received()
    assert bench.receiver.probe.packets > 0
    bench.close()


def test_audio_carries_its_predecessor_and_its_numbers_go_on() -> None:
    storage, reports = bytearray(8), []

    def sender(redundant: bool) -> NativeAudioSender:
        return NativeAudioSender(AudioNumbers(storage), reports.append, wall_offset_ns=OFFSET_NS, redundant=redundant)

    first = sender(True)
    assert first.send(OpusPacket(b"a", 5))
    assert first.send(OpusPacket(b"b", 6))
    assert sender(False).send(OpusPacket(b"c", 7))
    assert not first.send(OpusPacket(bytes(MAX_PAYLOAD_BYTES + 1), 8))
    assert [decode_from_host(r.data) for r in reports] == [
        RedundantAudioFrame(0, OFFSET_NS + 5, b"a", b""),
        RedundantAudioFrame(1, OFFSET_NS + 6, b"b", b"a"),
        AudioFrame(2, OFFSET_NS + 7, b"c"),
    ]
