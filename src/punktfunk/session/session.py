"""A session: a client's desktop with its programs and its sound, and the stream of it while the client is connected."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from punktfunk.input.events import PadKind
from punktfunk.media.plan import Mode, VideoPlan
from punktfunk.media.video_source import HostCompositor, PortalScreen, is_gnome
from punktfunk.session.clipboard import DesktopClipboard
from punktfunk.session.context import bind_session
from punktfunk.session.desktops.base import Desktop, DesktopError, RunningApp, TakesPictures
from punktfunk.session.identity import UserIdentity
from punktfunk.session.lifecycle import EndReason, Lifecycle, RestartBudget, State
from punktfunk.session.microphone_feed import MicrophoneFeed
from punktfunk.session.plan import App
from punktfunk.session.snapshot import Snapshots
from punktfunk.session.sound import SessionSound
from punktfunk.session.sound_server import SoundError
from punktfunk.session.stream import Stream, StreamError, StreamSpec, Targets
from punktfunk.session.worker_process import WorkerPool

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DESKTOP_EXIT_GRACE_S = 0.5
"""When an app and its desktop end together, it was the desktop that took the app along."""


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """Who asks for what. ``client_id`` is the fingerprint of the client's certificate."""

    session_id: str
    client_id: str
    client_name: str
    plane: str
    app: App
    mode: Mode
    channels: int = 2


@dataclass(frozen=True)
class Surroundings:
    """What sessions are made from. ``open_sound`` may be None (sound off); ``make_desktop`` gets the session's id and
    the environment that its programs need for their sound."""

    make_desktop: Callable[[str, dict[str, str]], Desktop]
    open_sound: Callable[[str, int], Awaitable[SessionSound]] | None
    pool: WorkerPool
    user: UserIdentity | None
    linger_s: float = 0.0
    gamepad: PadKind = PadKind.AUTO
    kernel_touch: bool = False


def _named_in_logs(
    method: Callable[Concatenate[Session, P], Awaitable[T]],
) -> Callable[Concatenate[Session, P], Coroutine[Any, Any, T]]:
    """Have every line that is logged meanwhile, and by tasks started meanwhile, carry the session's id."""

    @functools.wraps(method)
    async def named(self: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with bind_session(self.id):
            return await method(self, *args, **kwargs)

    return named


@dataclass
class Session:
    """One session; every method runs on the event loop. ``on_ended`` is called once, after everything is gone."""

    request: SessionRequest
    around: Surroundings
    on_ended: Callable[[Session], None] = lambda _session: None
    on_ending: Callable[[Session, EndReason], None] = lambda _session, _reason: None
    may_stream: Callable[[Session], None] = lambda _session: None
    """Raises StreamError when a client that comes back finds no place."""
    on_stream_failed: Callable[[Session, str], None] = lambda _session, _reason: None
    stream: Stream | None = None
    started_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.life = Lifecycle(time.monotonic(), self.around.linger_s)
        self.mode = self.request.mode
        self._desktop: Desktop | None = None
        self._desktop_dead = False
        self._sound: SessionSound | None = None
        self._channels = self.request.channels
        self._app: RunningApp | None = None
        self._snapshots: Snapshots | None = None
        self._watchers: set[asyncio.Task[None]] = set()
        self._change = asyncio.Lock()
        self._restarts = RestartBudget(limit=4)

    @property
    def id(self) -> str:
        """Session id, as in logs."""
        return self.request.session_id

    def open_microphone(self) -> MicrophoneFeed | None:
        """What plays into the session's microphone; None without one. The caller closes it."""
        return self._sound.open_microphone() if self._sound is not None else None

    def open_clipboard(self) -> DesktopClipboard | None:
        """The desktop's clipboard; None where wl-clipboard does not reach one: GNOME has none of its protocols. The
        caller closes it."""
        environment = self._wayland_environment()
        if self._desktop is None or not environment or is_gnome(self._desktop.target):
            return None
        return DesktopClipboard(environment, self.around.user)

    async def picture(self) -> bytes | None:
        """A small PNG of what its desktop shows; None where that cannot be had."""
        if isinstance(self._desktop, TakesPictures) and not self._desktop_dead:
            return await self._desktop.picture(self.mode)
        environment = {} if self._desktop_dead else self._wayland_environment()
        target = self._desktop.target if self._desktop is not None and environment else None
        # grim reaches neither GNOME's desktops nor KDE's.
        if target is None or isinstance(target, PortalScreen):
            return None
        if self._snapshots is None or self._snapshots.environment != environment:
            self._snapshots = Snapshots(environment, self.around.user)
        # What else is on somebody's desk is not for everybody who may look at the session.
        output = target.output if isinstance(target, HostCompositor) else ""
        return await self._snapshots.take(self.mode, output)

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self.life.state

    @_named_in_logs
    async def launch(self) -> None:
        """Bring up sound, desktop and app; raises StreamError and cleans up when one of them cannot be had."""
        problem: Exception | None = None
        async with self._change:
            self._advance(State.ADMITTED)
            try:
                await self._open_sound()
                await self._start_desktop()
            except (DesktopError, OSError) as error:
                problem = error
        if problem is not None:
            await self.end(EndReason.START_FAILED)
            raise StreamError(str(problem)) from problem
        self._check_not_over()

    @_named_in_logs
    async def start_stream(self, spec: StreamSpec) -> Stream:
        """Stream to a client that has connected; an older connection of this session is dropped. Raises StreamError."""
        async with self._change:
            self._check_not_over()
            self.may_stream(self)
            await self._drop_stream()
            self._advance(State.STARTING)
            self.mode = spec.video.mode
            if spec.audio is not None and spec.audio.channels != self._channels:
                await self._set_channels(spec.audio.channels)
            stream = Stream(self.id, spec, self.around.pool, self._targets)
            stream.on_recovering = lambda _reason: self._advance_if_streaming(State.RECOVERING)
            stream.on_live = lambda: self._advance_if_streaming(State.LIVE)
            stream.on_failed = self._stream_failed
            try:
                info = await stream.start()
                self._check_not_over()
            except StreamError:
                await stream.close()
                if self.state is not State.ENDED:
                    self._advance(State.LINGERING)
                raise
            self.stream = stream
            self._advance(State.LIVE)
            log.info("streaming %s, encoder %s (%s)", info.mode, info.encoder, info.why)
            return stream

    @_named_in_logs
    async def reconfigure(self, stream: Stream, video: VideoPlan) -> None:
        """Another mode under the same connection; ``stream.on_reconfigured`` tells when pictures have it.

        The capture makes the desktop follow: setting the desktop's mode beside it costs a second gap (measured).
        Raises StreamError when no stream is live.
        """
        async with self._change:
            if self.stream is not stream or self.state is not State.LIVE:
                raise StreamError("no stream is live")
            self._advance(State.RECONFIGURING)
            self.mode = video.mode
            stream.reconfigure(video)

    @_named_in_logs
    async def stop_stream(self, stream: Stream) -> None:
        """The client is gone: end this stream of it; desktop and programs go on."""
        async with self._change:
            if self.stream is stream:
                await self._drop_stream()

    @_named_in_logs
    async def end(self, reason: EndReason) -> None:
        """End everything; returns when nothing of the session is left."""
        if self.state is State.ENDED:
            async with self._change:  # whoever came first is still at it
                return
        log.info("session of %s ends: %s", self.request.client_name, reason.value)
        self.on_ending(self, reason)
        self._advance(State.ENDED, reason)
        async with self._change:
            for task in self._watchers:
                if task is not asyncio.current_task():
                    task.cancel()
            await self._drop_stream()
            if self._app is not None:
                await self._app.stop()
            if self._desktop is not None:
                await self._desktop.stop()
            if self._sound is not None:
                await self._sound.close()
        self.on_ended(self)

    def tick(self, now: float) -> bool:
        """Once a second; True when the session has lingered long enough to be ended."""
        if self.stream is not None:
            self.stream.tick(now)
        deadline = self.life.linger_deadline()
        return deadline is not None and now >= deadline

    async def _drop_stream(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            await stream.close()
            if self.state is not State.ENDED:
                self._advance(State.LINGERING)

    async def _open_sound(self) -> None:
        if self.around.open_sound is None:
            return
        try:
            self._sound = await self.around.open_sound(self.id, self._channels)
        except SoundError as error:
            log.warning("this session is silent: %s", error)

    def _wayland_environment(self) -> dict[str, str]:
        """Of a program that talks to the desktop's compositor; empty where there is none."""
        environment = self._desktop.environment if self._desktop is not None else {}
        return environment if "WAYLAND_DISPLAY" in environment else {}

    async def _set_channels(self, channels: int) -> None:
        self._channels = channels
        if self._sound is None:
            return
        try:
            await self._sound.set_channels(channels)
        except SoundError as error:
            log.warning("the sound keeps its old channels: %s", error)

    async def _start_desktop(self) -> None:
        environment = dict(self._sound.environment) if self._sound is not None else {}
        desktop = self._desktop = self.around.make_desktop(self.id, environment)
        await desktop.start(self.mode)
        self._desktop_dead = False
        self._watch(self._watch_desktop(desktop))
        app = self.request.app
        if app.command or app.prepare:
            self._app = await desktop.launch(app)
            if app.exit_ends_session:
                self._watch(self._watch_app(self._app))

    async def _targets(self) -> Targets:
        """What a worker is to capture; brings the desktop back when it is gone, and into the present mode."""
        try:
            if self._desktop is None or self._desktop_dead:
                if not self._restarts.spend(time.monotonic()):
                    raise StreamError("the desktop keeps crashing")
                if self._desktop is not None:
                    await self._desktop.stop()
                await self._start_desktop()
            assert self._desktop is not None
            await self._desktop.set_mode(self.mode)
            audio = self._sound.target if self._sound is not None else None
            around = self.around
            return Targets(self._desktop.target, audio, around.user, around.gamepad, around.kernel_touch)
        except (DesktopError, OSError) as error:
            raise StreamError(str(error)) from error

    async def _watch_desktop(self, desktop: Desktop) -> None:
        status = await desktop.wait()
        if self._desktop is not desktop or self.state is State.ENDED:
            return
        self._desktop_dead = True
        if status == 0:
            await self.end(EndReason.APP_EXITED)
            return
        log.warning("the desktop died with status %d", status)
        if self.stream is not None:
            self.stream.replace_worker("lost its desktop")

    async def _watch_app(self, app: RunningApp) -> None:
        await app.wait()
        await asyncio.sleep(DESKTOP_EXIT_GRACE_S)
        if self._app is app and not self._desktop_dead and self.state is not State.ENDED:
            await self.end(EndReason.APP_EXITED)

    def _check_not_over(self) -> None:
        if self.state is State.ENDED:
            raise StreamError("the session is over")

    def _watch(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    def _stream_failed(self, reason: str) -> None:
        log.error("the stream cannot go on: %s", reason)
        self.on_stream_failed(self, reason)
        self._watch(self.end(EndReason.CRASHED))

    def _advance(self, state: State, reason: EndReason | None = None) -> None:
        if state is not self.state:
            self.life.advance(state, time.monotonic(), reason)

    def _advance_if_streaming(self, state: State) -> None:
        if self.life.streaming:
            self._advance(state)
