"""What the GameStream video path costs: packetize + FEC (+ seal) + send over loopback, in packets/s on one core.

    python tests/bench/gamestream_send.py [--seconds 1.0]

Frames go to an unread UDP socket with a small receive buffer: the kernel does all of its sending work and drops the
datagrams at the far end. Each row is compared with a plain loop that sends the same bytes, already laid out, with one
segmented sendmsg per 44 packets: the ratio is what our own work leaves of the kernel's rate. The rows are measured in
turns, and the median turn is reported, since shared machines are noisy.
"""

from __future__ import annotations

import argparse
import os
import platform
import socket
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy

from punktfunk import __version__
from punktfunk.gamestream.numbers import VideoNumbers
from punktfunk.gamestream.video import FrameType, VideoPacketizer
from punktfunk.wire import gf256
from punktfunk.wire.aead import BatchSealer
from punktfunk.wire.udp import Address, BatchSender

TURNS = 5


class Case(NamedTuple):
    name: str
    frame_bytes: int
    fec_percentage: int
    encrypted: bool


CASES = [
    Case("1080p60 20 Mbit/s", 41_667, 20, False),
    Case("1080p60 20 Mbit/s, sealed", 41_667, 20, True),
    Case("1080p60 20 Mbit/s, no FEC", 41_667, 0, False),
    Case("4K60 150 Mbit/s", 312_500, 20, False),
    Case("4K60 150 Mbit/s, sealed", 312_500, 20, True),
    Case("720p60 3 Mbit/s", 6_250, 20, False),
    Case("1 MB keyframe", 1_000_000, 20, False),
    Case("1 MB keyframe, sealed", 1_000_000, 20, True),
]


def rate(work: Callable[[], int], seconds: float) -> float:
    """Packets per CPU second of ``work``, which returns the packets of one frame."""
    packets = 0
    end = time.perf_counter() + seconds
    start = time.process_time()
    while time.perf_counter() < end:
        packets += work()
    return packets / (time.process_time() - start)


def measure(case: Case, sock: socket.socket, sink: Address, seconds: float) -> str:
    access_unit = os.urandom(case.frame_bytes)
    sealer = BatchSealer(os.urandom(16)) if case.encrypted else None
    packetizer = VideoPacketizer(1360 if case.encrypted else 1392, case.fec_percentage, 2, sealer, VideoNumbers())
    sender = BatchSender(sock)

    def prepare() -> int:
        return packetizer.packetize(access_unit, FrameType.PREDICTED, 50, 0).count

    def whole() -> int:
        batch = packetizer.packetize(access_unit, FrameType.PREDICTED, 50, 0)
        return sender.send(batch.data, batch.datagram_bytes, sink)

    batch = packetizer.packetize(access_unit, FrameType.PREDICTED, 50, 0)
    wire = memoryview(bytes(batch.data))

    def plain() -> int:
        return sender.send(wire, batch.datagram_bytes, sink)

    share = seconds / (3 * TURNS)
    turns = [(rate(prepare, share), rate(whole, share), rate(plain, share)) for _ in range(TURNS)]
    prepared, sent, baseline = (statistics.median(column) for column in zip(*turns, strict=True))
    gbit = sent * batch.datagram_bytes * 8 / 1e9
    return (
        f"| {case.name} | {batch.count} | {1e6 / prepared:.2f} | {1e6 / sent:.2f} | {sent:,.0f} | {gbit:.2f} "
        f"| {baseline:,.0f} | {sent / baseline:.2f} | {batch.count / sent * 1e6:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="per row")
    seconds = parser.parse_args().seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, socket.socket(type=socket.SOCK_DGRAM) as sock:
        sink.bind(("127.0.0.1", 0))
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        print(f"punktfunk {__version__}, {platform.machine()} {os.cpu_count()} cores, Linux {platform.release()}, ")
        print(f"Python {platform.python_version()}, numpy {numpy.__version__}, FEC backend {gf256.BACKEND}")
        print(f"per row {seconds} s in {TURNS} turns, median; rates are per CPU second of this process\n")
        print(
            "| case | packets | prepare µs | all µs/packet | packets/s | Gbit/s | plain GSO loop | ratio | µs/frame |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for case in CASES:
            print(measure(case, sock, sink.getsockname(), seconds), flush=True)


if __name__ == "__main__":
    main()
