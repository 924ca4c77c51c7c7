"""How long an injected key or motion takes to be an event in a window of an X server (docs/decisions/0040-x11.md).

``python -m tests.bench.x11_input``; needs Xvfb. The window is a client of this process's own, read on a thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from tests.e2e.x11_tools import BUTTON_PRESS, KEY_PRESS, MOTION, X11Window, x11_server

from punktfunk.media.displays.xtest_seat import XTestSeat
from punktfunk.media.x11.keyboard import spare_keycodes
from punktfunk.media.x11.randr import RandR

_KEY_A, _LEFT = 30, 0x110


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    with x11_server() as server, server.connect() as x:
        region = RandR(x).region()
        window = X11Window(server, 0, 0, region.width, region.height, 0x204060)
        seat = XTestSeat(x, spare_keycodes(x), region)
        seat.move_to(100, 100)
        time.sleep(0.3)
        cases: dict[str, tuple[int, Callable[[int], None], Callable[[int], None]]] = {
            "key": (KEY_PRESS, lambda _: seat.key(_KEY_A, True), lambda _: seat.key(_KEY_A, False)),
            "button": (BUTTON_PRESS, lambda _: seat.button(_LEFT, True), lambda _: seat.button(_LEFT, False)),
            "motion": (MOTION, lambda i: seat.move_to(200 + i % 500, 300), lambda _: None),
            "relative": (MOTION, lambda i: seat.move_by(1 if i % 2 else -1, 0), lambda _: None),
            "new text": (KEY_PRESS, lambda i: seat.text(chr(0x4E00 + i)), lambda _: None),
        }
        for name, (kind, inject, after) in cases.items():
            times_us = []
            for number in range(count if name != "new text" else count // 10):
                window.events.clear()
                window.times_ns.clear()
                time.sleep(0.21 if name == "new text" else 0.002)
                began_ns = time.monotonic_ns()
                inject(number)
                window.until_any(kind)
                at = next(i for i, event in enumerate(window.events) if event[0] == kind)
                times_us.append((window.times_ns[at] - began_ns) / 1000)
                after(number)
            cuts = statistics.quantiles(times_us, n=100)
            print(f"{name:9} {len(times_us)} times: p50 {cuts[49]:.0f}, p95 {cuts[94]:.0f}, p99 {cuts[98]:.0f} us")
        window.close()


if __name__ == "__main__":
    main()
