"""What one core receives of punktfunk/1 video: opened, checked for replay, reassembled, with and without loss.

Run as a program: ``python tests/bench/native_receive.py``. Datagrams come from memory in runs of 44, as the kernel's
receive offload hands them up, and once through a loopback socket with that offload.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import time

from punktfunk.client.frame import Limits
from punktfunk.client.receiver import VideoReceiver
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.wire.punktfunk1.video import FrameFlags, SealKey
from punktfunk.wire.udp import BatchSender

CASES = (("20 Mbit/s at 60 Hz", 41_667), ("200 Mbit/s at 120 Hz", 208_333), ("1 Gbit/s at 120 Hz", 1_041_667))
BYTES_PER_RUN = 20_000_000
RUNS = 3
UDP_GRO = 104
FRAME_NS = 8_333_333


class Bench:
    """A host and a client that share a key; only the client's time is counted."""

    def __init__(self, frame_bytes: int) -> None:
        key = SealKey(os.urandom(16), os.urandom(4))
        self.packetizer = VideoPacketizer(key, Geometry(1408), VideoNumbers())
        self.receiver = VideoReceiver(key, Limits())
        self.access_unit = os.urandom(frame_bytes)
        self.frames = max(1, BYTES_PER_RUN // frame_bytes)
        self.elapsed = 0.0
        self.packets = self.whole = 0

    def runs(self, number: int) -> list[bytes]:
        frame = self.packetizer.frame(self.access_unit, number * FRAME_NS, FrameFlags.PICTURE)
        self.packets += frame.datagrams
        runs = []
        while run := frame.read():
            runs.append(bytes(run))
        return runs

    def take(self, run: bytes | memoryview, datagram_bytes: int) -> None:
        self.whole += len(self.receiver.receive(run, 0.0, datagram_bytes))

    def line(self) -> str:
        rate = self.whole * len(self.access_unit) * 8 / self.elapsed / 1e9
        return (
            f"{self.elapsed / self.packets * 1e6:>6.2f} us a packet {rate:>6.2f} Gbit/s of video, {self.whole} frames"
        )


def from_memory(frame_bytes: int, loss: float) -> Bench:
    """Datagrams in runs, some of them missing."""
    bench, rng = Bench(frame_bytes), random.Random(1)
    for number in range(bench.frames):
        runs = bench.runs(number)
        if loss:
            cut = [run[i : i + 1472] for run in runs for i in range(0, len(run), 1472) if rng.random() >= loss]
            runs = [b"".join(cut[i : i + 44]) for i in range(0, len(cut), 44)]
        start = time.process_time()
        for run in runs:
            bench.take(run, 1472)
        bench.elapsed += time.process_time() - start
    return bench


def from_socket(frame_bytes: int) -> Bench:
    """Through loopback with UDP_GRO, reading included."""
    bench = Bench(frame_bytes)
    buffer = bytearray(65_536)
    view = memoryview(buffer)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sink.bind(("127.0.0.1", 0))
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        sink.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        sink.setblocking(False)
        sock.connect(sink.getsockname())
        sender = BatchSender(sock)
        for number in range(bench.frames):
            for run in bench.runs(number):
                sender.send(memoryview(run), 1472)
                start = time.process_time()
                read(sink, buffer, view, bench)
                bench.elapsed += time.process_time() - start
    return bench


def read(sink: socket.socket, buffer: bytearray, view: memoryview, bench: Bench) -> None:
    """Everything that waits in the socket."""
    while True:
        try:
            size, ancillary, _, _ = sink.recvmsg_into([buffer], 64)
        except BlockingIOError:
            return
        segment = struct.unpack("=H", ancillary[0][2][:2])[0] if ancillary else size
        bench.take(view[:size], segment)


def main() -> None:
    """All cases, the best of several runs."""
    for name, frame_bytes in CASES:
        for loss in (0.0, 0.02):
            best = min((from_memory(frame_bytes, loss) for _ in range(RUNS)), key=lambda b: b.elapsed)
            print(f"{name:<22} from memory, {loss:>4.0%} lost {best.line()}")
        best = min((from_socket(frame_bytes) for _ in range(RUNS)), key=lambda b: b.elapsed)
        print(f"{name:<22} from a socket          {best.line()}")


if __name__ == "__main__":
    main()
