"""The embedded desktop with the real sway and the real capture: picture, input, mode change, crash.

One desktop for all tests, as in a session: the capture library holds on to one compositor per process.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

pytest.importorskip("pixelflux")

from punktfunk.input.events import ButtonChanged, KeyChanged, PointerPlaced, TextTyped
from punktfunk.input.injector import Injector, open_injector
from punktfunk.media.frames import EncodedFrame, FrameKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.video_source import SourceLost, VideoSource, open_source
from punktfunk.session.desktops.embedded import SwayDesktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.identity import IdentityError, desktop_user
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.e2e,
    pytest.mark.skipif(not (shutil.which("sway") and shutil.which("foot")), reason="needs sway and foot"),
]

MODE = Mode(1280, 720, 60_000)
WAIT_S = 10.0
KEY_ENTER = 28


class Viewer:
    """What a client would see: frames as they come, decoded from a keyframe on."""

    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []

    def picture(self) -> NDArray[np.uint8]:
        """The newest picture as RGB."""
        frames = list(self.frames)
        key = max(i for i, frame in enumerate(frames) if frame.kind is FrameKind.KEY)
        decoder = av.CodecContext.create("h264", "r")
        pictures = [picture for frame in frames[key:] for picture in decoder.decode(av.Packet(frame.data))]
        newest: NDArray[np.uint8] = pictures[-1].to_ndarray(format="rgb24")
        return newest

    def decodes_without_errors(self) -> bool:
        """Whether a strict decoder takes every frame and gives a picture for each."""
        decoder = av.CodecContext.create("h264", "r")
        decoder.options = {"err_detect": "explode"}
        return all(len(decoder.decode(av.Packet(frame.data))) == 1 for frame in list(self.frames))


@pytest.fixture(scope="module", autouse=True)
def worker_runtime_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # The capture library makes a socket of its own there, once per process.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desktop() -> AsyncIterator[SwayDesktop]:
    try:
        user = desktop_user(None)
    except IdentityError as error:
        pytest.skip(str(error))
    runtime = RuntimeDir.create(user)
    desktop = SwayDesktop(runtime, {}, LookSettings())
    await desktop.start(MODE)
    yield desktop
    await desktop.stop()
    runtime.close()


@pytest.fixture(scope="module")
def viewer() -> Viewer:
    return Viewer()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def source(desktop: SwayDesktop, viewer: Viewer) -> AsyncIterator[VideoSource]:
    source = open_source(desktop.target)
    info = await asyncio.to_thread(source.start, VideoPlan(MODE, bitrate_kbps=8000), viewer.frames.append)
    assert info.mode == MODE
    yield source
    source.stop()


@pytest.fixture(scope="module")
def injector(desktop: SwayDesktop, source: VideoSource) -> Injector:
    return open_injector(source)


async def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def shared_folder() -> Path:
    folder = Path(f"/tmp/pf-display-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return folder


@pytest.fixture
def results() -> Iterator[Path]:
    folder = shared_folder()
    yield folder
    shutil.rmtree(folder)


async def test_a_picture_comes_and_goes_on_when_nothing_moves(viewer: Viewer, source: VideoSource) -> None:
    await asyncio.sleep(1.5)
    before = len(viewer.frames)
    await asyncio.sleep(1)
    assert len(viewer.frames) - before >= 30
    frames = list(viewer.frames)
    assert frames[0].kind is FrameKind.KEY
    assert [frame.source_id for frame in frames] == list(range(len(frames)))
    picture = viewer.picture()
    assert picture.shape == (720, 1280, 3)
    assert picture.std() > 20, "the wallpaper and the panel make a picture"
    assert viewer.decodes_without_errors()


async def test_keys_and_any_text_reach_the_terminal(injector: Injector, viewer: Viewer, results: Path) -> None:
    await until(lambda: len(viewer.frames) > 90, "frames")
    injector.inject(TextTyped(f"echo 'Grüße €漢🙂 \"~' > {results}/typed"))
    injector.inject(KeyChanged(KEY_ENTER, True))
    injector.inject(KeyChanged(KEY_ENTER, False))
    await until(lambda: (results / "typed").exists() and (results / "typed").read_text(), "the typed command's effect")
    assert (results / "typed").read_text() == 'Grüße €漢🙂 "~\n'


async def test_typing_and_the_pointer_show_in_the_picture(injector: Injector, viewer: Viewer) -> None:
    await until(lambda: len(viewer.frames) > 90, "frames")
    injector.inject(PointerPlaced(0.9, 0.1))
    await asyncio.sleep(0.3)
    before = viewer.picture().astype(int)
    injector.inject(PointerPlaced(0.1, 0.1))
    await asyncio.sleep(0.3)
    changed = np.abs(viewer.picture().astype(int) - before).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert {True, False} <= {bool(column < 200) for column in columns}
    assert rows.max() < 150


async def test_the_panel_opens_a_terminal_by_click(injector: Injector, viewer: Viewer) -> None:
    if not shutil.which("waybar"):
        pytest.skip("needs waybar")
    await until(lambda: len(viewer.frames) > 120, "frames")
    before = viewer.picture()
    injector.inject(PointerPlaced(149 / 1280, 703 / 720))
    for pressed in (True, False):
        injector.inject(ButtonChanged(0x110, pressed))
    await until(lambda: (np.abs(viewer.picture().astype(int) - before).max(axis=2) > 60).mean() > 0.02, "a new window")


async def test_an_x11_program_runs(desktop: SwayDesktop, viewer: Viewer, source: VideoSource, results: Path) -> None:
    if not shutil.which("xterm"):
        pytest.skip("needs xterm")
    app = await desktop.launch(App(1, "xterm", f"xterm -e 'echo $DISPLAY > {results}/display; sleep 60'"))
    await until(lambda: (results / "display").exists(), "the X11 program's effect")
    await app.stop()
    assert await app.wait() != 0


async def test_a_mode_change_keeps_source_and_programs(
    desktop: SwayDesktop, source: VideoSource, viewer: Viewer
) -> None:
    await asyncio.sleep(0.5)
    for mode in (Mode(1920, 1080, 60_000), Mode(1366, 768, 30_000), MODE):
        first = len(viewer.frames)
        info = await asyncio.to_thread(source.reconfigure, VideoPlan(mode, bitrate_kbps=8000))
        await asyncio.sleep(0.7)
        assert info.mode == mode
        assert viewer.picture().shape[:2] == (mode.height, mode.width)
        times = [frame.encoded_ns for frame in viewer.frames[first - 1 :]]
        assert max(b - a for a, b in itertools.pairwise(times)) < 1.5e9
    frames = list(viewer.frames)
    assert [frame.source_id for frame in frames] == list(range(len(frames)))


async def test_a_loss_is_answered_without_a_keyframe(source: VideoSource, viewer: Viewer) -> None:
    await asyncio.sleep(1.0)
    lost = viewer.frames[-1].source_id
    assert source.invalidate(lost, lost)
    await until(lambda: viewer.frames[-1].source_id > lost + 10, "frames")
    kinds = [frame.kind for frame in list(viewer.frames) if frame.source_id > lost]
    assert kinds.count(FrameKind.RECOVERY) == 1
    assert FrameKind.KEY not in kinds
    recovery = next(frame for frame in list(viewer.frames) if frame.kind is FrameKind.RECOVERY)
    # A client that never saw the lost frame nor what came before the recovery decodes everything else.
    client = Viewer()
    client.frames = [f for f in viewer.frames if not lost <= f.source_id < recovery.source_id]
    assert client.decodes_without_errors()


def sway_pid(socket_path: str) -> int:
    """The sway that holds this session's socket: the process whose configuration lies beside it."""
    folder = str(Path(socket_path).parent).encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"sway") and any(part.startswith(folder) for part in command):
            return int(process.name)
    raise AssertionError("no sway runs")


async def test_a_dead_compositor_is_noticed(desktop: SwayDesktop, source: VideoSource, viewer: Viewer) -> None:
    await asyncio.sleep(0.5)
    socket_path = desktop.target.wayland_display
    os.kill(sway_pid(socket_path), signal.SIGKILL)
    assert await asyncio.wait_for(desktop.wait(), 2) != 0
    last = len(viewer.frames)
    await asyncio.sleep(0.3)
    assert len(viewer.frames) <= last + 2
    with pytest.raises(SourceLost):
        await asyncio.to_thread(source.reconfigure, VideoPlan(MODE))
