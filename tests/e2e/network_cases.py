"""Real host, real client, bad networks between them: ``python -m tests.e2e.network_cases`` prints the table.

Each case has two relays in processes of their own, one for QUIC and one for the video, with the same impairments in
both directions. The host encodes noise, so that the bitrate is what is asked for; pictures count as shown when the
client would show them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.e2e.host_process import HostProcess, running_host
from tests.impair.path import Impairments

from punktfunk.client.connection import Mode
from punktfunk.client.identity import ClientIdentity, new_identity
from punktfunk.client.session import Options, Session, connect
from punktfunk.client.timeline import PictureTimeline
from punktfunk.wire.punktfunk1.enums import VideoCodec
from punktfunk.wire.punktfunk1.messages import BitrateChanged

LINK_KBPS = 60_000
MAX_BITRATE_KBPS = 30_000
WARM_UP_S = 4.0
"""Until the speed test that begins an adaptive session is over; what it costs is not counted."""
SETTLED_SHARE = 0.15
NOISY_HOST = (sys.executable, "-m", "tests.e2e.noisy_host")


def link(rate_kbps: int = LINK_KBPS, **more: float) -> Impairments:
    """A path with 60 ms of queue."""
    return Impairments(rate_kbps=rate_kbps, queue_bytes=rate_kbps * 60 // 8, **more)  # type: ignore[arg-type]


CASES = {
    "clean, 2 ms": link(delay_s=0.001),
    "loss 1 %": link(loss=0.01, delay_s=0.005),
    "loss 2 %": link(loss=0.02, delay_s=0.005),
    "loss 5 %": link(loss=0.05, delay_s=0.005),
    "loss 10 %": link(loss=0.10, delay_s=0.005),
    "bursts of 10 ms each second": link(burst_every_s=1.0, burst_s=0.010, delay_s=0.005),
    "bursts of 50 ms each 3 s": link(burst_every_s=3.0, burst_s=0.050, delay_s=0.005),
    "delay 20 ms, jitter 5 ms": link(delay_s=0.020, jitter_s=0.005),
    "delay 80 ms, jitter 20 ms": link(delay_s=0.080, jitter_s=0.020),
    "delay 40 ms, loss 2 %": link(delay_s=0.040, loss=0.02),
    "reordering 5 % by 10 ms": link(delay_s=0.005, reorder=0.05, reorder_s=0.010),
    "duplicates 10 %": link(delay_s=0.005, duplicate=0.10),
    "bottleneck 10 Mbit/s": link(10_000, delay_s=0.010),
    "bottleneck 10 Mbit/s, loss 2 %": link(10_000, delay_s=0.010, loss=0.02),
    "MTU 1280": link(delay_s=0.005, mtu=1280),
}


@dataclass
class Result:
    """What a case came to, without its first ``WARM_UP_S``."""

    shown_share: float = 0.0
    stalls: int = 0
    longest_gap_ms: float = 0.0
    keyframes: int = 0
    lost_frames: int = 0
    loss_percent: float = 0.0
    fec_percent: float = 0.0
    bitrate_kbps: int = 0
    settle_s: float = 0.0
    latency_ms: float | None = None
    changes: list[tuple[float, int]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def relay(target: tuple[str, int], network: Impairments, seed: int) -> AsyncIterator[tuple[str, int]]:
    """A relay process; its address."""
    options: list[str] = []
    for item in fields(network):
        value, default = getattr(network, item.name), item.default
        if value != default:
            name = f"{item.name[:-2]}-ms" if item.name.endswith("_s") else item.name.replace("_", "-")
            options += [f"--{name}", str(value * 1000 if item.name.endswith("_s") else value)]
    command = ["-m", "tests.impair.relay", f"{target[0]}:{target[1]}", "--seed", str(seed), *options]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        address, _, port = line.split()[-1].rpartition(":")
        yield address, int(port)
    finally:
        process.terminate()
        await process.wait()


async def run_case(
    host: HostProcess, network: Impairments, seconds: float, identity: ClientIdentity, *, seed: int = 1
) -> Result:
    """Stream for ``seconds`` over a network."""
    async with contextlib.AsyncExitStack() as stack:
        control = await stack.enter_async_context(relay(("127.0.0.1", host.native_port), network, seed))

        async def route(address: str, port: int) -> tuple[str, int]:
            return await stack.enter_async_context(relay(("127.0.0.1", port), network, seed + 1))

        options = Options(mode=Mode(1280, 720, 60), codecs=VideoCodec.H264, decode=False, data_route=route)
        async with connect(control[0], identity, options, port=control[1]) as session:
            result = await _observe(session, seconds)
        await asyncio.sleep(2 * network.delay_s + network.jitter_s)
        return result


async def _observe(session: Session, seconds: float) -> Result:
    result = Result()
    begin = time.monotonic()
    timeline, indices = PictureTimeline(), []
    watching = asyncio.create_task(_note_bitrates(session, begin, result))
    keyframes = lost = packets = replaced = 0
    ending = asyncio.get_running_loop().call_later(
        WARM_UP_S + seconds + 2, lambda: asyncio.ensure_future(session.close())
    )
    async for unit in session.frames():
        now, s = time.monotonic(), session.statistics
        if now - begin < WARM_UP_S:
            keyframes, lost = s.feedback.keyframes, s.video.dropped
            packets, replaced = s.video.packets, s.video.recovered - s.video.late
            continue
        indices.append(unit.arrival.unit.frame_index)
        result.fec_percent = unit.arrival.unit.fec_percent
        if unit.show:
            timeline.shown(now)
        if now - begin >= WARM_UP_S + seconds:
            break
    ending.cancel()
    watching.cancel()
    timeline.end(time.monotonic())
    s = session.statistics
    result.shown_share = timeline.pictures / max(1, max(indices, default=0) - min(indices, default=0) + 1)
    result.stalls, result.longest_gap_ms = timeline.stalls, 1000 * timeline.longest_gap_s
    result.keyframes, result.lost_frames = s.feedback.keyframes - keyframes, s.video.dropped - lost
    gone = max(0, s.video.recovered - s.video.late - replaced)
    result.loss_percent = 100 * gone / max(1, s.video.packets - packets + gone)
    result.bitrate_kbps = s.bitrate_kbps
    unsettled = [at for at, kbps in result.changes if abs(kbps - s.bitrate_kbps) > SETTLED_SHARE * s.bitrate_kbps]
    after = [at for at, _ in result.changes if at > max(unsettled, default=0.0)]
    result.settle_s = min(after, default=0.0)
    total_us = s.latencies.percentile_us("total", 50)
    result.latency_ms = None if total_us is None else total_us / 1000
    return result


async def _note_bitrates(session: Session, begin: float, result: Result) -> None:
    async for event in session.events():
        if isinstance(event, BitrateChanged):
            result.changes.append((time.monotonic() - begin, event.kbps))


def noisy_host(folder: Path) -> contextlib.AbstractContextManager[HostProcess]:
    """The host of all cases."""
    flags = ["--display", "synthetic", "--audio", "off", "--native", "--open"]
    flags += ["--set", f"video.max_bitrate_kbps={MAX_BITRATE_KBPS}"]
    return running_host(folder, *flags, prefix=NOISY_HOST)


def main() -> None:
    """The table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=16.0)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    columns = ("network", "shown", "stalls > 100 ms (longest)", "keyframes", "lost frames", "repaired loss", "FEC")
    columns += ("bitrate", "settled")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)
    identity = new_identity()
    with tempfile.TemporaryDirectory() as folder, noisy_host(Path(folder)) as host:
        for name, network in CASES.items():
            if arguments.only in name:
                r = asyncio.run(run_case(host, network, arguments.seconds, identity))
                print(
                    f"| {name} | {r.shown_share:.1%} | {r.stalls} ({r.longest_gap_ms:.0f} ms) | {r.keyframes}"
                    f" | {r.lost_frames} | {r.loss_percent:.1f} % | {r.fec_percent:.0f} %"
                    f" | {r.bitrate_kbps / 1000:.1f} Mbit/s | {r.settle_s:.1f} s |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
