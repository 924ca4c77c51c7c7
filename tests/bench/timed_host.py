"""punktfunk-host with ``timed_worker`` for its workers: ``python -m tests.bench.timed_host`` before its command."""

from __future__ import annotations

import sys

from tests.e2e.noisy_host import PROGRAM_WORDS

from punktfunk.cli.main import main
from punktfunk.host import app
from punktfunk.native import live_stream

WORKER_MODULE = "tests.bench.timed_worker"

if __name__ == "__main__":
    live_stream.WORKER_MODULE = WORKER_MODULE
    app.NATIVE_WORKER_MODULE = WORKER_MODULE
    del sys.argv[1 : 1 + PROGRAM_WORDS]
    main()
