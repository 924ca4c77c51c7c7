"""Sixteen pads at 1000 reports a second each, from a punktfunk/1 datagram to what a game reads.

    python -m tests.bench.pads --without-kernel      the host's part, on any machine: a socket stands for the device
    python -m tests.bench.pads                       with real devices; needs /dev/uinput and /dev/uhid
    python -m tests.vm exec --kernel uml --timeout 300 python -m tests.bench.pads --rate 60

Three processes, as in life: the supervisor's part (datagram, decoder, link), the worker's (link, pads, device), a game.
Each round sends one report of every pad, one after the other; in every report one button changes. QUIC is left out.
Name the machine with the figures: emulated ones say nothing about real ones.
"""

from __future__ import annotations

import argparse
import fcntl
import gc
import multiprocessing as mp
import os
import platform
import select
import socket
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from punktfunk.input.events import PadArrived, PadKind
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.input.gamepads.dualsense import DualSense
from punktfunk.input.gamepads.inputs import Button, PadInputs
from punktfunk.input.gamepads.nodes import device_nodes
from punktfunk.input.pad_hub import PadHub, open_node
from punktfunk.input.uhid import input_report
from punktfunk.input.uinput import EV_KEY, EV_SYN, EVENT
from punktfunk.native.access import Access
from punktfunk.native.input_decoder import InputDecoder
from punktfunk.native.pads import wire_kind
from punktfunk.session import messages as m
from punktfunk.session.link import Link, link_pair
from punktfunk.wire.punktfunk1.datagrams import decode_from_client
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, PadSnapshot, encode_input

SESSION = "bench"
START_S = 4.0
SETTLE_S = 1.0
BTN_SOUTH, SYN_DROPPED = 0x130, 3
EVIOCSCLOCKID = 1 << 30 | 4 << 16 | ord("E") << 8 | 0xA0
UHID_CREATE2, UHID_INPUT2 = 11, 12
UHID_PHYS = slice(4 + 128, 4 + 128 + 64)
DUALSENSE_BUTTONS = 6 + 8
"""Where a DualSense's report, behind the head of its message, has the button."""


@dataclass
class Seen:
    """What the game saw: for each pad the edges of one button, when the kernel had them and when they were read."""

    edges: dict[int, list[tuple[int, float, float]]] = field(default_factory=dict)
    overruns: int = 0
    cpu_s: float = 0.0


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pads", type=int, default=16)
    parser.add_argument("--rate", type=int, default=1000, help="reports a second of each pad")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kind", choices=[kind.value for kind in PadKind], default=PadKind.DUALSENSE.value)
    parser.add_argument("--without-kernel", action="store_true")
    parser.add_argument("--one-write", action="store_true", help="what the kernel's part of one report costs, alone")
    options = parser.parse_args()
    if options.without_kernel and options.kind != PadKind.DUALSENSE.value:
        parser.error("--without-kernel reads the reports of a DualSense")

    if options.one_write:
        _one_write()
        return
    with tempfile.TemporaryDirectory() as folder:
        node = f"{folder}/node" if options.without_kernel else None
        _measure(options, node)


def _measure(options: argparse.Namespace, node: str | None) -> None:
    stand_in = _listen(node) if node is not None else None
    ours, theirs = link_pair()
    worker_end, worker_told = mp.Pipe()
    worker = mp.Process(target=_work, args=(theirs, node, worker_told), daemon=True)
    worker.start()
    link: Link[m.FromWorker, m.ToWorker] = Link(ours, m.FromWorker)  # type: ignore[arg-type]
    supervisor = Supervisor(link, options.pads, PadKind(options.kind))
    # The game comes when the pads are there; a stand-in has to be there before them.
    game_end, game_told = mp.Pipe()
    reader = _read_stand_in if stand_in is not None else _read_devices
    game = mp.Process(target=reader, args=(game_told, options.pads, stand_in), daemon=True)
    if stand_in is not None:
        game.start()
    supervisor.plug_in()
    time.sleep(START_S)
    if stand_in is None:
        game.start()
    game_end.recv()
    sent, late_s, cpu_s = supervisor.play(options.rate, options.seconds)
    time.sleep(SETTLE_S)
    link.send(m.Stop())
    used = worker_end.recv()
    game_end.send(None)
    _report(options, sent, late_s, cpu_s, used, game_end.recv())


def _one_write() -> None:
    """Reports of a DualSense written as fast as it goes, to the device and to /dev/null: the difference is the kernel's
    driver, input layer and waiting of nobody."""
    hub = PadHub(open_node, lambda feedback: None, session=SESSION)
    hub.handle(PadArrived(0, PadKind.DUALSENSE))
    time.sleep(START_S)
    model, count = DualSense(0, SESSION), 20_000
    reports = [input_report(model.input_report(PadInputs(number % 2 * Button.A), 0.0)) for number in range(count)]
    fd = next(fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{fd}") and _is_uhid(fd))
    null = os.open(os.devnull, os.O_WRONLY)
    for name, target in (("/dev/null", null), ("/dev/uhid", fd), ("/dev/null", null), ("/dev/uhid", fd)):
        started = time.perf_counter()
        for report in reports:
            os.write(target, report)
        print(f"{name}: {(time.perf_counter() - started) / count * 1e6:.2f} µs a write")
    hub.close()


def _is_uhid(fd: int) -> bool:
    return os.readlink(f"/proc/self/fd/{fd}") == Node.UHID.value


class Supervisor:
    """The host's side of the link."""

    def __init__(self, link: Link[m.FromWorker, m.ToWorker], pads: int, kind: PadKind) -> None:
        self._link, self._pads, self._kind = link, pads, kind
        self._decoder = InputDecoder(Access())

    def plug_in(self) -> None:
        """Every controller says what it is."""
        for pad in range(self._pads):
            self._take(encode_input(InputEvent(InputKind.GAMEPAD_ARRIVAL, wire_kind(self._kind), flags=pad)))

    def play(self, rate: int, seconds: float) -> tuple[list[list[float]], float, float]:
        """Times of sending for each pad, lag at the end, CPU seconds."""
        gc.disable()
        wire = [[_snapshot(pad, number) for number in range(256)] for pad in range(self._pads)]
        sent: list[list[float]] = [[] for _ in wire]
        cpu, started, rounds = time.process_time(), time.perf_counter(), int(rate * seconds)
        for number in range(rounds):
            if (wait := started + number / rate - time.perf_counter()) > 0:
                time.sleep(wait)
            for pad, datagrams in enumerate(wire):
                sent[pad].append(time.perf_counter())
                self._take(datagrams[number & 0xFF])
        return sent, time.perf_counter() - started - rounds / rate, time.process_time() - cpu

    def _take(self, datagram: bytes) -> None:
        event = decode_from_client(datagram)
        assert isinstance(event, InputEvent)
        self._link.send(m.InjectInput(tuple(self._decoder.event(event))))


def _snapshot(pad: int, number: int) -> bytes:
    buttons = Button.A if number % 2 == 0 else 0
    return encode_input(PadSnapshot(pad, number, buttons, left_x=number * 100).event())


def _work(theirs: socket.socket, node: str | None, told: Connection) -> None:
    """What the worker does with input, until it is stopped; then its CPU seconds."""
    link: Link[m.ToWorker, m.FromWorker] = Link(theirs, m.ToWorker)  # type: ignore[arg-type]
    hub = PadHub(_stand_in_opener(node) if node else open_node, lambda feedback: None, session=SESSION)
    cpu = time.process_time()
    while isinstance(message := link.receive()[0], m.InjectInput):
        for event in message.events:
            hub.handle(event)
    used, kinds = time.process_time() - cpu, sorted({kind.value for kind in hub.kinds().values()})
    hub.close()
    told.send((used, kinds))


# --- The game, with a kernel -----------------------------------------------------------------------------------------


def _read_devices(told: Connection, pads: int, _stand_in: None) -> None:
    seen, devices, cpu = Seen(), dict[int, int](), time.process_time()
    for pad in range(pads):
        for name in device_nodes(SESSION, pads=range(pad, pad + 1)):
            if name.startswith("input/event"):
                fd = os.open(Path("/dev", name), os.O_RDONLY | os.O_NONBLOCK)
                fcntl.ioctl(fd, EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
                devices[fd] = pad
    for fd, now in _until_told(told, list(devices)):
        for seconds, micros, kind, code, value in EVENT.iter_unpack(_read(fd)):
            if kind == EV_KEY and code == BTN_SOUTH:
                seen.edges.setdefault(devices[fd], []).append((value, seconds + micros / 1e6, now))
            elif kind == EV_SYN and code == SYN_DROPPED:
                seen.overruns += 1
    seen.cpu_s = time.process_time() - cpu
    told.send(seen)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, EVENT.size * 256)
    except OSError:  # unplugged, at the end
        return b""


# --- The game, without: it reads the reports themselves --------------------------------------------------------------


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(16)
    return listener


def _stand_in_opener(path: str) -> Callable[[Node], int]:
    def opener(node: Node) -> int:
        device = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        device.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        device.connect(path)
        return device.detach()

    return opener


def _read_stand_in(told: Connection, pads: int, listener: socket.socket) -> None:
    seen, numbers, pressed, cpu = Seen(), dict[int, int](), dict[int, int](), time.process_time()
    for _ in range(pads):
        device, _ = listener.accept()
        hello = device.recv(8192)
        assert struct.unpack_from("<I", hello)[0] == UHID_CREATE2
        numbers[device.detach()] = int(hello[UHID_PHYS].rstrip(b"\0").decode().rpartition("pad")[2])
    for fd, now in _until_told(told, list(numbers)):
        report = os.read(fd, 8192)
        if report and struct.unpack_from("<I", report)[0] == UHID_INPUT2:
            pad, value = numbers[fd], report[DUALSENSE_BUTTONS] >> 5 & 1
            if value != pressed.get(pad, 0):
                pressed[pad] = value
                seen.edges.setdefault(pad, []).append((value, now, now))
    seen.cpu_s = time.process_time() - cpu
    told.send(seen)


def _until_told(told: Connection, fds: list[int]) -> Iterator[tuple[int, float]]:
    """Descriptors that can be read, and when; until the other side says stop."""
    # The millions of times that are kept would make the game's own collector the longest wait; the worker's stays on.
    gc.disable()
    poll = select.epoll()
    told.send("ready")
    for fd in (*fds, told.fileno()):
        poll.register(fd, select.EPOLLIN)
    while True:
        ready = poll.poll()
        now = time.perf_counter()
        for fd, _ in ready:
            if fd == told.fileno():
                told.recv()
                return
            yield fd, now


# --- Figures ---------------------------------------------------------------------------------------------------------


def _report(
    options: argparse.Namespace,
    sent: list[list[float]],
    late_s: float,
    supervisor_cpu_s: float,
    worker: tuple[float, list[str]],
    seen: Seen,
) -> None:
    reports = sum(map(len, sent))
    seconds = options.seconds + max(late_s, 0.0)
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}")
    print(f"pads: {options.pads} × {options.rate}/s, {', '.join(worker[1])}, kernel: {not options.without_kernel}")
    print(f"reports: {reports} in {seconds:.1f} s, behind schedule at the end by {late_s * 1000:.1f} ms")
    for name, cpu_s in (("supervisor", supervisor_cpu_s), ("worker", worker[0]), ("game", seen.cpu_s)):
        print(f"CPU of the {name}: {cpu_s / seconds * 100:.1f} % of a core, {cpu_s / reports * 1e6:.1f} µs a report")
    edges = sum(len(times) for times in seen.edges.values())
    print(f"edges: {reports} sent, {edges} seen, {reports - edges} lost, {seen.overruns} overruns of a reader")
    if edges != reports:
        counts = {pad: len(seen.edges.get(pad, ())) for pad in range(options.pads)}
        print(f"seen of each pad, {reports // options.pads} sent: {counts}")
        return
    for pad, times in seen.edges.items():
        wanted = [1 - number % 2 for number in range(len(times))]
        assert [value for value, _, _ in times] == wanted, f"pad {pad}: edges out of order"
    for name, place in (("device", 1), ("game", 2)):
        delays = sorted(
            1000 * (edge[place] - then)
            for pad, times in seen.edges.items()
            for edge, then in zip(times, sent[pad], strict=True)
        )
        cuts = statistics.quantiles(delays, n=1000)
        print(f"datagram to {name}: p50 {cuts[499]:.2f}, p99 {cuts[989]:.2f}, p99.9 {cuts[998]:.2f} ms")


if __name__ == "__main__":
    main()
