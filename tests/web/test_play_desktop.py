"""The real desktop in a real browser: seen, typed into, pointed at, heard, spoken to, copied from."""

from __future__ import annotations

import asyncio
import math
import re
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("playwright")
from playwright.async_api import expect
from tests.e2e.desktop_tools import TERMINAL_BACKGROUND, Picture, file_appears, is_blank, needs_desktop, read
from tests.e2e.host_process import HostProcess
from tests.web import console as web
from tests.web import player as p

pytestmark = [pytest.mark.e2e, needs_desktop, web.NEEDS_BROWSER]

MOUSE_REPORTS = """
import os, sys, tty
with open(sys.argv[1], "ab", 0) as out:
    tty.setraw(0)
    os.write(1, b"\\x1b[?1003h\\x1b[?1016h")
    out.write(b"ready ")
    while b"q" not in (data := os.read(0, 4096)):
        out.write(data)
"""
"""Has the terminal report every motion and button in pixels of its window."""
MOTION = 35
TONE_HZ = 880
VOICE_HZ = 440
SOUND_WAITS = """
  const resume = AudioContext.prototype.resume;
  let allowed = false;
  addEventListener('pointerdown', ({ isTrusted }) => (allowed ||= isTrusted), { capture: true });
  AudioContext.prototype.resume = function () { return allowed ? resume.call(this) : new Promise(() => {}); };
  window.AudioContext = class extends AudioContext {
    constructor(options) { super(options); void this.suspend(); }
  };
"""
"""Sound begins with a click: browsers have this rule, but each of Playwright's looks at a page counts as one."""
SPECTRUM = """() => {
  const sound = window.punktfunk.sound(), bins = new Float32Array(sound.analyser.frequencyBinCount);
  sound.analyser.fftSize = 8192;
  const all = new Float32Array(sound.analyser.frequencyBinCount);
  sound.analyser.getFloatFrequencyData(all);
  const peak = all.reduce((best, level, bin) => (level > all[best] ? bin : best), 0);
  return [peak * sound.context.sampleRate / sound.analyser.fftSize, all[peak]];
}"""


class Report(NamedTuple):
    """What the terminal says about the mouse: 0 left, 1 middle, 2 right, 35 a motion, 64 up, 65 down."""

    button: int
    x: int
    y: int
    pressed: bool


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    with p.desktop_host() as running:
        yield running


@pytest.mark.parametrize("carrier", p.CARRIERS)
async def test_the_canvas_is_the_desktop_and_keys_and_pointer_reach_it(host: HostProcess, carrier: str) -> None:
    async with p.playing(host, f"size=1280x720&via={carrier}", has_touch=True) as player:
        assert await player.canvas.get_attribute("data-carrier") == carrier
        await player.terminal_is_up()
        await _shows_the_desktop(player)

        typed = host.folder / f"typed-{carrier}"
        await player.type_line(f"echo 'Typed in a {carrier} page: 3 < 4 & \"5\" {{}}' > {typed}")
        assert await file_appears(typed) == f'Typed in a {carrier} page: 3 < 4 & "5" {{}}\n'

        await _the_pointer_is_where_it_should_be(player, carrier)


async def _shows_the_desktop(player: p.Player) -> None:
    """Compares with a screenshot; the clock or a cursor may change between the two, so that it gets some tries."""
    for _ in range(10):
        truth = await asyncio.to_thread(p.screenshot, player.host)
        canvas = await player.pixels()
        assert canvas.shape == truth.shape == (720, 1280, 3)
        assert not is_blank(truth)
        difference = np.abs(canvas.astype(np.int16) - truth)
        share = float((difference.max(axis=2) > 48).mean())
        if share < 0.004 and float(difference.mean()) < 4:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{share:.2%} of the pixels differ, by {difference.mean():.1f} on average")


async def _the_pointer_is_where_it_should_be(player: p.Player, name: str) -> None:
    script, log = player.host.folder / "mouse.py", player.host.folder / f"mouse-{name}"
    script.write_text(MOUSE_REPORTS)
    script.chmod(0o644)
    left, top = _corner_of_the_terminal(await player.pixels())
    await player.type_line(f"python3 {script} {log}")
    await file_appears(log)
    mouse = player.page.mouse
    offsets = []
    for button, code, at in (("left", 0, (400, 300)), ("middle", 1, (700, 450)), ("right", 2, (900, 520))):
        await mouse.click(*at, button=button, delay=30)  # type: ignore[arg-type]
        pressed = await _report(log, code, True)
        await _report(log, code, False)
        offsets.append((at[0] - left - pressed.x, at[1] - top - pressed.y))
    # The terminal counts from its first letter, a few pixels inside of its ground; the same few everywhere.
    assert all(0 <= x <= 16 and 0 <= y <= 16 for x, y in offsets), offsets
    assert np.ptp(offsets, axis=0).max() <= 1, offsets
    for turn, code in ((-120, 64), (120, 65)):
        await mouse.wheel(0, turn)
        await _report(log, code, True)
    log.write_bytes(b"")
    await player.page.touchscreen.tap(500, 350)
    tapped = await _report(log, 0, False)
    assert abs(tapped.x - (500 - left - offsets[0][0])) <= 1
    assert abs(tapped.y - (350 - top - offsets[0][1])) <= 1
    await player.press("q")


async def _report(log: Path, button: int, pressed: bool) -> Report:
    """The newest report of this button."""

    def found() -> list[Report]:
        return [r for r in _reports(read(log)) if r.button == button and r.pressed == pressed]

    await p.until(lambda: bool(found()), 5)
    return found()[-1]


def _reports(text: str) -> list[Report]:
    found = re.findall(r"\x1b\[<(\d+);(-?\d+);(-?\d+)([Mm])", text)
    return [Report(int(b), int(x) - 1, int(y) - 1, end == "M") for b, x, y, end in found]  # they count from one


def _corner_of_the_terminal(picture: Picture) -> tuple[int, int]:
    """Where the terminal's own picture begins: the first pixels of its ground, along the middle lines."""
    ground = np.abs(picture.astype(np.int16) - TERMINAL_BACKGROUND).max(axis=2) < 14
    row, column = ground[560], ground[:, 1000]
    return _begin_of_longest_run(row), _begin_of_longest_run(column)


def _begin_of_longest_run(line: np.ndarray) -> int:  # type: ignore[type-arg]
    edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]
    return int(starts[(ends - starts).argmax()])


@pytest.mark.parametrize("carrier", p.CARRIERS)
async def test_a_tone_of_the_session_is_heard_once_a_click_allows_it(host: HostProcess, carrier: str) -> None:
    async with p.playing(host, f"size=640x480&fps=30&via={carrier}", script=SOUND_WAITS) as player:
        hint = player.page.locator("#toasts [data-deed=sound_on]")
        await expect(hint).to_be_visible()
        assert await player.page.evaluate("window.punktfunk.sound().context.state") == "suspended"
        await hint.click()
        await expect(hint).to_be_hidden()
        await player.terminal_is_up()
        tone = host.folder / "tone.wav"
        _write_tone(tone, TONE_HZ, seconds=20)
        tone.chmod(0o644)
        playing = p.run_in_desktop(host, "paplay", str(tone))
        try:
            await _is_heard(player)
            await player.do("mute")
            await _is_quiet(player)
        finally:
            playing.kill()
            playing.wait()


async def _is_heard(player: p.Player) -> None:
    heard = []
    for _ in range(60):
        frequency, level = await player.page.evaluate(SPECTRUM)
        heard.append((frequency, level))
        if abs(frequency - TONE_HZ) < 12 and level > -40:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"no {TONE_HZ} Hz, but {heard[-5:]}")


async def _is_quiet(player: p.Player) -> None:
    for _ in range(60):
        _, level = await player.page.evaluate(SPECTRUM)
        if level is None or level < -90:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"still {level} dB")


def _write_tone(path: Path, frequency_hz: int, seconds: int, *, bursts: bool = False) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        loud = lambda i: not bursts or i // 9_600 % 2 == 0  # noqa: E731
        samples = (
            int(12_000 * math.sin(i * frequency_hz * math.tau / 48_000)) if loud(i) else 0
            for i in range(48_000 * seconds)
        )
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


async def test_the_microphone_is_recorded_in_the_session(host: HostProcess, tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    _write_tone(voice, VOICE_HZ, seconds=10, bursts=True)
    devices = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    flags = (*devices, f"--use-file-for-fake-audio-capture={voice}")
    async with p.playing(host, "size=640x480&fps=30", flags=flags) as player:
        await player.terminal_is_up()
        await player.do("microphone")
        await expect(player.page.locator("[data-deed=microphone][aria-pressed=true]")).to_be_attached()
        record = "timeout 4 parec --latency-msec=50 --raw --format=s16le --rate=48000 --channels=1"
        for attempt in range(4):
            target = host.folder / f"voice-{attempt}"
            await player.type_line(f"{record} > {target}; mv {target} {target}.raw")
            recorded = target.with_suffix(".raw")
            await p.until(recorded.exists, 12)
            if _is_the_voice(np.frombuffer(recorded.read_bytes(), np.int16)):
                break
        else:
            raise AssertionError("the voice was not recorded")
        await player.do("microphone")
        await expect(player.page.locator("[data-deed=microphone][aria-pressed=false]")).to_be_attached()


def _is_the_voice(samples: np.ndarray) -> bool:  # type: ignore[type-arg]
    if len(samples) < 96_000:
        return False
    heard = samples[-48_000:].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    return abs(int(spectrum.argmax()) - VOICE_HZ) <= 8 and float(np.abs(heard).max()) > 500


async def test_the_clipboard_goes_both_ways(host: HostProcess) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    async with p.playing(host, "size=1024x768&fps=30", permissions=allowed) as player:
        await player.terminal_is_up()
        copying = p.run_in_desktop(host, "wl-copy", "copied in the desktop: Grüße ✓")
        assert copying.wait() == 0
        for _ in range(50):
            copied = await player.page.evaluate("navigator.clipboard.readText()")
            if copied == "copied in the desktop: Grüße ✓":
                break
            await asyncio.sleep(0.1)
        assert copied == "copied in the desktop: Grüße ✓"

        pasted = host.folder / "pasted"
        await player.type_line(f"cat > {pasted}")
        await player.page.evaluate("navigator.clipboard.writeText('copied elsewhere: 12 € ∞')")
        await player.page.keyboard.press("Control+Shift+KeyV")
        await player.press("Enter")
        assert await file_appears(pasted) == "copied elsewhere: 12 € ∞\n"
        await player.page.evaluate("navigator.clipboard.writeText('by the button')")
        await player.do("paste")
        await expect(player.page.locator("#toasts")).to_contain_text("The desktop's clipboard holds your text now.")
        await player.page.keyboard.press("Shift+Insert")  # foot takes the primary selection there: nothing of ours
        await player.page.keyboard.press("Control+Shift+KeyV")
        await player.press("Enter")
        await p.until(lambda: read(pasted).endswith("by the button\n"))
        await player.page.keyboard.press("Control+KeyD")


async def test_a_screen_keyboards_text_reaches_the_desktop(host: HostProcess) -> None:
    async with p.playing(host, "size=800x600&fps=30", has_touch=True) as player:
        await player.terminal_is_up()
        target = host.folder / "screen-keyboard"
        await player.do("keyboard")
        await expect(player.page.locator("#typing")).to_be_focused()
        await player.page.keyboard.insert_text(f"echo 'Grüße ∞x' > {target}")
        for _ in range(len(f"x' > {target}")):
            await player.page.keyboard.press("Backspace")
        await player.page.keyboard.insert_text(f"' > {target}")
        await player.page.keyboard.press("Enter")
        assert await file_appears(target) == "Grüße ∞\n"


async def test_the_desktop_follows_the_window(host: HostProcess) -> None:
    async with p.playing(host, "fps=30", viewport={"width": 1024, "height": 640}) as player:
        await player.terminal_is_up()
        session = await player.session()
        await player.type_line("MARK=kept")
        for width, height in ((1280, 720), (801, 603)):
            await player.page.set_viewport_size({"width": width, "height": height})
            wanted = (height // 2 * 2 + height % 2 * 2, width // 2 * 2 + width % 2 * 2)
            picture = await player.until_pixels(lambda picture, wanted=wanted: picture.shape[:2] == wanted)  # type: ignore[misc]
            assert picture.shape[:2] == wanted
        target = host.folder / "after"
        await player.type_line(f"echo $MARK > {target}")
        assert await file_appears(target) == "kept\n"
        assert await player.session() == session


async def test_full_screen_and_pointer_lock(host: HostProcess) -> None:
    async with p.playing(host, "size=1280x720&fps=30") as player:
        await player.terminal_is_up()
        await player.do("fullscreen")
        await player.page.wait_for_function("() => document.fullscreenElement !== null")
        await player.do("fullscreen_off")
        await player.page.wait_for_function("() => document.fullscreenElement === null")

        script, log = host.folder / "mouse.py", host.folder / "mouse-locked"
        script.write_text(MOUSE_REPORTS)
        script.chmod(0o644)
        await player.type_line(f"python3 {script} {log}")
        await file_appears(log)
        await player.page.mouse.move(500, 300, steps=5)
        start = await _report(log, MOTION, True)
        await player.do("lock")
        await player.page.wait_for_function("() => document.pointerLockElement?.id === 'picture'")
        await expect(player.page.locator("#toasts")).to_contain_text("The pointer is locked for games.")
        before = len(_reports(read(log)))
        for step in range(1, 11):
            await player.page.mouse.move(500 + 4 * step, 300 + 2 * step)
        await p.until(lambda: len(_reports(read(log))) > before)
        await asyncio.sleep(0.3)
        moved = _reports(read(log))[-1]
        assert moved.x > start.x + 10
        await player.page.evaluate("document.exitPointerLock()")
        await player.press("q")


async def test_who_may_only_look_changes_nothing(host: HostProcess) -> None:
    async with p.playing(host, "size=800x600&fps=30", rights=p.LOOK_ONLY) as player:
        await player.until_pixels(lambda picture: not is_blank(picture))
        await expect(player.page.locator("#toasts")).to_contain_text("You can look, not touch.")
        for deed in ("lock", "microphone", "paste", "end"):
            assert not await player.page.locator(f"#bar [data-deed={deed}]").count(), deed
        await asyncio.sleep(2)
        # Also when the page is not the one that the host gave it.
        await player.page.evaluate(
            "window.punktfunk.connection.input.may = {keyboard: true, pointer: true, clipboard: true}"
        )
        await player.type_line(f"touch {host.folder}/forbidden")
        await player.page.mouse.click(60, 585)
        await asyncio.sleep(1.5)
        assert not (host.folder / "forbidden").exists()
        assert not p.children_running(host, "wofi")
