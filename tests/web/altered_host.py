"""punktfunk-host whose test picture is noise, so that it fills its bitrate, and whose gamepads echo: triggers come back
as rumble. Write ``python -m tests.web.altered_host`` before its command.

Only the worker differs (``altered_worker``); everything between its encoder, its pads and the page is the real one.
"""

from __future__ import annotations

import sys

from punktfunk.browser import connection
from punktfunk.cli.main import main
from punktfunk.host import app

WORKER_MODULE = "tests.web.altered_worker"
PROGRAM_WORDS = 3
"""``python -m punktfunk.cli.main``, which the caller puts before the arguments."""
PREFIX = (sys.executable, "-m", "tests.web.altered_host")

if __name__ == "__main__":
    connection.WORKER_MODULE = WORKER_MODULE
    app.BROWSER_WORKER_MODULE = WORKER_MODULE
    del sys.argv[1 : 1 + PROGRAM_WORDS]
    main()
