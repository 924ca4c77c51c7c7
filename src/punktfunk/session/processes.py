"""Process trees: programs that can be started as a session's user and always be ended with everything they started.

How and why: docs/decisions/0002-process-trees.md.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from punktfunk.session import cgroups, reaper
from punktfunk.session.identity import UserIdentity
from punktfunk.session.process_output import log_output

MARKER = "PUNKTFUNK_TREE"
"""Environment variable that every process of a tree inherits: ``HOST_MARK-RANDOM``, see `host_mark`."""
_MAX_STATUS_BYTES = 4096
_SPAWN_TIMEOUT_S = 10.0
_STOP_MARGIN_S = 1.0
_SWEEP_ROUNDS = 200
_SWEEP_PAUSE_S = 0.01

logger = logging.getLogger(__name__)


class SpawnError(Exception):
    """A program could not be started; the message names it and the reason."""


class ProcessTree:
    """A running program with everything it starts, however daemonised. Create with ``spawn``."""

    def __init__(
        self, name: str, marker: str, cgroup: str, process: subprocess.Popen[bytes], control: socket.socket
    ) -> None:
        self.name = name
        self._marker = marker
        self._cgroup = cgroup
        self._process = process
        self._control = control
        self._pid = 0
        self._left: int | None = None
        self._exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._supervision: asyncio.Task[None] | None = None
        self._log_task: asyncio.Task[None] | None = None

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        *,
        name: str,
        env: Mapping[str, str],
        cwd: str | None = None,
        user: UserIdentity | None = None,
        pass_fds: Sequence[int] = (),
        log: bool = True,
        realtime: bool = False,
    ) -> ProcessTree:
        """Start ``argv`` under a reaper of its own.

        The program sees exactly ``env`` plus the tree's marker, ``/dev/null`` as input, and of the host's descriptors
        only ``pass_fds`` (same numbers). Its output goes to the debug log under ``name``. ``user`` None means the
        host's own. ``realtime`` puts it, threads and children included, before all ordinary programs where the host is
        root. Raises SpawnError; a cancelled spawn leaves nothing behind.
        """
        marker = f"{host_mark(os.getpid())}-{secrets.token_hex(8)}"
        spec = {
            "argv": list(argv),
            "env": {**env, MARKER: marker},
            "cwd": cwd,
            "user": _user_spec(user),
            "fds": list(pass_fds),
            "realtime": realtime,
            "cgroup": (cgroup := cgroups.create(marker)),
        }
        control, remote = socket.socketpair()
        control.setblocking(False)
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - vfork and exec, no wait
                [sys.executable, "-I", "-S", reaper.__file__, str(remote.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if log else subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                env={MARKER: marker},
                cwd="/",
                pass_fds=(remote.fileno(), *pass_fds),
                start_new_session=True,
            )
        except OSError as error:
            control.close()
            cgroups.remove(cgroup)
            raise SpawnError(f"{name}: cannot start its reaper: {error}") from error
        finally:
            remote.close()
        tree = cls(name, marker, cgroup, process, control)
        try:
            await asyncio.wait_for(tree._begin(spec), _SPAWN_TIMEOUT_S)
        except BaseException as error:
            await tree._abandon()
            if isinstance(error, TimeoutError | OSError):
                raise SpawnError(f"{name}: its reaper did not answer") from error
            raise
        return tree

    @property
    def pid(self) -> int:
        """Process id of the program itself."""
        return self._pid

    @property
    def returncode(self) -> int | None:
        """Exit status of the program as ``subprocess`` has it, None while it runs."""
        return self._exit.result() if self._exit.done() else None

    async def wait(self) -> int:
        """Wait for the program itself to end; what it left running stays until ``stop``."""
        return await asyncio.shield(self._exit)

    async def wait_empty(self) -> None:
        """Wait until nothing of the tree runs any more."""
        if self._supervision is not None:
            await asyncio.shield(self._supervision)

    async def stop(self, grace_s: float = 2.0) -> None:
        """End the tree: SIGTERM to all, SIGKILL after ``grace_s``. Returns when nothing is left; safe to repeat."""
        if self._supervision is None or self._supervision.done():
            return
        try:
            self._control.send(f"stop {grace_s:.3f}\n".encode())
        except OSError:
            logger.debug("%s: its reaper is gone already", self.name)
        try:
            limit_s = grace_s + reaper.KILL_LIMIT_S + _STOP_MARGIN_S
            await asyncio.wait_for(asyncio.shield(self._supervision), limit_s)
        except TimeoutError:
            self._process.kill()
            await asyncio.shield(self._supervision)

    async def _begin(self, spec: Mapping[str, object]) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._control, json.dumps(spec).encode() + b"\n")
        status = b""
        while not status.endswith(b"\n"):
            chunk = await loop.sock_recv(self._control, _MAX_STATUS_BYTES)
            if not chunk:
                raise SpawnError(f"{self.name}: its reaper ended at once")
            status += chunk
        first, _, rest = status.decode().partition("\n")
        word, _, value = first.partition(" ")
        if word != "started":
            code, _, stage = value.partition(" ")
            reason = os.strerror(int(code)) if code.isdecimal() and int(code) else "failed"
            raise SpawnError(f"{self.name}: cannot {stage} {spec['argv']!r:.200}: {reason}")
        self._pid = int(value)
        if self._process.stdout is not None:
            self._log_task = asyncio.create_task(log_output(self._process.stdout.fileno(), self.name))
        self._supervision = asyncio.create_task(self._supervise(rest), name=f"tree {self.name}")

    async def _supervise(self, text: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            *lines, text = text.split("\n")
            for line in lines:
                self._on_status(line)
            try:
                chunk = await loop.sock_recv(self._control, _MAX_STATUS_BYTES)
            except OSError:
                break
            if not chunk:
                break
            text += chunk.decode()
        await self._finish()

    def _on_status(self, line: str) -> None:
        word, _, value = line.partition(" ")
        if word == "exited" and not self._exit.done():
            self._exit.set_result(int(value))
        elif word == "left":
            self._left = int(value)

    async def _finish(self) -> None:
        await asyncio.to_thread(self._process.wait)
        if self._left is None:
            logger.warning("%s: its reaper was killed; looking for what it left", self.name)
            cgroups.kill(self._cgroup)
            await sweep(lambda mark: mark == self._marker, session=self._pid)
        elif self._left:
            logger.error("%s: %d processes cannot be killed", self.name, self._left)
        if not self._exit.done():
            self._exit.set_result(-signal.SIGKILL)
        await self._close()

    async def _abandon(self) -> None:
        # The closed control socket tells the reaper, wherever it is, to end what it has.
        self._control.close()
        await asyncio.to_thread(self._process.wait)
        if self._supervision is not None:
            self._supervision.cancel()
        if not self._exit.done():
            self._exit.cancel()
        await self._close()

    async def _close(self) -> None:
        self._control.close()
        await _remove_cgroup(self._cgroup)
        if self._log_task is not None:
            await asyncio.wait({self._log_task}, timeout=0.5)
            self._log_task.cancel()
            await asyncio.gather(self._log_task, return_exceptions=True)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _user_spec(user: UserIdentity | None) -> dict[str, object] | None:
    if user is None or (user.is_current and user.uid != 0):
        return None
    return {"uid": user.uid, "gid": user.gid, "groups": user.groups()}


def host_mark(pid: int) -> str:
    """A name for a running host that no later process can have: ``PID-START_TICKS-PID_NAMESPACE``."""
    return f"{pid}-{_start_ticks(pid)}-{_pid_namespace()}"


def host_is_alive(mark: str) -> bool:
    """Whether the host that ``host_mark`` named still runs, as far as can be told: one in a container of its own, whose
    process ids mean nothing here, counts as running."""
    pid, namespace = mark.partition("-")[0], mark.rpartition("-")[2]
    return namespace != str(_pid_namespace()) or (pid.isdecimal() and host_mark(int(pid)) == mark)


def _pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


def _start_ticks(pid: int) -> int:
    """Start time of a process in clock ticks since boot, 0 when it does not exist; with the pid, one process's name."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except OSError:
        return 0


async def sweep_orphans() -> int:
    """Kill what hosts that no longer exist left running, for the start of a new one; returns how many processes."""

    def orphaned(mark: str) -> bool:
        return not host_is_alive(mark.rpartition("-")[0])

    killed = await sweep(orphaned)
    for mark, folder in cgroups.found():
        if orphaned(mark):
            cgroups.kill(folder)
            await _remove_cgroup(folder)
    return killed


async def _remove_cgroup(folder: str) -> None:
    for _ in range(_SWEEP_ROUNDS):
        if cgroups.remove(folder):
            return
        await asyncio.sleep(_SWEEP_PAUSE_S)


async def sweep(matches: Callable[[str], bool], session: int = 0) -> int:
    """SIGKILL every process whose marker ``matches`` or that is in the given POSIX session, and all below them."""
    killed: set[int] = set()
    for _ in range(_SWEEP_ROUNDS):
        found = await asyncio.to_thread(_find_marked, matches, session)
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        if found <= killed:
            await asyncio.sleep(_SWEEP_PAUSE_S)
        killed |= found
    return len(killed)


def _find_marked(matches: Callable[[str], bool], session: int) -> set[int]:
    prefix = f"{MARKER}=".encode()
    found: set[int] = set()
    for entry in os.listdir("/proc"):
        if not entry.isdecimal():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_bytes().rpartition(b")")[2].split()
            environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if fields[0] in (b"Z", b"X"):
            continue
        mark = next((item[len(prefix) :].decode("ascii", "replace") for item in environ if item.startswith(prefix)), "")
        if (mark and matches(mark)) or (session and int(fields[3]) == session):
            found.add(int(entry))
    for pid in tuple(found):
        found.update(reaper.descendants(pid))
    return found - {os.getpid()}
