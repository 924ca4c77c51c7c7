from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from punktfunk.gamestream.numbers import VideoNumbers
from punktfunk.gamestream.video import VideoPacketizer
from punktfunk.gamestream.video_sender import VideoSender
from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.wire.udp import size_buffers

INTERVAL_NS = 16_666_667
MS = 1_000_000
START_NS = 1_000 * MS


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    now_ns: int = START_NS
    sleeps_ns: list[int] = field(default_factory=list)

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.sleeps_ns.append(round(seconds * 1e9))
        self.now_ns += self.sleeps_ns[-1]


@dataclass
class Stream:
    sender: VideoSender
    client: socket.socket
    clock: Clock
    requests: list[None]

    def send(self, kind: FrameKind, size: int = 500) -> int | None:
        now = self.clock.now_ns
        return self.sender.send(EncodedFrame(bytes(size), kind, 0, now - 8 * MS, now - 7 * MS, now))

    def received(self) -> list[bytes]:
        datagrams = []
        while True:
            try:
                datagrams.append(self.client.recv(2048))
            except BlockingIOError:
                return datagrams


@pytest.fixture
def stream() -> Iterator[Stream]:
    clock, requests = Clock(), list[None]()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.bind(("127.0.0.1", 0))
        client.setblocking(False)
        size_buffers(client, receive_bytes=1 << 20)
        packetizer = VideoPacketizer(1392, 20, 2, None, VideoNumbers())
        sender = VideoSender(
            sock, packetizer, INTERVAL_NS, lambda: requests.append(None), clock=clock, sleep=clock.sleep
        )
        yield Stream(sender, client, clock, requests)


def test_nothing_is_numbered_before_there_is_an_endpoint(stream: Stream) -> None:
    assert stream.send(FrameKind.KEY) is None
    assert stream.requests == []
    stream.sender.set_endpoint(stream.client.getsockname())
    assert stream.send(FrameKind.KEY) == 1
    assert stream.send(FrameKind.DELTA) == 2
    assert len(stream.received()) == 6
    assert (stream.sender.statistics.frames_sent, stream.sender.statistics.frames_dropped) == (2, 1)
    assert stream.sender.statistics.datagrams.packets == 6


def test_a_stream_starts_with_a_keyframe_which_is_requested_once(stream: Stream) -> None:
    stream.sender.set_endpoint(stream.client.getsockname())
    assert [stream.send(FrameKind.DELTA) for _ in range(5)] == [None] * 5
    assert len(stream.requests) == 1
    assert stream.send(FrameKind.KEY) == 1
    assert stream.send(FrameKind.DELTA) == 2


def test_a_frame_beyond_the_format_costs_a_keyframe(stream: Stream) -> None:
    stream.sender.set_endpoint(stream.client.getsockname())
    assert stream.send(FrameKind.KEY) == 1
    assert stream.send(FrameKind.DELTA, size=6_000_000) is None
    assert stream.send(FrameKind.DELTA) is None
    assert len(stream.requests) == 1
    assert stream.sender.statistics.frames_too_large == 1
    assert stream.send(FrameKind.KEY) == 2


def test_header_fields(stream: Stream) -> None:
    stream.sender.set_endpoint(stream.client.getsockname())
    for kind in (FrameKind.KEY, FrameKind.DELTA, FrameKind.RECOVERY):
        stream.send(kind)
        stream.clock.now_ns += 10 * MS
    first = [datagram for datagram in stream.received() if datagram[24] == 0x7]
    assert [datagram[35] for datagram in first] == [2, 1, 5]
    assert {datagram[33:35] for datagram in first} == {(80).to_bytes(2, "little")}
    assert [int.from_bytes(datagram[4:8], "big") for datagram in first] == [1, 900, 1800]


def test_the_endpoint_may_move(stream: Stream) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.setblocking(False)
        stream.sender.set_endpoint(stream.client.getsockname())
        stream.send(FrameKind.KEY)
        stream.sender.set_endpoint(elsewhere.getsockname())
        assert stream.send(FrameKind.DELTA) == 2
        assert len(stream.received()) == 3
        assert elsewhere.recv(2048)[20] == 2


def test_only_large_frames_are_paced_and_not_into_the_next_capture(stream: Stream) -> None:
    stream.sender.set_endpoint(stream.client.getsockname())
    stream.send(FrameKind.KEY, size=100_000)
    assert stream.clock.sleeps_ns == []
    stream.send(FrameKind.DELTA, size=1_000_000)
    assert stream.clock.sleeps_ns
    assert stream.clock.now_ns - START_NS <= 0.9 * (INTERVAL_NS - 8 * MS)


def test_added_latency_leaves_the_encoder_out(stream: Stream) -> None:
    stream.sender.set_endpoint(stream.client.getsockname())
    stream.send(FrameKind.KEY)
    assert stream.sender.statistics.added_latency.percentile_ns(50) == 1 * MS
