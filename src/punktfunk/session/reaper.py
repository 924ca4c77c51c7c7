"""The process above each process tree: starts one program, and ends with everything that the program left behind.

Run as a script by ``processes.py`` (``python -I -S reaper.py CONTROL_FD``), standard library only, so that it starts
fast and imports nothing of the host. The control socket carries, from the host, one JSON line with what to run, then
``stop SECONDS``; to the host ``started PID``, ``failed ERRNO WHAT``, ``exited CODE`` and, last, ``left COUNT``. Its end
of file means that the host is gone, however it died. See docs/decisions/0002-process-trees.md.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

ORPHAN_GRACE_S = 0.5
"""Time that programs get to end by themselves when the host died."""
KILL_LIMIT_S = 5.0
"""Time after which processes that survive SIGKILL (another user's, or stuck in the kernel) are reported and left."""
REALTIME_PRIORITY = 10
_KILL_RETRY_S = 0.01
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MAX_SPEC_BYTES = 4 << 20


def descendants(root: int) -> dict[int, int]:
    """All processes below ``root`` as ``{pid: process group}``, zombies left out."""
    children: dict[int, list[tuple[int, int, str]]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    # The name field may hold spaces and parentheses: everything after the last one is fixed.
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append((int(entry), int(fields[2]), fields[0].decode()))
    found: dict[int, int] = {}
    pending = [root]
    while pending:
        for pid, group, state in children.get(pending.pop(), ()):
            pending.append(pid)
            if state not in "ZX":
                found[pid] = group
    return found


def signal_tree(root: int, number: int) -> set[int]:
    """Signal every descendant; returns them.

    Groups come first: the kernel signals a group atomically against fork(), which a walk over pids cannot.
    """
    found = descendants(root)
    for group in set(found.values()) - {os.getpgrp(), 0}:
        _quietly(os.killpg, group, number)
    for pid, group in found.items():
        if group == os.getpgrp():
            _quietly(os.kill, pid, number)
    return set(found)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _quietly(call: Any, target: int, number: int) -> None:
    with contextlib.suppress(OSError):
        call(target, number)


class Reaper:
    """One program and everything it starts; ``run`` returns when none of it is left."""

    def __init__(self, control_fd: int) -> None:
        self._control_fd = control_fd
        self._main_pid = 0
        self._cgroup = ""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._stop_at: float | None = None
        self._stopping = False
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        self._wake_fd = wake_read
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._begin_stop(ORPHAN_GRACE_S))
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)

    def run(self) -> None:
        """Start the program, wait for it or for the order to stop, and end everything below."""
        os.set_inheritable(self._control_fd, False)
        self._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        spec = self._read_spec()
        if spec is None or not self._start(spec):
            return
        self._cgroup = spec["cgroup"]
        self._detach_output()
        poll = select.poll()
        poll.register(self._control_fd, select.POLLIN)
        poll.register(self._wake_fd, select.POLLIN)
        while self._reap():
            for fd, _ in poll.poll(self._timeout_ms()):
                if fd == self._wake_fd:
                    os.read(self._wake_fd, 4096)
                elif not self._read_order():
                    poll.unregister(self._control_fd)
            if self._stop_at is not None and time.monotonic() >= self._stop_at:
                self._kill_all()
                break
        if self._cgroup:
            with contextlib.suppress(OSError):
                os.rmdir(self._cgroup)
        self._report(f"left {len(descendants(os.getpid()))}")

    def _read_spec(self) -> dict[str, Any] | None:
        data = b""
        while not data.endswith(b"\n"):
            chunk = os.read(self._control_fd, 65536)
            if not chunk or len(data) > _MAX_SPEC_BYTES:
                return None
            data += chunk
        spec: dict[str, Any] = json.loads(data)
        return spec

    def _start(self, spec: dict[str, Any]) -> bool:
        error_read, error_write = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(error_read)
            self._become(spec, error_write, parent)
        os.close(error_write)
        error = b""
        while chunk := os.read(error_read, 4096):
            error += chunk
        os.close(error_read)
        for fd in spec["fds"]:
            os.close(fd)
        if error:
            os.waitpid(pid, 0)
            self._report(f"failed {error.decode()}")
            return False
        self._main_pid = pid
        self._report(f"started {pid}")
        return True

    def _become(self, spec: dict[str, Any], error_fd: int, parent: int) -> NoReturn:
        stage = "start"
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                try:
                    signal.signal(number, signal.SIG_DFL)
                except OSError:
                    continue
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if spec["cgroup"]:
                with contextlib.suppress(OSError):
                    _write(f"{spec['cgroup']}/cgroup.procs", "0")
            with contextlib.suppress(OSError):
                if os.getpriority(os.PRIO_PROCESS, 0) < 0:
                    # The host goes before ordinary programs; what runs in a desktop is one.
                    os.setpriority(os.PRIO_PROCESS, 0, 0)
            if spec["realtime"]:
                # Only root may; for anybody else it is as if nothing had been asked.
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REALTIME_PRIORITY))
            user = spec["user"]
            if user is not None:
                stage = "change user"
                os.setgroups(user["groups"])
                os.setresgid(user["gid"], user["gid"], user["gid"])
                os.setresuid(user["uid"], user["uid"], user["uid"])
            # After the change of user, which clears it.
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            os.umask(0o022)
            stage = "enter the working folder"
            if spec["cwd"] is not None:
                os.chdir(spec["cwd"])
            stage = "run"
            os.execvpe(spec["argv"][0], spec["argv"], spec["env"])
        except OSError as error:
            os.write(error_fd, f"{error.errno or 0} {stage}".encode())
        except Exception as error:  # noqa: BLE001 - a forked copy must never return
            os.write(error_fd, f"0 {stage}: {error}".replace("\n", " ").encode())
        os._exit(127)

    def _detach_output(self) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)

    def _timeout_ms(self) -> float | None:
        return None if self._stop_at is None else max(0.0, (self._stop_at - time.monotonic()) * 1000)

    def _read_order(self) -> bool:
        try:
            order = os.read(self._control_fd, 256).decode("ascii", "replace").split()
        except OSError:
            order = []
        self._begin_stop(float(order[1]) if len(order) == 2 and order[0] == "stop" else ORPHAN_GRACE_S)
        return bool(order)

    def _begin_stop(self, grace_s: float) -> None:
        stop_at = time.monotonic() + grace_s
        self._stop_at = stop_at if self._stop_at is None else min(stop_at, self._stop_at)
        if not self._stopping:
            self._stopping = True
            signal_tree(os.getpid(), signal.SIGTERM)
            # A stopped process would never see the request.
            signal_tree(os.getpid(), signal.SIGCONT)

    def _kill_all(self) -> None:
        deadline = time.monotonic() + KILL_LIMIT_S
        known: set[int] = set()
        while self._reap() and time.monotonic() < deadline:
            if self._cgroup:
                with contextlib.suppress(OSError):
                    _write(f"{self._cgroup}/cgroup.kill", "1")
            found = signal_tree(os.getpid(), signal.SIGKILL)
            # New ones mean that something still forks: no pause for breath until it is beaten.
            if found <= known:
                time.sleep(_KILL_RETRY_S)
            known |= found

    def _reap(self) -> bool:
        """Collect the dead; returns whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._main_pid:
                self._report(f"exited {os.waitstatus_to_exitcode(status)}")

    def _report(self, line: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._control_fd, line.encode() + b"\n")


if __name__ == "__main__":
    Reaper(int(sys.argv[1])).run()
