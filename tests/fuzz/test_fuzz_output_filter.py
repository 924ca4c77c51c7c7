"""Client and compositor that say anything: the filter between them ends in one kind of error, and hides what it hid."""

from __future__ import annotations

import random

from punktfunk.media.wayland.output_filter import OutputFilter
from punktfunk.media.wayland.wire import Arguments, MessageStream, WaylandError, message, string, uint

RUNS = 400
STEPS = 60
OUTPUT = 39
INTERFACES = ("wl_output", "wl_seat", "zwlr_output_manager_v1", "zwlr_virtual_pointer_manager_v1", "", "x" * 200)


def anything(chance: random.Random) -> bytes:
    """One message, mostly of a shape that the filter looks into."""
    word = uint(chance.randrange(36, 44))
    match chance.randrange(7):
        case 0:
            return message(1, 1, uint(chance.randrange(2, 5)))
        case 1 | 2:
            number = uint(chance.randrange(1, 9))
            bound = (word, string(chance.choice(INTERFACES)), uint(chance.randrange(6)), number)
            return message(chance.randrange(2, 5), 0, *bound[: chance.choice((3, 4, 4, 4))])
        case 3:
            return message(chance.randrange(2, 9), chance.randrange(4), word, word)
        case 4:
            return message(chance.randrange(2, 5), 1, word)
        case 5:
            return message(
                chance.randrange(1 << 32), chance.randrange(1 << 16), chance.randbytes(4 * chance.randrange(9))
            )
        case _:
            data = bytearray(message(chance.randrange(9), 0, word, string("wl_output"), word))
            if chance.random() < 0.1:
                data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)


def test_anything_in_any_pieces_both_ways() -> None:
    ended = hidden = 0
    for run in range(RUNS):
        chance = random.Random(run)
        between, seen = OutputFilter(OUTPUT), MessageStream()
        between.from_client(message(1, 1, uint(2)))
        try:
            for _ in range(STEPS):
                data = b"".join(anything(chance) for _ in range(chance.randrange(4)))
                cut = chance.randrange(len(data) + 1)
                if chance.random() < 0.3:
                    between.from_client(data)
                    continue
                passed = between.from_server(data[:cut]) + between.from_server(data[cut:])
                hidden += len(data) - len(passed)
                for event in seen.feed(passed):
                    if event.target in between._registries and event.opcode == 0:
                        arguments = Arguments(event.body)
                        name, interface = arguments.uint(), arguments.string()
                        assert name == OUTPUT or interface != "wl_output"
                        assert interface != "zwlr_output_manager_v1"
        except WaylandError:
            ended += 1
    assert ended > 20
    assert hidden > 10_000
