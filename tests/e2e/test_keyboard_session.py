"""The keyboard of a session: the layout of the settings, and locks that outlive the process that types."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import (
    arrives,
    children_running,
    desktop,
    file_appears,
    needs_desktop,
    press,
    shared_folder,
)
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import paired_client

pytestmark = [pytest.mark.e2e, needs_desktop]

MODE = StreamOptions(width=1024, height=600, fps=30)
CAPS, KEYPAD_7 = 0x14, 0x67
WORKER = "punktfunk.gamestream.worker"
UNAVOIDABLE = ("timing.", "audio.", "video.sequence-gap")
"""A busy machine, and packets that died with the worker."""


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    with shared_folder() as folder:
        reader = f"foot sh -c 'stty raw -echo; echo > {folder}/ready; exec cat > {folder}/typed'"
        settings = f'[display]\nkeyboard_layout = "de(nodeadkeys)"\ndesktop_command = "{reader}"\n'
        with running_host(folder, "--display", "embedded", settings=settings) as running:
            yield running


async def test_layout_and_locks_of_a_session(host: HostProcess) -> None:
    typed = host.folder / "typed"
    async with paired_client(host) as client, desktop(client, MODE) as (stream, screen):
        await file_appears(host.folder / "ready", 10)
        await screen.settled(limit_s=10)
        for key in (ord("Y"), ord("Z"), 0xBA, 0xC0, KEYPAD_7):
            press(stream, key)
        await arrives(typed, "zyö^7")
        press(stream, CAPS)
        press(stream, ord("Y"))
        await arrives(typed, "zyö^7Z")
        for worker in children_running(host, WORKER):
            os.kill(worker, signal.SIGKILL)
        await screen.until(lambda _picture: stream.statistics().idrs_seen == 2, 15)
        await asyncio.sleep(0.5)
        press(stream, ord("Y"))
        press(stream, KEYPAD_7)
        await arrives(typed, "zyö^7ZZ7")
        press(stream, CAPS)
        press(stream, ord("Y"))
        await arrives(typed, "zyö^7ZZ7z")
    assert not client.violations.excluding(*UNAVOIDABLE), client.violations
