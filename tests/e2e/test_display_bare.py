"""The fallback without sway: programs in the worker's own compositor. In a process of its own, as a worker is."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pixelflux")

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not shutil.which("foot"), reason="needs foot")]

WAIT_S = 30


def test_text_reaches_a_program_and_its_picture_comes(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "typed").read_text() == "Grüße €漢\n"


async def stream(folder: Path) -> None:
    from punktfunk.input.events import TextTyped
    from punktfunk.input.injector import open_injector
    from punktfunk.media.frames import EncodedFrame, FrameKind
    from punktfunk.media.plan import Mode, VideoPlan
    from punktfunk.media.video_source import open_source
    from punktfunk.session.desktops.bare import BareDesktop
    from punktfunk.session.identity import desktop_user
    from punktfunk.session.runtime_dirs import RuntimeDir

    mode = Mode(800, 600, 60_000)
    runtime = RuntimeDir.create(desktop_user("root" if os.geteuid() == 0 else None))
    desktop = BareDesktop(runtime, {}, f"foot sh -c 'read -r line; echo \"$line\" > {folder}/typed'")
    await desktop.start(mode)
    frames: list[EncodedFrame] = []
    source = open_source(desktop.target)
    info = await asyncio.to_thread(source.start, VideoPlan(mode), frames.append)
    assert info.mode == mode
    assert frames[0].kind is FrameKind.KEY
    injector = open_injector(source)
    await asyncio.sleep(2)
    injector.inject(TextTyped("Grüße €漢\n"))
    await asyncio.sleep(1)
    source.stop()
    await desktop.stop()
    runtime.close()


if __name__ == "__main__":
    asyncio.run(stream(Path(sys.argv[1])))
    sys.stdout.flush()
    # Native capture threads may hold locks that the interpreter's shutdown would wait for.
    os._exit(0)
