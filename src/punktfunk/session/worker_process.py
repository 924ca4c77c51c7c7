"""A worker as the supervisor sees it: a child process at the other end of a sealed link."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Mapping

from punktfunk.session import messages as m
from punktfunk.session.link import LINK_VERSION, Link, LinkClosed, LinkError, link_pair

log = logging.getLogger(__name__)

STOP_GRACE_S = 1.5
MAX_STDERR_LINE = 4096


class WorkerProcess:
    """One worker. ``on_message`` and ``on_exit`` are called on the event loop; ``on_exit`` once, with a reason."""

    def __init__(self, process: asyncio.subprocess.Process, link: Link[m.FromWorker, m.ToWorker]) -> None:
        self._process = process
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._reason = ""
        self.ready = False
        self.source_lost = False
        self.on_message: Callable[[m.FromWorker], None] = lambda _message: None
        self.on_exit: Callable[[str], None] = lambda _reason: None
        self._loop.add_reader(link.fileno(), self._readable)
        self._tasks = [asyncio.create_task(self._reap()), asyncio.create_task(self._read_stderr())]

    @classmethod
    async def spawn(cls, module: str, env: Mapping[str, str]) -> WorkerProcess:
        """Start ``python -m module`` with one end of a new link as its only argument."""
        ours, theirs = link_pair()
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                str(theirs.fileno()),
                env=dict(env),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                limit=MAX_STDERR_LINE,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, Link(ours, m.FromWorker))  # type: ignore[arg-type]

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def send(self, message: m.ToWorker, fds: tuple[int, ...] = ()) -> bool:
        """Send without waiting; False when the worker is gone or does not read any more."""
        try:
            self._link.send(message, fds)
        except (LinkClosed, BlockingIOError):
            return False
        return True

    async def stop(self) -> None:
        """Ask it to stop, and kill it when it does not within the grace time."""
        self.send(m.Stop())
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await self._process.wait()
        except TimeoutError:
            self.kill("did not stop in time")
        await asyncio.gather(*self._tasks)

    def kill(self, reason: str) -> None:
        """End it at once."""
        self._reason = self._reason or reason
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)

    def _readable(self) -> None:
        try:
            message, fds = self._link.receive()
        except BlockingIOError:
            return
        except LinkClosed:
            self._loop.remove_reader(self._link.fileno())
            return
        except LinkError as error:
            self._loop.remove_reader(self._link.fileno())
            self.kill(f"sent a malformed message: {error}")
            return
        for fd in fds:
            os.close(fd)
        match message:
            case m.Ready(version=version):
                self.ready = version == LINK_VERSION
                if not self.ready:
                    self.kill(f"speaks version {version} of the link, not {LINK_VERSION}")
            case m.Failed(reason=reason, source_lost=lost):
                self._reason, self.source_lost = reason, lost
        self.on_message(message)

    async def _reap(self) -> None:
        status = await self._process.wait()
        self._readable_until_closed()
        self._loop.remove_reader(self._link.fileno())
        self._link.close()
        if status < 0:
            self._reason = self._reason or f"was killed by {signal.Signals(-status).name}"
        self.on_exit(self._reason or f"ended with status {status}")

    def _readable_until_closed(self) -> None:
        """Take what the worker said before it died."""
        for _ in range(64):
            try:
                message, fds = self._link.receive()
            except (BlockingIOError, LinkClosed, LinkError):
                return
            for fd in fds:
                os.close(fd)
            if isinstance(message, m.Failed):
                self._reason, self.source_lost = message.reason, message.source_lost

    async def _read_stderr(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while True:
            try:
                line = await stderr.readline()
            except ValueError:  # a line over the limit; its rest comes as further lines
                continue
            if not line:
                return
            log.debug("worker %d: %s", self.pid, line.decode(errors="replace").rstrip())


class WorkerPool:
    """Keeps one worker of each kind started ahead, so that a stream need not wait for imports.

    ``{worker}`` in a value of the environment becomes a name that no other worker has.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._spare: dict[str, WorkerProcess] = {}
        self._filling: set[asyncio.Task[None]] = set()
        self._closed = False

    def warm(self, module: str) -> None:
        """Start a spare worker of this kind in the background."""
        if module in self._spare or self._closed:
            return
        # In a context of its own: a spare worker's log lines are not those of the session that it was started beside.
        task = asyncio.create_task(self._fill(module), context=contextvars.Context())
        self._filling.add(task)
        task.add_done_callback(self._filling.discard)

    async def take(self, module: str) -> WorkerProcess:
        """A worker: the spare one when there is one, else a new one. The next spare is started."""
        worker = self._spare.pop(module, None)
        if worker is None:
            worker = await self._spawn(module)
        worker.on_exit = lambda _reason: None
        return worker

    async def close(self) -> None:
        """End the spare workers."""
        self._closed = True
        for task in tuple(self._filling):
            task.cancel()
        await asyncio.gather(*self._filling, return_exceptions=True)
        spare, self._spare = self._spare, {}
        await asyncio.gather(*(worker.stop() for worker in spare.values()))

    async def _spawn(self, module: str) -> WorkerProcess:
        name = secrets.token_hex(4)
        return await WorkerProcess.spawn(module, {k: v.replace("{worker}", name) for k, v in self._env.items()})

    async def _fill(self, module: str) -> None:
        worker = await self._spawn(module)
        if self._closed or module in self._spare:
            await worker.stop()
            return
        self._spare[module] = worker

        def forget(reason: str) -> None:
            if self._spare.get(module) is worker:
                del self._spare[module]
                log.warning("a spare worker %s", reason)

        worker.on_exit = forget
