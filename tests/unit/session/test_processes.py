"""Real process trees: whatever dies, and however it died, nothing is left."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pwd
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from punktfunk.session import cgroups
from punktfunk.session.identity import UserIdentity
from punktfunk.session.processes import MARKER, ProcessTree, SpawnError, sweep, sweep_orphans

ENV = {"PATH": "/usr/bin:/bin"}
LEFT_LIMIT_S = 2.0


@pytest.fixture
async def trees() -> AsyncIterator[list[ProcessTree]]:
    started: list[ProcessTree] = []
    yield started
    for tree in started:
        await tree.stop(0)


def tagged(tag: str) -> set[int]:
    """Live processes whose environment holds the tag, of this run of the tests."""
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                state = Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()[0]
            except OSError:
                continue
            if f"TAG={tag}-{os.getpid()}".encode() in environ and state != b"Z":
                found.add(int(entry))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "condition not reached in time"
        await asyncio.sleep(0.02)


def shell_env(tag: str) -> dict[str, str]:
    return {**ENV, "TAG": f"{tag}-{os.getpid()}"}


def reaper_pid(tree: ProcessTree) -> int:
    return int(Path(f"/proc/{tree.pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


DAEMONS = "for i in $(seq {count}); do setsid sh -c 'sleep 1000 & exec sleep 1000' & done; wait"


async def test_exit_status_is_the_programs(trees: list[ProcessTree]) -> None:
    for script, status in (("exit 7", 7), ("kill -9 $$", -9)):
        tree = await ProcessTree.spawn(["sh", "-c", script], name="status", env=ENV)
        trees.append(tree)
        assert await tree.wait() == status
        assert tree.returncode == status


async def test_environment_is_exactly_what_was_given(trees: list[ProcessTree], tmp_path: Path) -> None:
    out = tmp_path / "env"
    tree = await ProcessTree.spawn(["/bin/sh", "-c", f"cat /proc/self/environ > {out}"], name="env", env={"A": "b"})
    trees.append(tree)
    await tree.wait()
    names = {item.partition(b"=")[0].decode() for item in out.read_bytes().split(b"\0") if item}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"A", MARKER}


async def test_descriptors_and_signals_are_reset(trees: list[ProcessTree], tmp_path: Path) -> None:
    script = (
        "import json,os,signal;"
        "fds=sorted(int(f) for f in os.listdir('/proc/self/fd'));"
        "status=dict(l.rstrip('\\n').split(':\\t',1) for l in open('/proc/self/status'));"
        f"json.dump([fds,status['SigBlk'],status['SigIgn']],open({str(tmp_path / 'out')!r},'w'))"
    )
    read_fd, write_fd = os.pipe()
    tree = await ProcessTree.spawn([sys.executable, "-I", "-S", "-c", script], name="fds", env=ENV, pass_fds=[write_fd])
    trees.append(tree)
    assert await tree.wait() == 0
    os.close(write_fd)
    assert os.read(read_fd, 1) == b"", "the reaper kept a passed descriptor open"
    os.close(read_fd)
    fds, blocked, ignored = json.loads((tmp_path / "out").read_text())
    assert set(fds) - {3, 4, 5} <= {0, 1, 2, write_fd}
    assert len(fds) <= 5
    assert int(blocked, 16) == 0
    # Python itself ignores SIGPIPE and SIGXFSZ; 32 and 33 are the C library's own, which nobody may set.
    theirs = sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
    assert int(ignored, 16) & ~theirs == 0


@pytest.mark.parametrize(
    ("argv", "cwd", "word"),
    [
        (["/does/not/exist"], None, "cannot run"),
        (["sh"], "/does/not/exist", "cannot enter"),
        (["/etc"], None, "denied"),
    ],
)
async def test_failing_start_says_why(argv: list[str], cwd: str | None, word: str) -> None:
    with pytest.raises(SpawnError, match=word):
        await ProcessTree.spawn(argv, name="broken", env=ENV, cwd=cwd)


async def test_stop_ends_daemonised_children(trees: list[ProcessTree]) -> None:
    tree = await ProcessTree.spawn(["sh", "-c", DAEMONS.format(count=3)], name="d", env=shell_env("daemons"))
    trees.append(tree)
    await until(lambda: len(tagged("daemons")) >= 7)
    await tree.stop(0.5)
    assert tagged("daemons") == set()
    await tree.stop()


async def test_tree_outlives_its_program_until_stop(trees: list[ProcessTree]) -> None:
    tree = await ProcessTree.spawn(["sh", "-c", "setsid sleep 1000 & exit 3"], name="d", env=shell_env("outlive"))
    trees.append(tree)
    assert await tree.wait() == 3
    assert len(tagged("outlive")) == 1
    await tree.stop(0.5)
    assert tagged("outlive") == set()


async def test_stop_kills_what_ignores_sigterm(trees: list[ProcessTree]) -> None:
    script = "trap '' TERM; sleep 1000 & while :; do wait; done"
    tree = await ProcessTree.spawn(["sh", "-c", script], name="deaf", env=shell_env("deaf"))
    trees.append(tree)
    await until(lambda: len(tagged("deaf")) >= 2)
    await tree.stop(0.1)
    assert tagged("deaf") == set()
    assert tree.returncode == -signal.SIGKILL


async def test_sigterm_comes_first(trees: list[ProcessTree], tmp_path: Path) -> None:
    script = f"trap 'echo bye > {tmp_path}/bye; exit 0' TERM; touch {tmp_path}/up; while :; do sleep 0.05; done"
    tree = await ProcessTree.spawn(["sh", "-c", script], name="polite", env=ENV)
    trees.append(tree)
    await until((tmp_path / "up").exists)
    await tree.stop(5)
    assert (tmp_path / "bye").exists()


async def test_two_hundred_children(trees: list[ProcessTree]) -> None:
    tree = await ProcessTree.spawn(["sh", "-c", DAEMONS.format(count=100)], name="many", env=shell_env("many"))
    trees.append(tree)
    await until(lambda: len(tagged("many")) >= 200)
    started = time.monotonic()
    await tree.stop(0)
    assert tagged("many") == set()
    assert time.monotonic() - started < 5


async def test_fork_bomb_is_beaten(trees: list[ProcessTree]) -> None:
    # Each copy replaces itself with a new one in a session of its own; bounded in number, endless in time.
    bomb = (
        "import os\n"
        "for _ in range(8):\n"
        "    if os.fork() == 0: break\n"
        "else:\n"
        "    os.wait()\n"
        "while True:\n"
        "    if os.fork(): os._exit(0)\n"
        "    os.setsid()\n"
    )
    tree = await ProcessTree.spawn([sys.executable, "-I", "-S", "-c", bomb], name="bomb", env=shell_env("bomb"))
    trees.append(tree)
    await until(lambda: len(tagged("bomb")) >= 3)
    await tree.stop(0)
    assert tagged("bomb") == set()


def cgroups_work() -> bool:
    folder = cgroups.create("probe")
    cgroups.remove(folder)
    return bool(folder)


@pytest.mark.skipif(not cgroups_work(), reason="cgroup v2 is not writable here")
async def test_killed_reaper_leaves_nothing_that_shed_every_mark(trees: list[ProcessTree], tmp_path: Path) -> None:
    script = f"setsid env -i sh -c 'echo $$ > {tmp_path}/pid; exec sleep 1000' & wait"
    tree = await ProcessTree.spawn(["sh", "-c", script], name="orphan", env=ENV)
    trees.append(tree)
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    os.kill(reaper_pid(tree), signal.SIGKILL)
    await asyncio.wait_for(tree.wait_empty(), LEFT_LIMIT_S)
    await until(lambda: not alive(int((tmp_path / "pid").read_text())), LEFT_LIMIT_S)
    assert not [mark for mark, _ in cgroups.found() if mark == tree._marker]


async def test_killed_reaper_leaves_nothing(trees: list[ProcessTree]) -> None:
    script = "setsid sh -c 'sleep 1000 & sleep 1000' & sleep 1000 & wait"
    tree = await ProcessTree.spawn(["sh", "-c", script], name="orphan", env=shell_env("reaper"))
    trees.append(tree)
    await until(lambda: len(tagged("reaper")) >= 5)
    os.kill(reaper_pid(tree), signal.SIGKILL)
    await asyncio.wait_for(tree.wait_empty(), LEFT_LIMIT_S)
    assert tagged("reaper") == set()
    assert await tree.wait() == -signal.SIGKILL


HOST = """
import asyncio, os, signal, sys
from punktfunk.session.processes import ProcessTree
async def main():
    tree = await ProcessTree.spawn(["sh", "-c", {script!r}], name="t", env={env!r})
    stat = open(f"/proc/{{tree.pid}}/stat").read().split()
    print(stat[3], flush=True)
    await tree.wait()
asyncio.run(main())
"""


async def start_host(tag: str) -> tuple[asyncio.subprocess.Process, int]:
    """A host of its own process with one tree; returns it and the pid of the tree's reaper."""
    code = HOST.format(script=DAEMONS.format(count=2), env=shell_env(tag))
    host = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert host.stdout is not None
    pid = int(await host.stdout.readline())
    await until(lambda: len(tagged(tag)) >= 5)
    return host, pid


async def test_killed_host_leaves_nothing() -> None:
    host, _ = await start_host("host")
    host.kill()
    await host.wait()
    await until(lambda: tagged("host") == set(), LEFT_LIMIT_S)


async def test_killed_host_and_reaper_are_cleaned_up_by_the_next_host() -> None:
    host, reaper = await start_host("both")
    os.kill(host.pid, signal.SIGSTOP)
    os.kill(reaper, signal.SIGKILL)
    host.kill()
    await host.wait()
    assert tagged("both") != set()
    assert await sweep_orphans() >= 4
    await until(lambda: tagged("both") == set(), LEFT_LIMIT_S)


async def test_sweep_spares_trees_of_living_hosts(trees: list[ProcessTree]) -> None:
    tree = await ProcessTree.spawn(["sleep", "1000"], name="alive", env=shell_env("alive"))
    trees.append(tree)
    await sweep_orphans()
    assert await sweep(lambda mark: False) == 0
    assert len(tagged("alive")) == 1


async def test_output_goes_to_the_debug_log(trees: list[ProcessTree], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        tree = await ProcessTree.spawn(["sh", "-c", "echo out; echo err >&2; printf last"], name="talker", env=ENV)
        trees.append(tree)
        await tree.wait_empty()
    assert {"talker: out", "talker: err", "talker: last"} <= set(caplog.messages)


async def test_flood_of_output_does_not_stop_the_program(
    trees: list[ProcessTree], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        tree = await ProcessTree.spawn(["sh", "-c", "yes | head -c 4000000"], name="flood", env=ENV)
        trees.append(tree)
        assert await asyncio.wait_for(tree.wait(), 20) == 0
        await tree.wait_empty()
    assert len(caplog.messages) < 2000


async def test_cancelled_spawn_leaves_nothing() -> None:
    spawning = asyncio.create_task(ProcessTree.spawn(["sleep", "1000"], name="c", env=shell_env("cancelled")))
    await asyncio.sleep(0)
    spawning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawning
    await until(lambda: tagged("cancelled") == set(), LEFT_LIMIT_S)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing the user needs root")
async def test_program_runs_as_the_user(trees: list[ProcessTree]) -> None:
    entry = pwd.getpwnam("nobody")
    user = UserIdentity("nobody", entry.pw_uid, entry.pw_gid, "/", "")
    read_fd, write_fd = os.pipe()
    script = (
        "import os,time\n"
        "try: os.kill(os.getppid(), 9)\n"
        "except PermissionError: pass\n"
        f"os.write({write_fd}, open('/proc/self/status', 'rb').read())\n"
        f"os.close({write_fd})\n"
        "time.sleep(1000)"
    )
    argv = ["/usr/bin/python3", "-I", "-S", "-c", script]
    tree = await ProcessTree.spawn(argv, name="user", env=ENV, user=user, pass_fds=[write_fd])
    trees.append(tree)
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as pipe:
        status = (await asyncio.to_thread(pipe.read)).decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) == {str(entry.pw_uid)}
    assert set(fields["Gid"].split()) == {str(entry.pw_gid)}
    assert {int(group) for group in fields["Groups"].split()} == set(user.groups())
    assert tree.returncode is None, "the user could kill the reaper"


@pytest.mark.skipif(os.geteuid() != 0, reason="real-time scheduling needs root")
async def test_realtime_is_given_before_the_user_changes(trees: list[ProcessTree]) -> None:
    entry = pwd.getpwnam("nobody")
    user = UserIdentity("nobody", entry.pw_uid, entry.pw_gid, "/", "")
    tree = await ProcessTree.spawn(["sleep", "1000"], name="rt", env=ENV, user=user, realtime=True)
    trees.append(tree)
    assert os.sched_getscheduler(tree.pid) == os.SCHED_RR
    assert os.sched_getscheduler(reaper_pid(tree)) == os.sched_getscheduler(0), "the reaper is as ordinary as the host"
