"""Display latency: from a program drawing to the encoded access unit, and the gap of a live mode change.

    python tests/bench/display_latency.py [--mode 1280x720@60] [--seconds 8] [embedded|wlroots|bare|synthetic ...]

A program (this file with ``--draw``) shows a full-screen scrolling picture, stamped with CLOCK_MONOTONIC, at each frame
callback; the stream is decoded after the run. Needs pywayland (PyPI), which nothing else here needs. One process each:
the capture library holds on to one compositor.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import mmap
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import av
import msgspec
import numpy as np

from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.stamp import HEIGHT, WIDTH, read_stamp, stamp_pixels
from punktfunk.media.video_source import Synthetic, VideoSource, open_source

KINDS = ("embedded", "wlroots", "bare", "synthetic")
"""wlroots: the embedded sway as a person's own is seen, through the filter that leaves one output."""
BITRATE_KBPS = 10_000
SETTLE_S = 2.0
BUFFERS = 3


def draw() -> None:
    """Be the drawing program until killed."""
    from pywayland.client import Display
    from pywayland.protocol.wayland import WlCompositor, WlShm
    from pywayland.protocol.xdg_shell import XdgWmBase

    display = Display()
    display.connect()
    bound: dict[str, Any] = {}

    def on_global(registry: Any, name: int, interface: str, version: int) -> None:
        for kind in (WlCompositor, WlShm, XdgWmBase):
            if kind.name == interface:
                bound[interface] = registry.bind(name, kind, min(version, 4))

    registry = display.get_registry()
    registry.dispatcher["global"] = on_global
    display.roundtrip()
    bound["xdg_wm_base"].dispatcher["ping"] = lambda base, serial: base.pong(serial)
    surface = bound["wl_compositor"].create_surface()
    xdg_surface = bound["xdg_wm_base"].get_xdg_surface(surface)
    toplevel = xdg_surface.get_toplevel()
    size = [0, 0]

    def on_size(_toplevel: Any, width: int, height: int, _states: Any) -> None:
        size[:] = (width or 640, height or 480)

    toplevel.dispatcher["configure"] = on_size
    xdg_surface.dispatcher["configure"] = lambda xdg, serial: xdg.ack_configure(serial)
    toplevel.set_fullscreen(None)
    surface.commit()
    while not size[0]:
        display.roundtrip()
    painter = Painter(bound["wl_shm"], surface, size)
    painter.paint()
    while True:
        display.dispatch(block=True)


class Painter:
    """Paints at each frame callback, in the size that the compositor wants by then."""

    def __init__(self, shm: Any, surface: Any, size: list[int]) -> None:
        self._shm, self._surface, self._size = shm, surface, size
        self._shown = (0, 0)
        self._buffers: list[list[Any]] = []
        self._number = 0

    def paint(self, *_event: object) -> None:
        """Paint one frame and ask for the next."""
        if self._shown != tuple(self._size):
            self._allocate()
        callback = self._surface.frame()
        callback.dispatcher["done"] = self.paint
        self._callback = callback
        free = next((buffer for buffer in self._buffers if not buffer[2]), None)
        if free is not None:
            self._show(free)
        self._surface.commit()

    def _show(self, buffer: list[Any]) -> None:
        width, height = self._shown
        pixels = buffer[1]
        offset = self._number * 4 % 256
        pixels[:] = self._texture[:, offset : offset + width]
        pixels[:HEIGHT, :WIDTH, :3] = stamp_pixels(self._number, time.monotonic_ns())[:, :, None]
        buffer[2] = True
        self._surface.attach(buffer[0], 0, 0)
        self._surface.damage_buffer(0, 0, width, height)
        self._number += 1

    def _allocate(self) -> None:
        width, height = self._shown = (self._size[0], self._size[1])
        length = width * height * 4
        fd = os.memfd_create("picture")
        os.ftruncate(fd, length * BUFFERS)
        memory = mmap.mmap(fd, length * BUFFERS)
        pool = self._shm.create_pool(fd, length * BUFFERS)
        self._buffers = []
        for i in range(BUFFERS):
            pixels = np.frombuffer(memory, np.uint8, length, i * length).reshape(height, width, 4)
            buffer: list[Any] = [pool.create_buffer(i * length, width, height, width * 4, 1), pixels, False]
            buffer[0].dispatcher["release"] = lambda _wl_buffer, buffer=buffer: buffer.__setitem__(2, False)
            self._buffers.append(buffer)
        cells = np.random.default_rng(1).integers(0, 255, (height // 8 + 1, width // 8 + 40, 4), dtype=np.uint8)
        self._texture = cells.repeat(8, axis=0).repeat(8, axis=1)[:height, : width + 256]


class Recorder:
    """Notes each frame with its arrival."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, EncodedFrame]] = []

    def __call__(self, frame: EncodedFrame) -> None:
        self.frames.append((time.monotonic_ns(), frame))


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of them lie; NaN without values."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def draw_to_packet_ms(frames: list[tuple[int, EncodedFrame]]) -> list[float]:
    """Milliseconds from drawing to the packet, for each picture that arrived."""
    decoder = av.CodecContext.create("h264", "r")
    seen: dict[int, float] = {}
    for arrived_ns, frame in frames:
        for picture in decoder.decode(av.Packet(frame.data)):
            stamp = read_stamp(picture.to_ndarray()[: picture.height])
            if stamp is not None and stamp.frame not in seen:
                seen[stamp.frame] = (arrived_ns - stamp.clock_ns) / 1e6
    return list(seen.values())


def measure(kind: str, source: VideoSource, recorder: Recorder, mode: Mode, seconds: float) -> None:
    """Print one line of the table for a started source."""
    source.request_keyframe()
    first, cpu, start = len(recorder.frames), cpu_s(), time.monotonic()
    time.sleep(seconds)
    cpu_share = (cpu_s() - cpu) / (time.monotonic() - start)
    frames = recorder.frames[first:]
    key = next(i for i, (_, frame) in enumerate(frames) if frame.kind is FrameKind.KEY)
    latency = draw_to_packet_ms(frames[key:])
    gaps = [(b - a) / 1e6 for (a, _), (b, _) in itertools.pairwise(frames)]
    changes = [mode_change_gap_ms(source, recorder, other) for other in (Mode(1920, 1080, mode.refresh_mhz), mode)]
    print(
        f"| {kind} | {mode} | {len(gaps) / (sum(gaps) / 1e3):.1f} | {percentile(latency, 0.5):.1f} / "
        f"{percentile(latency, 0.95):.1f} / {percentile(latency, 0.99):.1f} | {percentile(gaps, 0.99):.1f} | "
        f"{cpu_share:.2f} | {changes[0]:.0f} / {changes[1]:.0f} |",
        flush=True,
    )


def mode_change_gap_ms(source: VideoSource, recorder: Recorder, mode: Mode) -> float:
    """Longest time without a frame around a live change to ``mode``."""
    before = len(recorder.frames) - 1
    source.reconfigure(VideoPlan(mode, bitrate_kbps=BITRATE_KBPS))
    time.sleep(1)
    times = [arrived_ns for arrived_ns, _ in recorder.frames[before:]]
    return max(b - a for a, b in itertools.pairwise(times)) / 1e6


def cpu_s() -> float:
    """CPU time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run(kind: str, mode: Mode, seconds: float) -> None:
    """One kind of display, with the drawing program in it."""
    from punktfunk.session.desktops.choice import choose_desktop
    from punktfunk.session.desktops.look import LookSettings
    from punktfunk.session.identity import desktop_user
    from punktfunk.session.runtime_dirs import RuntimeDir

    recorder = Recorder()
    if kind == "synthetic":
        source = open_source(Synthetic())
        source.start(VideoPlan(mode, bitrate_kbps=BITRATE_KBPS), recorder)
        await asyncio.to_thread(measure, kind, source, recorder, mode, seconds)
        return
    user = (
        desktop_user(None) if kind in ("embedded", "wlroots") else desktop_user("root" if os.geteuid() == 0 else None)
    )
    runtime = RuntimeDir.create(user)
    look = LookSettings(command="sleep infinity")
    made = "embedded" if kind == "wlroots" else kind
    desktop = choose_desktop(made, runtime, look, which=lambda name: name).make("b", {})
    await desktop.start(mode)
    try:
        target: Any = desktop.target
        source = open_source(msgspec.structs.replace(target, output="HEADLESS-1") if kind == "wlroots" else target)
        await asyncio.to_thread(source.start, VideoPlan(mode, bitrate_kbps=BITRATE_KBPS), recorder)
        display = getattr(desktop.target, "wayland_display", "") or getattr(desktop.target, "socket_link", "")
        painter = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--draw", env={**os.environ, "WAYLAND_DISPLAY": display}
        )
        await asyncio.sleep(SETTLE_S)
        await asyncio.to_thread(measure, kind, source, recorder, mode, seconds)
        painter.kill()
        await painter.wait()
        source.stop()
    finally:
        await desktop.stop()
        runtime.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=KINDS, metavar="kind", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--mode", default="1280x720@60")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        draw()
    size, _, rate = options.mode.partition("@")
    width, _, height = size.partition("x")
    mode = Mode(int(width), int(height), round(float(rate or 60) * 1000))
    if options.one:
        asyncio.run(run(options.kinds[0], mode, options.seconds))
        sys.stdout.flush()
        # Native capture threads may hold locks that the interpreter's shutdown would wait for.
        os._exit(0)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}\n")
    print("| display | mode | frames/s | draw → packet p50 / p95 / p99 ms | gap p99 ms | CPU cores | mode change ms |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o700)
        for kind in options.kinds:
            command = [
                sys.executable,
                __file__,
                "--one",
                "--mode",
                options.mode,
                "--seconds",
                str(options.seconds),
                kind,
            ]
            environment = {**os.environ, "XDG_RUNTIME_DIR": folder}
            result = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
            print("\n".join(rows) or f"| {kind} | failed with status {result.returncode} |", flush=True)


if __name__ == "__main__":
    main()
