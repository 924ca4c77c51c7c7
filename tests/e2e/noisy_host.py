"""punktfunk-host whose test picture is incompressible: write ``python -m tests.e2e.noisy_host`` before its command.

Only the worker differs (``noisy_worker``); everything between its encoder and the network is the real one.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from punktfunk.cli.main import main
from punktfunk.host import app, native
from punktfunk.host.capabilities import VideoFacts
from punktfunk.host.settings import Settings
from punktfunk.native import live_stream
from punktfunk.native.plane import NativePlane

WORKER_MODULE = "tests.e2e.noisy_worker"
PROGRAM_WORDS = 3
"""``python -m punktfunk.cli.main``, which the caller puts before the arguments."""


async def make_native_plane(settings: Settings, video: VideoFacts, *rest: Any, **more: Any) -> NativePlane:
    """The plane of a host whose encoder can do what the noise's can."""
    return await native.make_native_plane(settings, replace(video, reference_invalidation=True), *rest, **more)


if __name__ == "__main__":
    app.make_native_plane = make_native_plane
    live_stream.WORKER_MODULE = WORKER_MODULE
    app.NATIVE_WORKER_MODULE = WORKER_MODULE
    del sys.argv[1 : 1 + PROGRAM_WORDS]
    main()
