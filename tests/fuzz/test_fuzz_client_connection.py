"""A hostile host: whatever it says, the client's session neither fails nor grows."""

from __future__ import annotations

import functools
import random

import pytest
from tests.wire.native_stream import KEY, Host

from punktfunk.client.arrival import Arrival
from punktfunk.client.audio_order import REORDER_FRAMES
from punktfunk.client.connection import MAX_CURSOR_SHAPES, Connection
from punktfunk.client.frame import Limits
from punktfunk.client.receiver import VideoReceiver
from punktfunk.wire.punktfunk1.welcome import Welcome

ROUNDS = 800
WELCOME = Welcome(5000, 1280, 720, 60, 1408, KEY.key, KEY.salt, bitrate_kbps=20_000)
DATAGRAM_TAGS = (*range(0xC8, 0xD5), 0x00)
CONTROL_TYPES = (*range(0x14), *range(0x20, 0x23), *range(0x30, 0x33), *range(0x40, 0x45), *range(0x50, 0x5D), 0xFF)
CONTROL_SIZES = (0, 1, 2, 4, 6, 8, 12, 13, 16, 24, 200)


@pytest.mark.parametrize("seed", range(4))
def test_a_hostile_host(seed: int) -> None:
    rng, host = random.Random(seed), Host()
    receiver = VideoReceiver(KEY, Limits())
    c = Connection(WELCOME, receiver, 0.0, adaptive=seed % 2 == 0)
    now = 0.0
    for index in range(ROUNDS):
        now += rng.choice((0.0, 0.0, 0.001, 0.02, 1.0))
        wall_ns = rng.choice((0, int(now * 1e9), 1 << 62))
        body = rng.randbytes(rng.choice(CONTROL_SIZES))
        c.control(b"PKFc" + bytes([rng.choice(CONTROL_TYPES)]) + body, now, wall_ns)
        c.datagram(bytes([rng.choice(DATAGRAM_TAGS)]) + rng.randbytes(rng.choice((0, 5, 12, 13, 28, 60))), now)
        frame_index = rng.choice((index, 0, rng.getrandbits(32), 0xFFFF_FFFF))
        for packet in host.frame(b"x" * rng.choice((0, 1, 3000)), frame_index):
            junk = rng.randbytes(len(packet))
            for data in (packet, packet, packet[:-1], junk):
                for unit in receiver.receive(data, now):
                    for ready in c.ordered(Arrival(unit, wall_ns, wall_ns, len(packet)), now):
                        c.frame(ready, rng.randrange(40), now, decoding=True)
        for ready in c.overdue(now):
            c.frame(ready, 0, now, decoding=False)
        c.poll(now, wall_ns)
        assert c.next_deadline() <= now + 61
        assert len(c.take_messages()) < 20
        c.events.clear()
        c.audio_packets.clear()
    assert len(c.cursor_shapes) <= MAX_CURSOR_SHAPES
    assert len(c.audio._ahead) <= REORDER_FRAMES
    assert len(c._held) <= 64


TARGETS = (functools.partial(test_a_hostile_host, 1),)
