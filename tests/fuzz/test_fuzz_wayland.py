"""A compositor that says anything: the client of KWin ends in one kind of error, keeps its bounds and leaks nothing."""

from __future__ import annotations

import os
import random

from punktfunk.media.wayland.client import MAX_GLOBALS, MAX_OBJECTS, WaylandClient
from punktfunk.media.wayland.keymap import MAX_KEYMAP_BYTES, SeatKeymap
from punktfunk.media.wayland.outputs import MAX_OUTPUTS, Outputs
from punktfunk.media.wayland.wire import WaylandError, message, sint, string, uint

RUNS = 600
STEPS = 80
INTERFACES = ("wl_output", "wl_seat", "zxdg_output_manager_v1", "org_kde_kwin_fake_input", "wl_shm", "", "x" * 200)


def anything(chance: random.Random, client: WaylandClient) -> bytes:
    """One event: for an object that is there, and of a right shape, most of the time."""
    there = sorted(number for number in client._handlers if number > 2)
    wild = chance.random() < 0.004
    target = chance.randrange(1 << 32) if wild else chance.choice(there or [0xFF000000])
    match 7 if wild else chance.randrange(7):
        case 0 | 1 | 2:
            name = chance.choice((chance.randrange(40), chance.randrange(1 << 32)))
            return message(2, 0, uint(name), string(chance.choice(INTERFACES)), uint(chance.randrange(12)))
        case 3:
            return message(2, 1, uint(chance.randrange(40)))
        case 4:
            return message(target, chance.randrange(6), *(sint(chance.randrange(-9, 9999)) for _ in range(3)))
        case 5:
            return message(target, chance.randrange(6), string("Virtual-" + "n" * chance.randrange(300)))
        case 6:
            return message(1, 1, uint(target)) if chance.random() < 0.2 and there else message(0xFF000001, 0)
        case _:
            data = bytearray(
                message(target, chance.randrange(70000) & 0xFFFF, chance.randbytes(4 * chance.randrange(9)))
            )
            data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)


def some_descriptors(chance: random.Random) -> list[int]:
    made = []
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        fd = os.memfd_create("fuzz")
        os.write(fd, chance.choice((b"", b"xkb_keymap { }\0", chance.randbytes(500))))
        made.append(fd)
    return made


def test_any_events_in_any_pieces_with_any_descriptors() -> None:
    before = len(os.listdir("/proc/self/fd"))
    ended = handled = 0
    for run in range(RUNS):
        chance, client = random.Random(run), WaylandClient()
        outputs, keymap = Outputs(client), SeatKeymap(client)
        pending: list[int] = []
        try:
            for _ in range(STEPS):
                data = anything(chance, client)
                cut = chance.randrange(len(data) + 1)
                pending = some_descriptors(chance)
                handed, pending = pending, []
                client.receive(data[:cut], handed)
                client.receive(data[cut:])
                handled += 1
                assert len(client.globals) <= MAX_GLOBALS
                assert len(client._handlers) <= MAX_OBJECTS
                assert len(outputs.all()) <= MAX_OUTPUTS
                assert len(keymap.text) <= MAX_KEYMAP_BYTES
        except WaylandError:
            ended += 1
        finally:
            client.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert ended
    assert handled > 5 * RUNS, "most events are to be taken, not refused at the door"
