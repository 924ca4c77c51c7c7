"""A punktfunk client at a desktop of the host's own: types, speaks, copies and pastes, leaves and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import secrets
import shutil
import struct
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.e2e.desktop_tools import file_appears, needs_desktop, shared_folder
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.native_tools import command, event, paired_identity, pictures, session

from punktfunk.client.connection import Mode
from punktfunk.client.identity import ClientIdentity
from punktfunk.client.microphone import Microphone
from punktfunk.client.session import Options, Session
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.caps import ClientCaps, HostCaps
from punktfunk.wire.punktfunk1.welcome import PcmAudio

pytestmark = [pytest.mark.e2e, needs_desktop]
needs_clipboard = pytest.mark.skipif(shutil.which("wl-copy") is None, reason="needs wl-clipboard")

OPTIONS = Options(bitrate_kbps=10_000)
ENTER, BACKSPACE, SHIFT = 0x0D, 0x08, 0xA0
TEXT = "text/plain;charset=utf-8"
TONE_HZ = 440
RATE_HZ = 48_000


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    with shared_folder() as folder, running_host(folder, "--display", "embedded") as running:
        yield running


@contextlib.asynccontextmanager
async def at_the_desktop(host: HostProcess, name: str) -> AsyncIterator[tuple[Session, ClientIdentity]]:
    identity = await paired_identity(host, name)
    async with session(host, identity, OPTIONS) as live:
        await terminal_is_up(host, live)
        yield live, identity


async def terminal_is_up(host: HostProcess, live: Session) -> None:
    """Wait until the desktop's first terminal does what is typed."""
    await pictures(live, 10, 20)
    sign = host.folder / f"up-{secrets.token_hex(4)}"
    for _ in range(10):
        await type_line(live, f"touch {sign}")
        with contextlib.suppress(AssertionError):
            await file_exists(sign, 2.0)
            return
    raise AssertionError("no terminal came up")


async def type_line(live: Session, line: str) -> None:
    """Type into the focused terminal as text, then Enter as a key."""
    for start in range(0, len(line), 8):
        live.input.text(line[start : start + 8])
        await asyncio.sleep(0.05)
    live.input.key(ENTER, True)
    live.input.key(ENTER, False)


def press(live: Session, keys: str) -> None:
    """Press and release keys by their virtual-key codes, which letters, digits, space and return share with ASCII."""
    for key in keys:
        live.input.key(ord(key), True)
        live.input.key(ord(key), False)


async def file_exists(path: Path, limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while not path.exists():  # noqa: ASYNC240 - a look, no wait
        assert time.monotonic() < deadline, f"no {path}, but {sorted(p.name for p in path.parent.iterdir())}"
        await asyncio.sleep(0.05)


async def test_typed_text_and_keys_reach_a_program(host: HostProcess) -> None:
    async with at_the_desktop(host, "Typist") as (live, identity):
        assert HostCaps.TEXT_INPUT in live.welcome.host_caps
        target = host.folder / "typed"
        await type_line(live, f"echo 'Grüße ∞' > {target}")
        assert await file_appears(target) == "Grüße ∞\n"
        press(live, "LS")
        live.input.move_to(640, 360, 1280, 720)
        live.input.button(1, True)
        live.input.button(1, False)
        live.input.scroll(120)
        press(live, "\r")
        fingerprint = identity.fingerprint.hex()[:16]
        await command(host, "devices", "access", fingerprint, "--allow", "pointer")
        await event(live, m.AccessUpdate)
        await type_line(live, f"touch {host.folder}/forbidden")
        await asyncio.sleep(0.5)
        assert not (host.folder / "forbidden").exists()


async def test_a_mode_change_keeps_the_desktop(host: HostProcess) -> None:
    async with at_the_desktop(host, "Remode") as (live, _):
        await type_line(live, "MARK=kept")
        for mode in (Mode(1920, 1080, 60), Mode(2560, 1440, 60)):
            assert (await live.reconfigure(mode)).accepted
            async with asyncio.timeout(10):
                async for picture in live.pictures():
                    if picture.frame.width == mode.width:
                        break
            await asyncio.sleep(0.6)
        target = host.folder / "after"
        await type_line(live, f"echo $MARK > {target}")
        assert await file_appears(target) == "kept\n"


async def test_leaving_and_coming_back_finds_the_desktop(host: HostProcess) -> None:
    identity = await paired_identity(host, "Wanderer")
    async with session(host, identity, OPTIONS, quit_host=False) as live:
        await terminal_is_up(host, live)
        await type_line(live, f"MARK=still-there; cd {host.folder}")
        await asyncio.sleep(0.3)
        live.input.key(SHIFT, True)
        live.input.key(ord("A"), True)
        await asyncio.sleep(0.1)
    async with session(host, identity, OPTIONS) as live:
        await pictures(live, 10)
        target = host.folder / "returned"
        live.input.key(BACKSPACE, True)
        live.input.key(BACKSPACE, False)
        press(live, "TOUCH NOTHELD\r")
        await file_exists(host.folder / "notheld")
        await type_line(live, f"echo $MARK > {target}")
        assert await file_appears(target) == "still-there\n"


async def test_the_microphone_is_recorded(host: HostProcess) -> None:
    async with at_the_desktop(host, "Singer") as (live, _):
        singing = asyncio.create_task(_sing(live))
        try:
            for attempt in range(4):
                target = host.folder / f"voice-{attempt}"
                record = f"timeout 4 parec --latency-msec=50 --raw --format=s16le --rate=48000 --channels=1 > {target}"
                await type_line(live, f"{record}; mv {target} {target}.raw")
                await file_exists(target.with_suffix(".raw"), 10)
                if _is_the_tone(np.frombuffer(target.with_suffix(".raw").read_bytes(), np.int16)):
                    return
        finally:
            singing.cancel()
        raise AssertionError("the tone was not recorded")


def _is_the_tone(samples: NDArray[np.int16]) -> bool:
    """Whether the last second is the tone, loud and clear."""
    if len(samples) < 2 * RATE_HZ:
        return False
    heard = samples[-RATE_HZ:].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    return abs(int(spectrum.argmax()) - TONE_HZ) <= 3 and float(np.abs(heard).max()) > 2000


async def _sing(live: Session) -> None:
    microphone = Microphone(live.send_datagram)
    begun, sent = time.monotonic(), 0
    while True:
        while sent < (time.monotonic() - begun) * 100:
            block = range(sent * 480, (sent + 1) * 480)
            samples = (int(9000 * math.sin(i * TONE_HZ * math.tau / 48_000)) for i in block)
            microphone.write(struct.pack("<480h", *samples), time.time_ns())
            sent += 1
        await asyncio.sleep(0.005)


@needs_clipboard
async def test_the_clipboard_goes_both_ways(host: HostProcess) -> None:
    async with at_the_desktop(host, "Copier") as (live, _):
        assert HostCaps.CLIPBOARD in live.welcome.host_caps
        live.clipboard.enable()
        assert (await event(live, m.ClipState)).enabled
        source, target = host.folder / "source.png", host.folder / "pasted"
        await type_line(live, "printf 'from the host' | wl-copy")
        offer = await event(live, m.ClipOffer)
        assert TEXT in {entry.mime for entry in offer.formats}
        assert await live.clipboard.fetch(TEXT) == b"from the host"
        live.clipboard.offer({TEXT: "from the client ✓".encode()})
        await asyncio.sleep(1.0)
        await type_line(live, f"wl-paste -n > {target}")
        assert await file_appears(target) == "from the client ✓"
        picture = b"\x89PNG\r\n\x1a\n" + os.urandom(200_000)
        source.write_bytes(picture)
        source.chmod(0o644)
        await type_line(live, f"wl-copy --type image/png < {source}")
        offer = await event(live, m.ClipOffer)
        assert [entry.mime for entry in offer.formats] == ["image/png"]
        assert await live.clipboard.fetch("image/png") == picture
        live.clipboard.offer({"text/html": b"<b>bold</b>"})
        await asyncio.sleep(1.0)
        page = host.folder / "page"
        await type_line(live, f"wl-paste -n --type text/html > {page}")
        assert await file_appears(page) == "<b>bold</b>"


async def test_lossless_sound_is_what_a_program_played(host: HostProcess) -> None:
    noise = np.random.default_rng(1).integers(-16_000, 16_000, 2 * RATE_HZ, dtype=np.int16).tobytes()
    source = host.folder / "noise.raw"
    source.write_bytes(noise)
    source.chmod(0o644)
    options = replace(OPTIONS, client_caps=ClientCaps.AUDIO_HIRES, audio_bits=16)
    identity = await paired_identity(host, "Listener")
    async with session(host, identity, options) as live:
        assert live.welcome.audio == PcmAudio(RATE_HZ, 16, 5000)
        assert HostCaps.AUDIO_HIRES in live.welcome.host_caps
        await terminal_is_up(host, live)
        await type_line(live, f"paplay --raw --format=s16le --rate={RATE_HZ} --channels=2 {source}")
        heard = bytearray()
        async with asyncio.timeout(20):
            async for packet in live.audio():
                heard += packet.payload or b""
                start = heard.find(noise[4000:4064])
                if start >= 0 and len(heard) >= start + len(noise) // 2:
                    break
        assert heard[start : start + len(noise) // 2] == noise[4000 : 4000 + len(noise) // 2]
