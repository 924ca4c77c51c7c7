"""Text in nine scripts and emoji, from both wires, into a terminal, an X11 program and a GTK program of the desktop."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator

import pytest
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import (
    ENTER,
    arrives,
    desktop,
    file_appears,
    needs_desktop,
    press,
    shared_folder,
)
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import paired_client
from tests.e2e.native_tools import paired_identity, pictures, session

from punktfunk.client.session import Options

pytestmark = [pytest.mark.e2e, needs_desktop]

TEXTS = {
    "latin": "Él año, naïve ÇöĞüşİ ßøłæ",
    "greek": "Ξεσκεπάζω ψυχοφθόρα",
    "cyrillic": "Съешь ещё булок, ґїє",
    "hebrew": "דג סקרן שט בים",
    "arabic": "نص حكيم له سر قاطع",
    "devanagari": "ऋषियों को सताने वाले",
    "thai": "เป็นมนุษย์สุดประเสริฐ",
    "cjk": "日本語の文字 漢字 한국어",
    "emoji": "🎮👩‍👩‍👧‍👦🇩🇪👍🏽✈️",
}
MODE = StreamOptions(width=1024, height=600, fps=30)
CHUNK = 8
READER = "sh -c 'stty raw -echo; echo > {ready}; exec cat > {typed}'"
# A GTK program with an entry: it prints what was typed when Enter is pressed, and ends.
GTK = "sh -c 'echo > {ready}; while :; do wofi --dmenu < /dev/null >> {typed}; done'"
PROGRAMS = {
    "terminal": ("foot", "foot " + READER),
    "x11": ("xterm", "xterm -u8 -e " + READER),
    "gtk": ("wofi", GTK),
}


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    with shared_folder() as folder:
        settings = ""
        for name, (_, command) in PROGRAMS.items():
            started = command.format(ready=folder / f"{name}.ready", typed=folder / f"{name}.typed")
            settings += f'[[apps]]\nname = "{name}"\ncommand = """{started}"""\n'
        with running_host(folder, "--display", "embedded", settings=settings) as running:
            yield running


@pytest.mark.parametrize("program", PROGRAMS)
async def test_from_a_moonlight_client(host: HostProcess, program: str) -> None:
    if shutil.which(PROGRAMS[program][0]) is None:
        pytest.skip(f"needs {PROGRAMS[program][0]}")
    typed, expected = host.folder / f"{program}.typed", ""
    async with paired_client(host, program) as client, desktop(client, MODE, program) as (stream, screen):
        await file_appears(host.folder / f"{program}.ready", 10)
        await screen.settled(limit_s=10)
        for text in TEXTS.values():
            stream.utf8_text(text)
            if program == "gtk":
                await asyncio.sleep(0.5)
                press(stream, ENTER)
                expected += text + "\n"
                await arrives(typed, expected)
                # The next window has to be there before the next text.
                await screen.settled(0.5)
            else:
                expected += text
                await arrives(typed, expected)
    assert not client.violations.excluding("timing."), client.violations


async def test_from_a_punktfunk_client(host: HostProcess) -> None:
    identity = await paired_identity(host, "Writer")
    typed = host.folder / "native.typed"
    async with session(host, identity, Options(bitrate_kbps=10_000)) as live:
        await pictures(live, 60, 20)
        await asyncio.sleep(1.5)
        line = READER.format(ready=f"{host.folder}/native.ready", typed=typed)
        for start in range(0, len(line), CHUNK):
            live.input.text(line[start : start + CHUNK])
            await asyncio.sleep(0.05)
        live.input.key(ENTER, True)
        live.input.key(ENTER, False)
        await file_appears(host.folder / "native.ready", 10)
        await asyncio.sleep(0.3)
        expected = ""
        for text in TEXTS.values():
            live.input.text(text)
            expected += text
            await arrives(typed, expected)
