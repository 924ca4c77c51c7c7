"""A stream: one client's media for as long as its connection lasts, whatever happens to the worker that makes it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from punktfunk.input.events import Feedback, InputEvent, PadKind
from punktfunk.input.pad_hub import open_node
from punktfunk.media.audio import AudioTarget
from punktfunk.media.plan import AudioPlan, VideoPlan
from punktfunk.media.video_source import DisplayTarget, keeps_locks
from punktfunk.session import messages as m
from punktfunk.session.identity import UserIdentity
from punktfunk.session.lifecycle import RestartBudget
from punktfunk.session.link import LINK_VERSION
from punktfunk.session.lock_memory import LockMemory
from punktfunk.session.pad_memory import PadMemory
from punktfunk.session.path_report import PathReport
from punktfunk.session.worker import NUMBERS_BYTES
from punktfunk.session.worker_process import WorkerPool, WorkerProcess

log = logging.getLogger(__name__)

START_DEADLINE_S = 8.0
STUCK_AFTER_S = 5.0
"""A worker that says nothing for so long (it reports every second) is killed and replaced."""
MAX_INPUT_EVENTS = 64
"""Events in one link message."""


class StreamError(Exception):
    """The stream cannot be started or kept; the message is for the user."""


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What a plane asks for. ``module`` is its worker's entry, ``transport`` its own configuration (with keys)."""

    module: str
    video: VideoPlan
    audio: AudioPlan | None
    transport: bytes
    sockets: tuple[socket.socket, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """What a worker captures, and as whom; ``gamepad`` is what every controller becomes, unless AUTO; ``kernel_touch``
    makes devices of fingers and pen."""

    display: DisplayTarget
    audio: AudioTarget | None
    user: UserIdentity | None
    gamepad: PadKind = PadKind.AUTO
    kernel_touch: bool = False


class Stream:
    """Drives one worker at a time. All methods run on the event loop; messages to a dead worker are dropped, because
    its replacement is told everything that still matters.

    ``targets`` is asked before each worker start and may first repair what the worker is to capture; it raises
    StreamError when that is impossible.
    """

    def __init__(
        self, session_id: str, spec: StreamSpec, pool: WorkerPool, targets: Callable[[], Awaitable[Targets]]
    ) -> None:
        self._session_id = session_id
        self._spec = spec
        self._video = spec.video
        self._pool = pool
        self._targets = targets
        self._numbers = os.memfd_create("punktfunk-numbers")
        os.ftruncate(self._numbers, NUMBERS_BYTES)
        self._worker: WorkerProcess | None = None
        self._generation = -1
        self._budget = RestartBudget()
        self._video_endpoint: m.Address | None = None
        self._audio_endpoint: m.Address | None = None
        self._pads = PadMemory()
        self._locks = LockMemory()
        self._closed = False
        self._replacing: asyncio.Task[None] | None = None
        self._heard = 0.0
        self.started: m.Started | None = None
        self.statistics = m.WorkerStats()
        self.path = PathReport()
        self.on_feedback: Callable[[tuple[Feedback, ...]], None] = lambda _feedback: None
        self.on_report: Callable[[bytes], None] = lambda _data: None
        self.on_reconfigured: Callable[[m.Started], None] = lambda _started: None
        self.on_recovering: Callable[[str], None] = lambda _reason: None
        self.on_live: Callable[[], None] = lambda: None
        self.on_failed: Callable[[str], None] = lambda _reason: None

    async def start(self) -> m.Started:
        """Start the first worker; raises StreamError."""
        return await self._start_worker()

    async def close(self) -> None:
        """Release everything that is held and end the worker."""
        if self._closed:
            return
        self._closed = True
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.gather(self._replacing, return_exceptions=True)
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.stop()
        os.close(self._numbers)

    @property
    def video(self) -> VideoPlan:
        """What the encoder is asked for now."""
        return self._video

    @property
    def audio_channels(self) -> int:
        """How many channels of sound go out, 0 without sound."""
        return self._spec.audio.channels if self._spec.audio is not None else 0

    @property
    def worker_pid(self) -> int | None:
        """Process id of the present worker."""
        return self._worker.pid if self._worker is not None else None

    def set_video_endpoint(self, address: m.Address) -> None:
        """Where video goes; the first call lets it begin."""
        if address != self._video_endpoint:
            self._video_endpoint = address
            self._tell(m.SetVideoEndpoint(m.Endpoint(*address)))

    def set_audio_endpoint(self, address: m.Address) -> None:
        """Where audio goes; the first call lets it begin."""
        if address != self._audio_endpoint:
            self._audio_endpoint = address
            self._tell(m.SetAudioEndpoint(m.Endpoint(*address)))

    def inject(self, events: tuple[InputEvent, ...]) -> None:
        """Input from the client, in order."""
        self._pads.note(events)
        self._locks.note(events)
        for i in range(0, len(events), MAX_INPUT_EVENTS):
            self._tell(m.InjectInput(events[i : i + MAX_INPUT_EVENTS]))

    def release_input(self) -> None:
        """Release everything that is held."""
        self._locks.released()
        self._pads.let_go()
        self._tell(m.ReleaseInput())

    def request_keyframe(self) -> None:
        """The client needs a picture that decodes on its own."""
        self._tell(m.RequestKeyframe())

    def invalidate(self, first: int, last: int) -> None:
        """The client lost wire frames ``first``..``last``."""
        self._tell(m.InvalidateFrames(first, last))

    def set_bitrate(self, kbps: int) -> None:
        """New video bitrate, also for replacements."""
        self._video = msgspec.structs.replace(self._video, bitrate_kbps=kbps)
        self._tell(m.SetBitrate(kbps))

    def reconfigure(self, video: VideoPlan) -> None:
        """New mode: the capture makes the desktop follow it. ``on_reconfigured`` tells when pictures have it."""
        self._video = video
        self._tell(m.Reconfigure(video))

    def command(self, data: bytes) -> bool:
        """A command of the plane's own to its senders; False when there is no worker to take it."""
        return self._worker is not None and self.started is not None and self._worker.send(m.PlaneCommand(data))

    def replace_worker(self, reason: str) -> None:
        """Kill the worker; a new one takes its place."""
        if self._worker is not None:
            self._worker.kill(reason)

    def tick(self, now: float) -> None:
        """Once a second: replace a worker that hangs."""
        if self._worker is not None and self.started is not None and now - self._heard > STUCK_AFTER_S:
            self._worker.kill("said nothing for too long")

    def _tell(self, message: m.ToWorker) -> None:
        if self._worker is not None and self.started is not None:
            self._worker.send(message)

    async def _start_worker(self) -> m.Started:
        targets = await self._targets()
        worker = await self._pool.take(self._spec.module)
        self._pool.warm(self._spec.module)
        self._generation += 1
        started: asyncio.Future[m.Started] = asyncio.get_running_loop().create_future()

        def on_message(message: m.FromWorker) -> None:
            self._heard = time.monotonic()
            if isinstance(message, m.Started) and not started.done():
                started.set_result(message)
            elif isinstance(message, m.Started):
                self.started = message
                self.on_live()
                self.on_reconfigured(message)
            elif isinstance(message, m.NodeWanted):
                _grant(worker, message)
            elif isinstance(message, m.PlaneReport):
                self.on_report(message.data)
            elif isinstance(message, m.SendFeedback):
                self.on_feedback(message.feedback)
            elif isinstance(message, m.WorkerStats):
                self.statistics = message

        def on_exit(reason: str) -> None:
            if not started.done():
                started.set_exception(StreamError(f"the worker {reason}"))
            elif self._worker is worker:
                self._lost(reason)

        worker.on_message, worker.on_exit = on_message, on_exit
        try:
            self._configure(worker, targets)
            async with asyncio.timeout(START_DEADLINE_S):
                info = await started
        except TimeoutError:
            worker.kill("did not start in time")
            raise StreamError(f"no picture after {START_DEADLINE_S:.0f} s") from None
        except BaseException:
            worker.kill("is not needed any more")
            raise
        self._worker, self.started, self._heard = worker, info, time.monotonic()
        locks = () if keeps_locks(targets.display) else self._locks.replay()
        if known := (*locks, *self._pads.replay()):
            self._tell(m.InjectInput(known))
        if self._video_endpoint is not None:
            self._tell(m.SetVideoEndpoint(m.Endpoint(*self._video_endpoint)))
        if self._audio_endpoint is not None:
            self._tell(m.SetAudioEndpoint(m.Endpoint(*self._audio_endpoint)))
        return info

    def _configure(self, worker: WorkerProcess, targets: Targets) -> None:
        user = targets.user
        message = m.Configure(
            LINK_VERSION,
            self._session_id,
            self._generation,
            targets.display,
            self._video,
            self._spec.audio,
            targets.audio,
            self._spec.transport,
            (user.name, user.uid, user.gid) if user is not None else None,
            targets.gamepad,
            targets.kernel_touch,
        )
        fds = (self._numbers, *(sock.fileno() for sock in self._spec.sockets))
        if not worker.send(message, fds):
            raise StreamError("the worker died before it was configured")

    def _lost(self, reason: str) -> None:
        self._worker, self.started = None, None
        if self._closed:
            return
        log.warning("the worker %s; replacing it", reason)
        self.on_recovering(reason)
        self._replacing = asyncio.create_task(self._replace(reason))

    async def _replace(self, reason: str) -> None:
        while self._budget.spend(time.monotonic()):
            try:
                await self._start_worker()
            except StreamError as error:
                reason = str(error)
                log.warning("replacing the worker failed: %s", error)
                await asyncio.sleep(0.2)
                continue
            self.on_live()
            return
        self.on_failed(reason)


def _grant(worker: WorkerProcess, wanted: m.NodeWanted) -> None:
    try:
        node = open_node(wanted.node)
    except OSError as error:
        worker.send(m.NodeGranted(error.strerror or str(error)))
        return
    worker.send(m.NodeGranted(), (node,))
    os.close(node)
