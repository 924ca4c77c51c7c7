"""Video of punktfunk/1 through the kernel's network emulation: loss, delay, jitter, reordering, duplicates at once."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from punktfunk.client.frame import Limits
from punktfunk.client.receiver import VideoReceiver
from punktfunk.native.numbers import VideoNumbers
from punktfunk.native.packetizer import Geometry, VideoPacketizer
from punktfunk.wire.punktfunk1.video import FrameFlags, SealKey

pytestmark = pytest.mark.vm

FRAMES, FRAME_BYTES, IN_FLIGHT = 60, 30_000, 3
SHARD_BYTES, PARITY_PERCENT = 1408, 50
PATH = "delay 20ms 5ms loss 5% reorder 5% duplicate 5%"
"""Half as many parity packets as data: of 33 packets, eleven would have to be lost for a frame to be."""
PATIENCE_S = 5.0
SO_RCVBUFFORCE = 33
"""Beyond what the machine allows: an emulated processor reads in jerks, and its socket's losses are not the path's."""


@pytest.fixture
def bad_loopback() -> Iterator[None]:
    if shutil.which("tc") is None:
        pytest.skip("needs tc (iproute2)")
    subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", *PATH.split(), "limit", "10000"], check=True)
    yield
    subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


def dropped() -> int:
    shown = subprocess.run(["tc", "-s", "qdisc", "show", "dev", "lo"], capture_output=True, text=True, check=True)
    found = re.search(r"dropped (\d+)", shown.stdout)
    assert found
    return int(found[1])


@pytest.mark.usefixtures("bad_loopback")
def test_every_frame_arrives_once_and_as_it_was() -> None:
    key = SealKey(os.urandom(16), os.urandom(4))
    packetizer = VideoPacketizer(key, Geometry(SHARD_BYTES, 200, PARITY_PERCENT), VideoNumbers())
    receiver = VideoReceiver(key, Limits())
    sent = [os.urandom(FRAME_BYTES) for _ in range(FRAMES)]
    arrived: list[bytes] = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
    ):
        client.bind(("127.0.0.1", 0))
        client.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)

        def take_until_there_are(count: int) -> None:
            client.settimeout(PATIENCE_S)
            while len(arrived) < count:
                arrived.extend(bytes(unit.data) for unit in receiver.receive(client.recv(2048), time.monotonic()))

        for number, data in enumerate(sent):
            frame = packetizer.frame(data, number * 16_666_667, FrameFlags.PICTURE)
            while run := frame.read(1):
                # One by one: in a batch for segmentation, the emulation would lose all or nothing.
                host.sendto(run, client.getsockname())
            take_until_there_are(number - IN_FLIGHT)
        take_until_there_are(FRAMES)
    assert dropped() > FRAMES / 2, "the path lost nothing: nothing was tried"
    assert sorted(sent.index(data) for data in arrived) == list(range(FRAMES))
