"""Display latency of an X11 desktop: as tests/bench/display_latency.py, on an Xvfb.

    python -m tests.bench.x11_latency [--mode 1280x720@60] [--seconds 8]        (not as root)

A program (this file with ``--draw``) shows a scrolling picture 60 times a second through MIT-SHM, stamped with
CLOCK_MONOTONIC; it covers the largest mode.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import struct
import subprocess
import sys
import time

import numpy as np
from tests.bench.display_latency import BITRATE_KBPS, SETTLE_S, Recorder, measure
from tests.e2e.x11_tools import X11Server, x11_server

from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.stamp import HEIGHT, WIDTH, stamp_pixels
from punktfunk.media.video_source import X11Display, open_source
from punktfunk.media.x11.connection import X11Connection, request
from punktfunk.media.x11.loan import borrow, show_mode

SIZE = (1920, 1080)
RATE_HZ = 60
_IPC_PRIVATE, _IPC_CREATE, _IPC_REMOVE = 0, 0o1777, 0
_CREATE_WINDOW, _MAP_WINDOW, _CREATE_GC = 1, 8, 55
_SHM_ATTACH, _SHM_PUT_IMAGE, _Z_PIXMAP = 1, 3, 2


def draw(display: str, authority: str) -> None:
    """Be the drawing program until killed."""
    width, height = SIZE
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    segment = libc.shmget(_IPC_PRIVATE, width * height * 4, _IPC_CREATE)
    address = libc.shmat(segment, None, 0)
    memory = (ctypes.c_uint8 * (width * height * 4)).from_address(address)
    pixels = np.frombuffer(memory, np.uint8).reshape(height, width, 4)
    x = X11Connection(display, authority)
    window, gc, shared = (x.facts.resource_base + n for n in range(3))
    place = struct.pack("<IIhhHHHHII", window, x.facts.root, 0, 0, width, height, 0, 1, 0, 0)
    x.checked(request(_CREATE_WINDOW, 0, place))
    x.checked(request(_MAP_WINDOW, 0, struct.pack("<I", window)))
    x.checked(request(_CREATE_GC, 0, struct.pack("<III", gc, window, 0)))
    opcode = x.needed("MIT-SHM").opcode
    x.checked(request(opcode, _SHM_ATTACH, struct.pack("<IIB3x", shared, segment, 1)))
    libc.shmctl(segment, _IPC_REMOVE, None)
    cells = np.random.default_rng(1).integers(0, 255, (height // 8 + 1, width // 8 + 40, 4), dtype=np.uint8)
    texture = cells.repeat(8, axis=0).repeat(8, axis=1)[:height, : width + 256]
    whole = (width, height, 0, 0, width, height, 0, 0, 24, _Z_PIXMAP, 0)
    put = request(opcode, _SHM_PUT_IMAGE, struct.pack("<IIHHHHHHhhBBBxII", window, gc, *whole, shared, 0))
    number, due = 0, time.monotonic()
    while True:
        offset = number * 4 % 256
        pixels[:] = texture[:, offset : offset + width]
        pixels[:HEIGHT, :WIDTH, :3] = stamp_pixels(number, time.monotonic_ns())[:, :, None]
        x.send(put)
        x.sync()
        number += 1
        due += 1 / RATE_HZ
        time.sleep(max(0.0, due - time.monotonic()))


def one(display: str, authority: str, mode: Mode, seconds: float) -> None:
    """Measure on a display that DISPLAY names too."""
    with X11Connection(display, authority) as x:
        borrow(x, "bench", "bench")
        show_mode(x, mode)
    source, recorder = open_source(X11Display(display, authority, "bench")), Recorder()
    source.start(VideoPlan(mode, bitrate_kbps=BITRATE_KBPS), recorder)
    time.sleep(SETTLE_S)
    measure("x11", source, recorder, mode, seconds)
    sys.stdout.flush()
    os._exit(0)


def measured(server: X11Server, options: argparse.Namespace) -> str:
    """The table's line."""
    own = [sys.executable, "-m", "tests.bench.x11_latency", "--on", server.display, server.authority]
    with subprocess.Popen([*own, "--draw"], env=server.environment) as painter:
        command = [*own, "--mode", options.mode, "--seconds", str(options.seconds)]
        result = subprocess.run(command, env=server.environment, stdout=subprocess.PIPE, text=True, check=True)
        painter.kill()
    return next(line for line in result.stdout.splitlines() if line.startswith("|"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", default="1280x720@60")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--on", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height, rate = (int(number) for number in options.mode.replace("@", "x").split("x"))
    if options.draw:
        draw(*options.on)
    if options.on:
        one(*options.on, Mode(width, height, rate * 1000), options.seconds)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}\n")
    print("| display | mode | frames/s | draw → packet p50 / p95 / p99 ms | gap p99 ms | CPU cores | mode change ms |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with x11_server() as server:
        print(measured(server, options))


if __name__ == "__main__":
    main()
