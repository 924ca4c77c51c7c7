"""Sixteen pads at 1000 reports a second each: what it costs, what it loses, and how long a report takes.

    python -m tests.bench.pads --without-kernel      the cost of our part, on any machine
    python -m tests.bench.pads                       with real devices; needs /dev/uinput and /dev/uhid

Name the machine with the figures: emulated ones say nothing about real ones.
"""

from __future__ import annotations

import argparse
import os
import platform
import selectors
import socket
import statistics
import threading
import time
from pathlib import Path

from punktfunk.input.events import PadArrived, PadKind, PadState
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.input.gamepads.inputs import Button
from punktfunk.input.gamepads.nodes import device_nodes
from punktfunk.input.pad_hub import PadHub, open_node
from punktfunk.input.uinput import EV_KEY, EVENT

SESSION = "bench"
START_S = 3.0
BTN_SOUTH = 0x130


class Sink:
    """Stands in for the kernel: takes every write and is never readable."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def open(self, node: Node) -> int:
        writer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        writer.connect(self._socket.getsockname())
        return writer.detach()


class Reader(threading.Thread):
    """A game for all pads: reads every button edge and notes when."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.edges: dict[int, list[float]] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        for name in device_nodes(SESSION):
            if name.startswith("input/event"):
                fd = os.open(Path("/dev", name), os.O_RDONLY | os.O_NONBLOCK)
                self._selector.register(fd, selectors.EVENT_READ)

    def run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(0.1):
                now = time.perf_counter()
                for event in EVENT.iter_unpack(os.read(key.fd, EVENT.size * 64)):
                    if event[2:4] == (EV_KEY, BTN_SOUTH):
                        self.edges.setdefault(key.fd, []).append(now)

    def stop(self) -> None:
        self._stopping = True
        self.join()


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pads", type=int, default=16)
    parser.add_argument("--rate", type=int, default=1000, help="reports a second of each pad")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--kind", choices=[kind.value for kind in PadKind], default=PadKind.DUALSENSE.value)
    parser.add_argument("--without-kernel", action="store_true")
    options = parser.parse_args()

    hub = PadHub(Sink().open if options.without_kernel else open_node, lambda feedback: None, session=SESSION)
    for pad in range(options.pads):
        hub.handle(PadArrived(pad, PadKind(options.kind)))
    reader = None
    if not options.without_kernel:
        time.sleep(START_S)
        reader = Reader()
        reader.start()
    sent, late, cpu = _play(hub, options.pads, options.rate, options.seconds)
    kinds = sorted({kind.value for kind in hub.kinds().values()})
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}")
    print(f"pads: {options.pads} × {options.rate}/s, {', '.join(kinds)}, kernel: {not options.without_kernel}")
    print(f"reports: {len(sent)}, behind schedule at the end by {late * 1000:.1f} ms")
    share = "" if reader is None else ", the reading game's share included"
    print(f"CPU: {cpu / options.seconds * 100:.1f} % of a core, {cpu / len(sent) * 1e6:.1f} µs a report{share}")
    if reader is not None:
        time.sleep(0.5)
        reader.stop()
        _print_latency(sent, reader, options.pads)
    hub.close()


def _play(hub: PadHub, pads: int, rate: int, seconds: float) -> tuple[list[float], float, float]:
    """Send every pad's reports in turn, evenly; times of sending, lag at the end in seconds, CPU seconds."""
    sent: list[float] = []
    started, cpu = time.perf_counter(), time.process_time()
    rounds = int(rate * seconds)
    for number in range(rounds):
        due = started + number / rate
        if (wait := due - time.perf_counter()) > 0:
            time.sleep(wait)
        for pad in range(pads):
            sent.append(time.perf_counter())
            hub.handle(PadState(pad, Button.A if number % 2 == 0 else 0, left_x=number % 30000))
    return sent, time.perf_counter() - started - rounds / rate, time.process_time() - cpu


def _print_latency(sent: list[float], reader: Reader, pads: int) -> None:
    seen = sum(len(times) for times in reader.edges.values())
    print(f"edges: {len(sent)} sent, {seen} seen, {len(sent) - seen} lost")
    if seen == len(sent):
        delays = []
        for pad, times in enumerate(sorted(reader.edges.values(), key=lambda times: times[0])):
            delays += [then - now for now, then in zip(sent[pad::pads], times, strict=True)]
        cuts = statistics.quantiles(delays, n=100)
        print(f"report to event: p50 {cuts[49] * 1000:.2f} ms, p99 {cuts[98] * 1000:.2f} ms")


if __name__ == "__main__":
    main()
