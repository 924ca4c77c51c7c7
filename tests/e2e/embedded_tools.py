"""The embedded desktop without a host around it: the real sway, capture and injector, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from punktfunk.input.injector import Injector, open_injector
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.video_source import HostCompositor, open_source
from punktfunk.session.desktops.embedded import SwayDesktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.identity import IdentityError, desktop_user
from punktfunk.session.runtime_dirs import RuntimeDir

needs_sway = pytest.mark.skipif(not (shutil.which("sway") and shutil.which("foot")), reason="needs sway and foot")


@dataclass(frozen=True)
class Embedded:
    """A running desktop. ``folder`` can be written by the test and by the desktop's user."""

    folder: Path
    target: HostCompositor
    source: Any
    injector: Injector


@contextlib.asynccontextmanager
async def embedded(command: str, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Embedded]:
    """A desktop that consists of one program, ``{folder}`` in its command filled in. Skips without a user for it."""
    try:
        user = desktop_user(None)
    except IdentityError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="pf-embedded-") as name:
        folder = Path(name)
        os.chmod(folder, 0o777)
        # The capture library makes a socket of its own there, once per process.
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        runtime = RuntimeDir.create(user)
        desktop = SwayDesktop(runtime, {}, LookSettings(command=command.format(folder=folder)))
        try:
            await desktop.start(mode)
            source: Any = open_source(desktop.target)
            await asyncio.to_thread(source.start, VideoPlan(mode, bitrate_kbps=3000), lambda _frame: None)
            yield Embedded(folder, desktop.target, source, open_injector(source))
            source.stop()
        finally:
            await desktop.stop()
            runtime.close()
