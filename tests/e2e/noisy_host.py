"""punktfunk-host whose test picture is incompressible: write ``python -m tests.e2e.noisy_host`` before its command.

Only the worker differs (``noisy_worker``); everything between its encoder and the network is the real one.
"""

from __future__ import annotations

import sys

from punktfunk.cli.main import main
from punktfunk.host import app
from punktfunk.native import live_stream

WORKER_MODULE = "tests.e2e.noisy_worker"
PROGRAM_WORDS = 3
"""``python -m punktfunk.cli.main``, which the caller puts before the arguments."""

if __name__ == "__main__":
    live_stream.WORKER_MODULE = WORKER_MODULE
    app.NATIVE_WORKER_MODULE = WORKER_MODULE
    del sys.argv[1 : 1 + PROGRAM_WORDS]
    main()
