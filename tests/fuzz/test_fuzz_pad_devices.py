"""Whole pads with a kernel that says anything in any order: each question is answered, nothing else happens.

A socket stands for the device node.
"""

from __future__ import annotations

import errno
import os
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from tests.fuzz.test_fuzz_force_feedback import random_effect
from tests.fuzz.test_fuzz_output_reports import MODELS, mutated

from punktfunk.input import uhid, uinput
from punktfunk.input.events import Rumbled
from punktfunk.input.gamepads.device import MAX_MESSAGES_PER_READ, UhidPad, UinputPad
from punktfunk.input.gamepads.force_feedback import FF_GAIN
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.input.gamepads.xbox import XBOX_360

RUNS = 400
OUTPUT, GET_REPORT, SET_REPORT = 6, 9, 13
GET_REPLY, SET_REPLY, INPUT = 10, 14, 12


@pytest.fixture
def node() -> Iterator[tuple[int, socket.socket]]:
    """The pad's descriptor, which the pad owns, and the kernel's end."""
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kernel.setblocking(False)
    with kernel:
        yield ours.detach(), kernel


def kernel_message(chance: random.Random) -> bytes:
    """Mostly what uhid would send, with reports of any content; sometimes cut off or of another kind."""
    data = mutated(chance)
    message = chance.choice(
        (
            struct.pack("<I4096sHB", OUTPUT, data, len(data), chance.choice((0, 1, 1, 2, 9))),
            struct.pack(
                "<IIBB", GET_REPORT, chance.randrange(2**32), chance.randrange(256), chance.choice((0, 0, 1, 7))
            ),
            struct.pack("<IIBBH", SET_REPORT, chance.randrange(2**32), 0, chance.choice((0, 1, 2)), len(data)) + data,
            struct.pack("<I", chance.choice((2, 3, 4, 5, chance.randrange(2**32)))),
        )
    )
    return message if chance.random() < 0.9 else message[: chance.randrange(1, len(message) + 1)]


@pytest.mark.parametrize("name", MODELS)
def test_a_hid_pad_answers_every_question_once(name: str, node: tuple[int, socket.socket]) -> None:
    chance, (fd, kernel) = random.Random(name), node
    pad = UhidPad(fd, MODELS[name](), 0.0)
    assert struct.unpack_from("<I", kernel.recv(8192))[0] == 11
    for run in range(RUNS):
        asked: Counter[tuple[int, int]] = Counter()
        for _ in range(chance.randrange(6)):
            message = kernel_message(chance)
            kernel.send(message)
            try:
                event = uhid.parse(message)
            except uhid.UhidError:
                continue
            if isinstance(event, uhid.GetReport):
                asked[GET_REPLY, event.request] += 1
            elif isinstance(event, uhid.SetReport):
                asked[SET_REPLY, event.request] += 1
        feedback = pad.read(run * 0.01)
        assert len(feedback) <= 8 * MAX_MESSAGES_PER_READ
        if chance.random() < 0.5:
            pad.send(PadInputs(chance.randrange(0x400000), chance.randrange(256)), run * 0.01)
        pad.tick(run * 0.01)
        assert answers(kernel) == asked
    pad.close()


def answers(kernel: socket.socket) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    while True:
        try:
            message = kernel.recv(8192)
        except BlockingIOError:
            return found
        kind = struct.unpack_from("<I", message)[0]
        assert kind in (GET_REPLY, SET_REPLY, INPUT)
        if kind != INPUT:
            found[kind, struct.unpack_from("<I", message, 4)[0]] += 1


def test_an_xbox_pad_ends_every_upload(monkeypatch: pytest.MonkeyPatch, node: tuple[int, socket.socket]) -> None:
    chance, (fd, kernel) = random.Random(1), node
    begun: list[int] = []
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(uinput, "create", lambda *_: None)
    monkeypatch.setattr(uinput, "begin_upload", _recorder(begun, lambda: random_effect(chance)))
    monkeypatch.setattr(uinput, "end_upload", lambda _fd, request, error=0: ended.append((request, error)))
    monkeypatch.setattr(uinput, "erase", lambda _fd, _request: chance.randrange(-2, 20))
    pad, now = UinputPad(fd, 0, XBOX_360, "fuzz"), 0.0
    for _ in range(RUNS):
        now += chance.choice((0.0, 0.001, 0.5))
        batch = [_game_event(chance) for _ in range(chance.randrange(1, 9))]
        kernel.send(b"".join(uinput.EVENT.pack(0, 0, *event) for event in batch)[: chance.choice((None, None, 50))])
        for feedback in pad.read(now):
            assert isinstance(feedback, Rumbled)
            assert 0 <= feedback.low <= 0xFFFF
            assert 0 <= feedback.high <= 0xFFFF
        assert [request for request, _ in ended] == begun
        assert {error for _, error in ended} <= {0, errno.EINVAL}
    pad.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def _recorder(begun: list[int], effect: Callable[[], bytes]) -> Callable[[int, int], bytes]:
    def begin(_fd: int, request: int) -> bytes:
        begun.append(request)
        return effect()

    return begin


def _game_event(chance: random.Random) -> tuple[int, int, int]:
    kind = chance.choice((uinput.EV_UINPUT, uinput.EV_FF, chance.randrange(0x10000)))
    if kind == uinput.EV_UINPUT:
        return kind, chance.choice((1, 1, 2, chance.randrange(0x10000))), chance.randrange(2**31)
    code = chance.choice((*range(16), FF_GAIN, chance.randrange(0x10000)))
    return kind, code, chance.choice((0, 1, 3, 0xFFFF, chance.randrange(-(2**31), 2**31)))
