"""A measured session: watch, listen, and carry out the tests that were asked for."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from punktfunk.client.connection import Mode
from punktfunk.client.errors import ClientError
from punktfunk.client.input_pattern import send_input_pattern
from punktfunk.client.microphone import Microphone
from punktfunk.client.opus import MICROPHONE_SAMPLES, SAMPLE_RATE_HZ
from punktfunk.client.picture_file import write_png
from punktfunk.client.report import Check, ModeChange, Report, audio_facts, latencies_ms, session_facts, video_facts
from punktfunk.client.session import Session
from punktfunk.client.sound import SoundDecoder, WavWriter
from punktfunk.client.timeline import PictureTimeline
from punktfunk.wire.punktfunk1.caps import Grants
from punktfunk.wire.punktfunk1.verification import verification_frame

SETTLE_S = 2.0
"""What follows a mode change and belongs to it."""
TONE_HZ = 440
TONE_AMPLITUDE = 8000
FIRST_PICTURE_S = 10.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in a session of ``seconds`` (of watching; tests add their own time)."""

    seconds: float = 5.0
    modes: tuple[Mode, ...] = ()
    speed_test_kbps: int = 0
    input_test: bool = False
    microphone_seconds: float = 0.0
    audio_file: Path | None = None
    picture_file: Path | None = None


class Watcher:
    """Takes a session's pictures and sound for as long as it runs."""

    def __init__(self, session: Session, *, decode: bool) -> None:
        self.timeline = PictureTimeline()
        self.seen = asyncio.Event()
        self.last: VideoFrame | None = None
        self.peak: float | None = None
        self.mismatched = 0
        self._session = session
        self._verify = session.welcome.frames > 0
        self._decode = decode and not self._verify
        self._change: PictureTimeline | None = None

    @asynccontextmanager
    async def watching(self, audio_file: Path | None) -> AsyncIterator[None]:
        """Watch within the block."""
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._listen(audio_file))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def gap(self) -> AsyncIterator[PictureTimeline]:
        """A timeline of the block alone."""
        self._change = PictureTimeline()
        self._change.shown(time.monotonic())
        try:
            yield self._change
        finally:
            self._change = None

    async def _watch(self) -> None:
        if self._decode:
            async for picture in self._session.pictures():
                if picture.show:
                    self.last = picture.frame
                    self._shown()
        else:
            async for unit in self._session.frames():
                if self._verify:
                    arrived = unit.arrival.unit
                    self.mismatched += arrived.data != verification_frame(arrived.frame_index)
                if unit.show:
                    self._shown()

    def _shown(self) -> None:
        now = time.monotonic()
        self.timeline.shown(now)
        if self._change is not None:
            self._change.shown(now)
        self.seen.set()

    async def _listen(self, audio_file: Path | None) -> None:
        if audio_file is None:
            return
        decoder = SoundDecoder(self._session.welcome)
        writer = WavWriter(audio_file, decoder.channels, decoder.rate_hz)
        self.peak = 0.0
        try:
            async for packet in self._session.audio():
                samples = decoder.decode(packet)
                writer.write(samples)
                floats = np.frombuffer(samples, np.float32)
                self.peak = max(self.peak, float(np.abs(floats).max(initial=0)))
        finally:
            writer.close()
            decoder.close()


async def measure(session: Session, plan: Plan, host: str, started: float, *, decode: bool) -> Report:
    """Carry out a plan; ``started`` is when connecting began (``time.monotonic``). A session that the host ends is
    reported as far as it came."""
    watcher = Watcher(session, decode=decode)
    report = Report(host=host, session=session_facts(session))
    async with watcher.watching(plan.audio_file):
        try:
            await _carry_out(session, plan, watcher, report)
        except ClientError as error:
            report.ended = str(error)
    watcher.timeline.end(time.monotonic())
    report.video = video_facts(session, watcher.timeline, started, time.monotonic() - started)
    report.audio = audio_facts(session, watcher.peak)
    report.latency_ms = latencies_ms(session)
    statistics = session.statistics
    if statistics.clock_offset_ns is not None and statistics.rtt_ns is not None:
        report.clock_offset_us, report.rtt_us = statistics.clock_offset_ns / 1000, statistics.rtt_ns / 1000
    seen = watcher.timeline.pictures
    report.checks.insert(0, Check("picture", seen > 0, f"{seen} shown"))
    if expected := session.welcome.frames:
        detail = f"{seen} of {expected} arrived, {watcher.mismatched} of them with wrong bytes"
        report.checks.insert(1, Check("test frames", seen == expected and not watcher.mismatched, detail))
    if plan.picture_file is not None and watcher.last is not None:
        await asyncio.to_thread(write_png, watcher.last, plan.picture_file)
    if session.closed is not None and not report.ended:
        report.ended = str(session.closed)
    return report


async def _carry_out(session: Session, plan: Plan, watcher: Watcher, report: Report) -> None:
    await _unless_closed(session, watcher.seen.wait(), FIRST_PICTURE_S)
    if plan.speed_test_kbps:
        report.checks.append(await _speed_test(session, plan.speed_test_kbps))
    if plan.input_test:
        events = await send_input_pattern(session)
        allowed = bool(session.connection.grants & (Grants.POINTER | Grants.KEYBOARD))
        report.checks.append(Check("input", allowed, f"{events} events sent" if allowed else "not granted"))
    if plan.microphone_seconds:
        report.checks.append(await _microphone_test(session, plan.microphone_seconds))
    slice_s = plan.seconds / (1 + len(plan.modes))
    await _unless_closed(session, asyncio.sleep(slice_s), slice_s + 1)
    for mode in plan.modes:
        report.mode_changes.append(await _change_mode(session, mode, watcher, max(slice_s, SETTLE_S)))


async def _change_mode(session: Session, mode: Mode, watcher: Watcher, seconds: float) -> ModeChange:
    async with watcher.gap() as timeline:
        answer = await session.reconfigure(mode)
        await _unless_closed(session, asyncio.sleep(seconds), seconds + 1)
        timeline.end(time.monotonic())
    gap_ms = round(1000 * timeline.longest_gap_s, 1) if answer.accepted else None
    return ModeChange(str(mode), answer.accepted, str(session.mode), gap_ms)


async def _speed_test(session: Session, target_kbps: int) -> Check:
    test = await session.speed_test(target_kbps)
    if test.declined:
        return Check("speed test", False, "the host declined")
    loss = "unknown" if test.loss is None else f"{100 * test.loss:.2f} %"
    dropped = "" if test.host_dropped is None else f", dropped by the host {100 * test.host_dropped:.2f} %"
    return Check("speed test", True, f"{test.throughput_kbps / 1000:.1f} Mbit/s arrived, lost {loss}{dropped}")


async def _microphone_test(session: Session, seconds: float) -> Check:
    if not session.connection.grants & Grants.MICROPHONE:
        return Check("microphone", False, "not granted")
    microphone = Microphone(session.send_datagram)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    packet_s = MICROPHONE_SAMPLES / SAMPLE_RATE_HZ
    try:
        for number in range(round(seconds / packet_s)):
            microphone.write(_tone(number * MICROPHONE_SAMPLES), time.time_ns())
            await asyncio.sleep(max(0.0, begin + (number + 1) * packet_s - loop.time()))
            if session.closed is not None:
                raise session.closed
    finally:
        microphone.close()
    return Check("microphone", True, f"{microphone.packets} packets of a {TONE_HZ} Hz tone sent")


def _tone(first_sample: int) -> bytes:
    step = 2 * math.pi * TONE_HZ / SAMPLE_RATE_HZ
    samples = [int(TONE_AMPLITUDE * math.sin(step * (first_sample + i))) for i in range(MICROPHONE_SAMPLES)]
    return struct.pack(f"={MICROPHONE_SAMPLES}h", *samples)


async def _unless_closed(session: Session, awaited: Coroutine[Any, Any, object], timeout_s: float) -> None:
    """Wait for something, or raise the reason when the session ends first; a time-out is no error."""
    wanted = asyncio.create_task(awaited)
    ended = asyncio.create_task(session.wait_closed())
    try:
        await asyncio.wait([wanted, ended], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        wanted.cancel()
        ended.cancel()
    if session.closed is not None:
        raise session.closed
