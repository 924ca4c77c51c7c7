from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = """
urgency.go_before_others()
urgency.settle_interpreter()
niceness = []
thread = threading.Thread(target=lambda: niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
thread.start()
thread.join()
with open("/proc/self/autogroup") as file:
    group = file.read().split()[-1]
print(niceness[0], group, gc.get_freeze_count(), sys.getswitchinterval())
"""
NOBODY = 65534


def shown(*, rights: bool) -> list[str]:
    # An ordinary user may not reach the interpreter of this checkout, so that the user changes in the program.
    become = (
        ""
        if rights
        else f"resource.setrlimit(resource.RLIMIT_NICE, (0, 0))\nif os.getuid() == 0: os.setuid({NOBODY})\n"
    )
    script = "import gc, os, resource, sys, threading\nfrom punktfunk.session import urgency\n" + become + SHOW
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
@pytest.mark.skipif(
    not os.path.exists("/proc/self/autogroup"), reason="this kernel does not group processes by session"
)
def test_with_the_right_to_it_a_worker_and_its_threads_go_first() -> None:
    niceness, group, frozen, interval = shown(rights=True)
    assert (niceness, group) == ("-10", "-10")
    assert int(frozen) > 1000
    assert float(interval) == 0.0005


@pytest.mark.skipif(
    not os.path.exists("/proc/self/autogroup"), reason="this kernel does not group processes by session"
)
def test_without_the_right_nothing_changes_and_nothing_fails() -> None:
    inherited = str(os.getpriority(os.PRIO_PROCESS, 0))
    assert shown(rights=False)[0] == inherited
