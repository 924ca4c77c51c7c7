"""What one core sends of punktfunk/1 video: split, FEC, sealed, and out through a UDP socket with segmentation.

Run as a program: ``python tests/bench/native_send.py``. The receiver is a socket that nobody reads, so that the
kernel drops the datagrams after their whole way through it; figures are the best of several runs, of CPU time.
"""

from __future__ import annotations

import os
import socket
import time

from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.wire.punktfunk1.video import FrameFlags, SealKey
from punktfunk.wire.udp import BatchSender

CASES = (
    ("20 Mbit/s at 60 Hz", 41_667),
    ("60 Mbit/s at 60 Hz", 125_000),
    ("200 Mbit/s at 120 Hz", 208_333),
    ("1 Gbit/s at 120 Hz", 1_041_667),
    ("4 Gbit/s at 120 Hz", 4_166_667),
)
BYTES_PER_RUN = 40_000_000
RUNS = 5


def run(key: SealKey, frame_bytes: int, percent: int, sender: BatchSender | None) -> tuple[float, int, int]:
    """CPU seconds, packets and payload bytes of one run."""
    packetizer = VideoPacketizer(key, Geometry(1408), VideoNumbers())
    packetizer.protection = Protection(percent)
    access_unit = os.urandom(frame_bytes)
    packets = 0
    frames = max(1, BYTES_PER_RUN // frame_bytes)
    start = time.process_time()
    for number in range(frames):
        frame = packetizer.frame(access_unit, number, FrameFlags.PICTURE)
        packets += frame.datagrams
        while run_of_datagrams := frame.read():
            if sender:
                sender.send(run_of_datagrams, frame.datagram_bytes)
    return time.process_time() - start, packets, frames * frame_bytes


def report(name: str, key: SealKey, frame_bytes: int, percent: int, sender: BatchSender | None) -> None:
    """Print the best of several runs."""
    elapsed, packets, payload = min(run(key, frame_bytes, percent, sender) for _ in range(RUNS))
    where = "sent" if sender else "sealed only"
    cipher = "ChaCha20" if key.chacha else "AES-GCM"
    print(
        f"{name:<22} {cipher:<9} FEC {percent:>2} % {where:<12}"
        f" {elapsed / packets * 1e6:>6.2f} us a packet {payload * 8 / elapsed / 1e9:>6.2f} Gbit/s of video"
    )


def main() -> None:
    """All cases, sent and only sealed."""
    aes, chacha = SealKey(os.urandom(16), os.urandom(4)), SealKey(os.urandom(32), os.urandom(4), chacha=True)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sink.bind(("127.0.0.1", 0))
        sock.connect(sink.getsockname())
        sender = BatchSender(sock)
        for name, frame_bytes in CASES:
            report(name, aes, frame_bytes, 10, sender)
            report(name, aes, frame_bytes, 10, None)
        report(*CASES[2][:1], aes, CASES[2][1], 0, sender)
        report(*CASES[2][:1], aes, CASES[2][1], 50, sender)
        report(*CASES[2][:1], chacha, CASES[2][1], 10, sender)
        print(f"segmentation: {'yes' if sender.segmenting else 'no'}")


if __name__ == "__main__":
    main()
