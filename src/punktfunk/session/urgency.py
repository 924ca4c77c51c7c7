"""So that frames and keys do not wait: for other programs, other threads, the garbage collector."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path

NICENESS = -5
"""Before ordinary programs: a game that takes every processor must not hold up its own picture. About three times their
share and no more, because an encoder that takes every processor must not hold up the desktop either."""
SWITCH_INTERVAL_S = 0.0005
"""How long a thread that computes in Python may keep a waiting one from going on; the default is ten times as long."""

_AUTOGROUP = Path("/proc/self/autogroup")


def go_before_others() -> None:
    """Take precedence over ordinary programs, as far as this user may (root, or ``LimitNICE=`` of a service).

    Threads inherit it from the one that makes them, so that this has to be called before there are any. A niceness that
    somebody chose is left alone.
    """
    with contextlib.suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, 0) not in (0, NICENESS):
            return
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        # Where the kernel groups processes by session, niceness counts within a group only; the group has one of its
        # own. The group of a terminal is not ours alone.
        if os.getsid(0) == os.getpid():
            _AUTOGROUP.write_text(str(NICENESS))


def settle_interpreter() -> None:
    """Everything is loaded: what lives now is for ever, and the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
