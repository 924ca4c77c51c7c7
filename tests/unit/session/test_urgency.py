from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOBODY = 65534
SHOW = """
import gc, os, resource, sys, threading
from punktfunk.session import urgency

def autogroup():
    # "/autogroup-7 nice 0"; missing or empty where there are no such groups.
    try:
        return open("/proc/self/autogroup").read().split()[-1:] or ["none"]
    except FileNotFoundError:
        return ["none"]

{before}
urgency.go_before_others()
urgency.settle_interpreter()
niceness = []
thread = threading.Thread(target=lambda: niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
thread.start()
thread.join()
print(niceness[0], *autogroup(), gc.get_freeze_count(), sys.getswitchinterval())
"""
ORDINARY = "os.setpriority(os.PRIO_PROCESS, 0, 0)"
NO_RIGHT = f"resource.setrlimit(resource.RLIMIT_NICE, (0, 0))\nif os.getuid() == 0: os.setuid({NOBODY})"
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may go before others")


def shown(before: str, *, leads_session: bool = True) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SHOW.format(before=before)],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=leads_session,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@only_root
def test_with_the_right_to_it_a_worker_and_its_threads_go_first() -> None:
    niceness, group, frozen, interval = shown(ORDINARY)
    assert niceness == "-5"
    assert group in ("-5", "none")
    assert int(frozen) > 1000
    assert float(interval) == 0.0005


@only_root
def test_the_group_of_a_terminal_is_left_alone() -> None:
    ours = Path("/proc/self/autogroup")
    before = ours.read_text() if ours.exists() else ""
    assert shown(ORDINARY, leads_session=False)[0] == "-5"
    assert (ours.read_text() if ours.exists() else "") == before


def test_a_niceness_that_somebody_chose_is_left_alone() -> None:
    assert shown("os.setpriority(os.PRIO_PROCESS, 0, 15)")[:2] in (["15", "0"], ["15", "none"])


def test_without_the_right_nothing_changes_and_nothing_fails() -> None:
    inherited = str(os.getpriority(os.PRIO_PROCESS, 0))
    assert shown(NO_RIGHT)[0] == inherited
