"""Checks of a whole stream: a desktop is seen, typed into and heard, through the same code as a client's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.host.capabilities import find_video_facts
from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip, warn
from punktfunk.host.doctor.probe import SAMPLE_RATE_HZ, Picture, Probe, Samples, probe_session
from punktfunk.input.events import KeyChanged
from punktfunk.media.frames import Codec
from punktfunk.media.stamp import read_stamp
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.choice import OWN_DESKTOPS
from punktfunk.session.desktops.look import Programs
from punktfunk.session.identity import IdentityError
from punktfunk.session.runtime_dirs import RuntimeDirError
from punktfunk.session.sound_server import SoundError
from punktfunk.session.stream import StreamError

PATTERN_FRAMES = 10
TONE_HZ = 600.0
_TONE_S = 20
_TONE_TOLERANCE_HZ = 12.0
_HEARD_SAMPLES = SAMPLE_RATE_HZ // 5
_AUDIBLE = 0.01
_BLANK_DEVIATION = 3.0
_PATIENCE_S = 6.0
_TYPING_PAUSE_S = 0.25
_WORD, _WORD_KEYS, _KEY_ENTER = "ok", (24, 37), 28
_CODECS = {Codec.H264: CodecSupport.H264, Codec.HEVC: CodecSupport.HEVC, Codec.AV1: CodecSupport.AV1}
_LOOK_CLOSER = "run `punktfunk-host serve --log-level debug` and see docs/troubleshoot.md"
_FIXES: dict[type[Exception], str] = {
    DesktopError: "run `make run` again, which installs what a desktop needs",
    IdentityError: "create the account, or set display.user",
    RuntimeDirError: "remove what is in the way",
    SoundError: "install pipewire, wireplumber, pipewire-pulse and pulseaudio-utils",
    StreamError: _LOOK_CLOSER,
}


def _explained(probe: Callable[[Context], Awaitable[Outcome]]) -> Callable[[Context], Awaitable[Outcome]]:
    """A probe whose expected errors are outcomes with a fix."""

    async def explained(context: Context) -> Outcome:
        try:
            return await probe(context)
        except tuple(_FIXES) as error:
            return fail(str(error), _FIXES[type(error)])

    return explained


async def pattern(context: Context) -> Outcome:
    """The test pattern goes through worker, encoder and decoder, and its stamp can still be read."""
    async with probe_session(context, kind="synthetic") as probe:
        stamps = []
        async for picture in probe.pictures():
            stamps.append((read_stamp(picture), time.monotonic_ns()))
            if len(stamps) == PATTERN_FRAMES:
                break
    read = [(stamp.frame, now_ns - stamp.clock_ns) for stamp, now_ns in stamps if stamp]
    if len(read) < PATTERN_FRAMES or sorted({frame for frame, _ in read}) != [frame for frame, _ in read]:
        return fail(f"only {len(read)} of {PATTERN_FRAMES} test pictures came through whole and in order", _LOOK_CLOSER)
    age_ms = sorted(age for _, age in read)[len(read) // 2] / 1e6
    return ok(f"{PATTERN_FRAMES} test pictures came through a worker in order, {age_ms:.0f} ms from drawn to decoded")


async def picture(context: Context) -> Outcome:
    """A desktop is captured, encoded with every codec that is offered, decoded again, and is not blank."""
    if context.settings.display.kind == "synthetic":
        return skip("the synthetic display has no desktop")
    facts = await find_video_facts(context.settings.display.kind, context.settings.video)
    said = []
    for codec in (codec for codec, bit in _CODECS.items() if facts.codecs & bit):
        began = time.monotonic()
        async with probe_session(context, codec=codec) as probe:
            if await _first_picture_with_content(probe) is None:
                if context.settings.display.kind not in OWN_DESKTOPS:
                    return warn(
                        f"the desktop's picture is of one colour ({codec})", "see whether it is empty or locked"
                    )
                return fail(f"the desktop's picture is blank ({codec})", _LOOK_CLOSER)
            said.append(f"{codec} by {_encoder(probe)} after {time.monotonic() - began:.1f} s")
    return ok(f"a desktop was captured, encoded and decoded: {', '.join(said)}")


async def _first_picture_with_content(probe: Probe, tries: int = 60) -> Picture | None:
    async for seen in probe.pictures():
        if float(seen.std()) > _BLANK_DEVIATION:
            return seen
        tries -= 1
        if not tries:
            break
    return None


def _encoder(probe: Probe) -> str:
    started = probe.stream.started
    return started.encoder if started is not None else "nobody"


async def keyboard(context: Context) -> Outcome:
    """Keys that are injected arrive in a window."""
    if context.settings.display.kind == "synthetic":
        return skip("the synthetic display takes no input")
    if context.settings.display.kind not in OWN_DESKTOPS:
        return skip("nothing is typed into the windows that somebody has open")
    terminal = Programs.installed().terminal
    if not terminal:
        return skip("there is no terminal to type into (install foot)")
    dash_e = "" if terminal == "foot" else "-e "
    # The window may come in the middle of a word; what counts is that the word arrives.
    command = f"{terminal} {dash_e}sh -c 'while read line; do echo $line > @FOLDER@/typed; done'"
    async with probe_session(context, desktop_command=command) as probe:
        typed = probe.folder / "typed"
        drain = asyncio.create_task(_drain(probe))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await _type_until_read(probe, typed)
        except TimeoutError:
            return fail(f"the window read {_read(typed)!r}, but {_WORD!r} was typed", "check display.keyboard_layout")
        finally:
            drain.cancel()
            await asyncio.gather(drain, return_exceptions=True)
    return ok(f"keys arrived in a window: {terminal.split()[0]} read {_WORD!r}")


async def _drain(probe: Probe) -> None:
    async for _ in probe.pictures():
        pass


async def _type_until_read(probe: Probe, file: Path) -> None:
    while _read(file) != _WORD:
        for code in (*_WORD_KEYS, _KEY_ENTER):
            probe.stream.inject((KeyChanged(code, True), KeyChanged(code, False)))
        await asyncio.sleep(_TYPING_PAUSE_S)


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except FileNotFoundError:
        return ""


async def tone(context: Context) -> Outcome:
    """What a program of the session plays is in its client's Opus packets."""
    if context.settings.audio.mode == "off":
        return skip("sound is switched off (audio.mode)")
    if context.settings.display.kind == "synthetic":
        return skip("the synthetic display has a tone of its own and no programs that could play")
    if context.settings.display.kind not in OWN_DESKTOPS:
        return skip("nothing is played in a desktop that somebody uses")
    play = "pacat --playback --raw --format=float32le --rate=48000 --channels=1 --latency-msec=20 @FOLDER@/tone"
    files = {"tone": _tone_samples().tobytes()}
    async with probe_session(context, desktop_command=play, audio=True, files=files) as probe:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                level, frequency_hz = await _listen(probe)
        except TimeoutError:
            return fail(f"a tone was played, but not heard within {_PATIENCE_S:g} s", _LOOK_CLOSER)
    return ok(f"a tone of {frequency_hz:.0f} Hz was played in a session and heard in its Opus packets ({level:.2f})")


def _tone_samples() -> Samples:
    time_s = np.arange(_TONE_S * SAMPLE_RATE_HZ, dtype=np.float32) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * TONE_HZ * time_s)).astype(np.float32)


async def _listen(probe: Probe) -> tuple[float, float]:
    """Level and frequency, once the tone is there."""
    heard = np.zeros(0, np.float32)
    async for samples in probe.samples():
        heard = np.concatenate((heard, samples))
        if len(heard) < _HEARD_SAMPLES:
            continue
        level, frequency_hz = loudest(heard)
        if level > _AUDIBLE and abs(frequency_hz - TONE_HZ) < _TONE_TOLERANCE_HZ:
            return level, frequency_hz
        heard = heard[-_HEARD_SAMPLES // 2 :]
    raise AssertionError("samples never end")


def loudest(samples: Samples) -> tuple[float, float]:
    """Root mean square and the frequency with the most energy."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    spectrum[0] = 0
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return level, float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / len(samples)


CHECKS = (
    Check("pattern", _explained(pattern)),
    Check("picture", _explained(picture), 20.0),
    Check("keyboard", _explained(keyboard), 20.0),
    Check("tone", _explained(tone), 20.0),
)
