"""The program itself, as a user starts it: a client plugs a DualSense in, a game reads it and makes it rumble."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.pad_session import expect_events, upload_rumble
from tests.vm.guest.real_pads import REAL

from punktfunk.client.connection import Mode
from punktfunk.client.identity import new_identity
from punktfunk.client.pad_board import PadState
from punktfunk.client.rumble import RumbleLevel
from punktfunk.client.session import Options, Session, connect
from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.inputs import Button
from punktfunk.input.gamepads.nodes import PHYS_PREFIX
from punktfunk.wire.punktfunk1.enums import Gamepad
from punktfunk.wire.punktfunk1.pad_feedback import Led
from punktfunk.wire.punktfunk1.rich_input import Motion

pytestmark = pytest.mark.vm

PORT = 29_777
READY = "is ready after"
PATIENCE_S = 60.0
SETTINGS = """\
[host]
name = "guest"
config_dir = "{folder}/config"
state_dir = "{folder}/state"
runtime_dir = "{folder}/run"
[network]
mdns = false
bind_address = "127.0.0.1"
native_port = {port}
[native]
open = true
[mgmt]
enabled = false
[display]
kind = "synthetic"
user = "{user}"
[log]
level = "debug"
"""
E = TypeVar("E")
NAME = REAL[PadKind.DUALSENSE].nodes[0].name


@pytest.fixture
def host() -> Iterator[Path]:
    """A running host with the test picture; its log. It runs as root, its worker as somebody without rights."""
    if _is_emulated():
        pytest.skip("an emulated processor is slower than the host's own deadlines; run it with --kernel uml")
    folder = Path(tempfile.mkdtemp(dir="/run"))
    user = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == 65534)
    (folder / "host.toml").write_text(SETTINGS.format(folder=folder, port=PORT, user=user))
    log = folder / "log"
    command = [sys.executable, "-m", "punktfunk.cli.main", "serve", "--config", str(folder / "host.toml")]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        deadline = time.monotonic() + PATIENCE_S
        while READY not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        try:
            yield log
        except BaseException:
            print(log.read_text()[-4000:])
            raise
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0, log.read_text()[-4000:]
    shutil.rmtree(folder)


def _is_emulated() -> bool:
    """Real processors of this decade take 10 to 20 ms of their time for this, emulated ones 150 and more."""
    before = time.process_time()
    sum(range(1_000_000))
    return time.process_time() - before > 0.08


def test_a_dualsense_from_the_client_to_a_game_and_back(host: Path) -> None:
    try:
        asyncio.run(asyncio.wait_for(_play(), 2 * PATIENCE_S))
    except BaseException:
        print(host.read_text()[-4000:])
        raise
    deadline = time.monotonic() + PATIENCE_S
    while _nodes(NAME):
        assert time.monotonic() < deadline, "the pad outlives its client's stream"
        time.sleep(0.05)


async def _play() -> None:
    options = Options(Mode(320, 240, 30), 1000, gamepad=Gamepad.DUALSENSE, decode=False)
    async with connect("127.0.0.1", new_identity(), options, port=PORT) as live:
        assert live.welcome.gamepad is Gamepad.DUALSENSE
        live.input.pad_arrived(0, Gamepad.DUALSENSE, _now())
        async with _kept_alive(live):
            game = await asyncio.to_thread(_wait_for_node, NAME)
            motion = await asyncio.to_thread(_wait_for_node, f"{NAME} Motion Sensors")
            with contextlib.closing(game), contextlib.closing(motion):
                await _press(live, game)
                await _turn(live, motion)
                await _rumble(live, game)
                await _light(live, game)


@contextlib.asynccontextmanager
async def _kept_alive(live: Session) -> AsyncIterator[None]:
    """What a client's second thread does: its repeats."""

    async def repeat() -> None:
        while True:
            live.input.poll(_now())
            await asyncio.sleep(0.05)

    task = asyncio.create_task(repeat())
    yield
    task.cancel()


async def _press(live: Session, game: evdev.InputDevice[str]) -> None:
    # The driver drops what comes while it starts; from the first press that arrives, each does.
    live.input.pad(0, PadState(Button.A), _now())
    await _until(lambda: game.active_keys() == [e.BTN_SOUTH], "no press")
    live.input.pad(0, PadState(), _now())
    await _until(lambda: game.active_keys() == [], "no release")
    with contextlib.suppress(BlockingIOError):
        list(game.read())
    live.input.pad(0, PadState(Button.Y, left_x=32767, left_trigger=255), _now())
    wanted = {
        **{(e.EV_KEY, e.BTN_NORTH): 1, (e.EV_KEY, e.BTN_TL2): 1},
        **{(e.EV_ABS, e.ABS_X): 255, (e.EV_ABS, e.ABS_Z): 255},
    }
    await asyncio.to_thread(expect_events, game, wanted, "Y with stick and trigger")


async def _turn(live: Session, motion: evdev.InputDevice[str]) -> None:
    live.input.rich(Motion(0, (2000, -4000, 200), (0, 10_000, -5_000)))
    places = (e.ABS_RX, e.ABS_RY, e.ABS_RZ, e.ABS_X, e.ABS_Y, e.ABS_Z)
    turned = [100 * 1024, -200 * 1024, 10 * 1024, 0, 8192, -4096]
    await _until(lambda: [motion.absinfo(place).value for place in places] == turned, "no motion")


async def _rumble(live: Session, game: evdev.InputDevice[str]) -> None:
    effect = await asyncio.to_thread(upload_rumble, game.fd, 0xC000, 0x4000, 1000)
    game.write(e.EV_FF, effect, 1)
    level = await _event(live, RumbleLevel)
    assert (level.pad, level.low >> 8, level.high >> 8) == (0, 0xC0, 0x40)
    level = await _event(live, RumbleLevel)
    assert (level.low, level.high) == (0, 0)


async def _light(live: Session, game: evdev.InputDevice[str]) -> None:
    await asyncio.to_thread(_set_light, os.path.basename(game.path))
    wanted = Led(0, 10, 200, 30)
    while await _event(live, Led) != wanted:
        pass


def _set_light(event_node: str | bytes) -> None:
    light = next(Path("/sys/class/input", str(event_node), "device/device").glob("leds/*:rgb:indicator"))
    (light / "brightness").write_text("255")
    (light / "multi_intensity").write_text("10 200 30")


async def _event(live: Session, kind: type[E]) -> E:
    async with asyncio.timeout(PATIENCE_S):
        async for found in live.events():
            if isinstance(found, kind):
                return found
    raise AssertionError(f"the session ended: {live.closed}")


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


def _now() -> float:
    return time.monotonic()


def _nodes(name: str) -> list[str]:
    """Event nodes of pads of any session of the host with this name."""
    found = []
    for device in Path("/sys/class/input").glob("event*/device"):
        with contextlib.suppress(OSError):
            parent = (device / "device" / "uevent").read_text()
            if (device / "name").read_text().strip() == name and f"HID_PHYS={PHYS_PREFIX}" in parent:
                found.append(f"/dev/input/{device.parent.name}")
    return found


def _wait_for_node(name: str) -> evdev.InputDevice[str]:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := [path for path in _nodes(name) if os.path.exists(path)]):
        assert time.monotonic() < deadline, f"no {name}"
        time.sleep(0.05)
    return evdev.InputDevice(found[0])
