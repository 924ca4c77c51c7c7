"""One page's connection: from its ticket to its last word. Runs on the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from punktfunk.browser import wire as w
from punktfunk.browser.flow import FrameGate, MessageBudget, Verdict
from punktfunk.browser.input_events import PageInput
from punktfunk.browser.pad_feedback import page_message
from punktfunk.browser.page_clipboard import PageClipboard
from punktfunk.browser.page_voice import PageVoice
from punktfunk.browser.reports import Assembler, AudioReport, VideoReport
from punktfunk.browser.tickets import Admission, PlayRefused
from punktfunk.browser.transport import PageTransport
from punktfunk.input.events import Feedback
from punktfunk.media.frames import Codec
from punktfunk.media.plan import AudioPlan, Mode, VideoPlan
from punktfunk.session.messages import Started
from punktfunk.session.session import Session
from punktfunk.session.stream import Stream, StreamError, StreamSpec
from punktfunk.trust.devices import Grants

log = logging.getLogger(__name__)

WORKER_MODULE = "punktfunk.browser.worker"
HELLO_DEADLINE_S = 10.0
SILENCE_DEADLINE_S = 10.0
"""A page pings every second."""
HIDDEN_DEADLINE_S = 150.0
"""Browsers let a hidden page's timers run once a minute."""
MAX_UNREAD_BYTES = 4 << 20
"""Messages that a page does not take; whoever is so far behind is gone."""
MIN_BITRATE_KBPS = 500
RELEASE_AFTER_S = 2.5
"""A page that missed two of its pings may be gone with a key or a button down."""
RESIZE_SPACING_S = 0.25
_CODECS = ((1, Codec.H264), (2, Codec.HEVC), (4, Codec.AV1))
_NO_ENDPOINT = ("browser", 0)


class Sessions(Protocol):
    """What a connection asks of the plane."""

    codecs: frozenset[Codec]
    max_bitrate_kbps: int

    def redeem(self, ticket: str) -> Admission:
        """What a ticket opens; raises PlayRefused."""
        ...

    async def session_for(self, admission: Admission, app: int, mode: Mode) -> Session:
        """The caller's session, new or old; raises PlayRefused."""
        ...

    def ended(self, connection: PageConnection) -> None:
        """The connection is over."""
        ...

    def end_session(self, session: Session) -> None:
        """The page wants its session to end."""
        ...


class PageConnection:
    """Hears one page (a ``PageListener``) and drives its stream."""

    def __init__(
        self, transport: PageTransport, sessions: Sessions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._sessions = sessions
        self._clock = clock
        self._since = self._heard = clock()
        self._admission: Admission | None = None
        self._input = PageInput(Grants.NONE)
        self._assembler = Assembler()
        self._gate = FrameGate(0)
        self._video = VideoPlan(Mode(0, 0, 0))
        self._resized_to: Mode | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._clipboard: PageClipboard | None = None
        self._voice: PageVoice | None = None
        self._budget = MessageBudget(self._since)
        self.session: Session | None = None
        self.stream: Stream | None = None
        self.over = False
        self._let_go = False

    @property
    def is_stranger(self) -> bool:
        """Whether no ticket has come yet."""
        return self._admission is None

    def received(self, message: bytes) -> None:
        """One message of the page; nonsense ends the connection."""
        if self.over:
            return
        self._heard, self._let_go = self._clock(), False
        if not self._budget.spend(self._heard):
            self.end("the page sent too much", w.Cause.NONSENSE)
            return
        try:
            self._handle(w.decode_from_page(message))
        except w.WireError as error:
            self.end(f"the page sent nonsense: {error}", w.Cause.NONSENSE)

    def lost(self) -> None:
        """The connection is over."""
        self.end("", w.Cause.OTHER, again=True)

    def tick(self, now: float) -> None:
        """Once a second."""
        if self._admission is None:
            if now - self._since > HELLO_DEADLINE_S:
                self.end("no ticket came", w.Cause.REFUSED)
        elif not self._admission.still_good():
            self.end("the permission to play was taken back, or its time is over", w.Cause.REVOKED)
        elif now - self._heard > (HIDDEN_DEADLINE_S if self._gate.paused else SILENCE_DEADLINE_S):
            self.end("nothing was heard from the page any more", w.Cause.SILENT, again=True)
        elif self._gate.paused:
            self._transport.keep_alive()
        elif now - self._heard > RELEASE_AFTER_S and self.stream is not None and not self._let_go:
            self._let_go = True
            self.stream.release_input()

    def end(self, reason: str, cause: w.Cause, *, again: bool = False) -> None:
        """Say why, and end the stream; the session goes on."""
        if self.over:
            return
        self.over = True
        if reason:
            log.info("a page's connection ends: %s", reason)
            self._transport.send(w.encode(w.Ended(again, cause, reason)))
        self._transport.close()
        self._sessions.ended(self)

    async def close(self) -> None:
        """After ``end``: nothing of it runs any more when this returns."""
        if self._starting is not None:
            # A worker that is being started cannot be left half way.
            await asyncio.wait((self._starting,))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._clipboard is not None:
            await self._clipboard.close()
        if self._voice is not None:
            await self._voice.close()
        if self.session is not None and self.stream is not None:
            await self.session.stop_stream(self.stream)

    def _handle(self, message: w.FromPage) -> None:
        if isinstance(message, w.Hello):
            if self._admission is None:
                self._greet(message)
            return
        stream, session = self.stream, self.session
        if isinstance(message, w.Ping):
            self._send(w.Pong(message.client_us, time.monotonic_ns() // 1000))
            return
        if stream is None or session is None or self._admission is None:
            return
        match message:
            case w.KeyframeWanted():
                self._gate.lost()
                stream.request_keyframe()
            case w.BitrateWanted(kbps):
                self._set_bitrate(stream, kbps)
            case w.Resized():
                self._resize(session, stream, _mode(message.width, message.height, message.refresh_hz))
            case w.Visible(visible):
                self._gate.paused = not visible
                if visible:
                    stream.request_keyframe()
            case w.ReleaseAll():
                stream.release_input()
            case w.Clipboard(text):
                if self._clipboard is not None:
                    self._clipboard.page_holds(text)
                else:
                    self._send(w.ClipboardTaken())
            case w.Voice():
                if self._voice is not None:
                    self._voice.receive(message)
            case w.Leaving(end):
                if end and self._admission.grants & Grants.LAUNCH:
                    self._sessions.end_session(session)
                else:
                    self.end("", w.Cause.OTHER, again=True)
            case _:
                event = self._input.event(message)
                if event is not None:
                    stream.inject((event,))

    def _greet(self, hello: w.Hello) -> None:
        if hello.version != w.VERSION:
            self.end("this page is of another version than the host; reload it", w.Cause.OTHER_VERSION)
            return
        try:
            self._admission = self._sessions.redeem(hello.ticket)
        except PlayRefused as error:
            self.end(str(error), w.Cause.REFUSED)
            return
        self._input = PageInput(self._admission.grants)
        self._starting = self._in_background(self._start(self._admission, hello))

    async def _start(self, admission: Admission, hello: w.Hello) -> None:
        codec = next((c for bit, c in _CODECS if bit & hello.codecs and c in self._sessions.codecs), None)
        if codec is None:
            self.end("this browser decodes none of the codecs that the host encodes", w.Cause.NO_CODEC)
            return
        kbps = self._allowed_kbps(hello.bitrate_kbps)
        self._video = VideoPlan(_mode(hello.width, hello.height, hello.refresh_hz), codec, kbps)
        self._gate = FrameGate(kbps)
        audio = AudioPlan(packet_ms=10) if hello.audio else None
        try:
            session = self.session = await self._sessions.session_for(admission, hello.app, self._video.mode)
            spec = StreamSpec(WORKER_MODULE, self._video, audio, b"", ())
            stream = await session.start_stream(spec)
        except (PlayRefused, StreamError) as error:
            self.end(f"the stream could not be started: {error}", w.Cause.NOT_STARTED)
            return
        self.stream = stream
        if self.over:
            return
        self._attach(session, stream, audio)

    def _attach(self, session: Session, stream: Stream, audio: AudioPlan | None) -> None:
        assert stream.started is not None
        assert self._admission is not None
        info = stream.started
        stream.on_report = self._report
        stream.on_feedback = self._feedback
        stream.on_reconfigured = self._reconfigured
        stream.on_recovering = _both(stream.on_recovering, self._recovering)
        live = stream.on_live

        def on_live() -> None:
            live()
            self._send(w.Recovering(""))

        stream.on_live = on_live
        self._send(
            w.Ready(
                w.VERSION,
                session.id,
                info.mode.width,
                info.mode.height,
                info.mode.refresh_mhz,
                int(self._admission.grants),
                self._video.bitrate_kbps,
                audio.channels if audio is not None else 0,
                audio.packet_ms if audio is not None else 0,
                info.encoder,
                session.request.app.name,
            )
        )
        if self._admission.grants & Grants.CLIPBOARD and (desktop := session.open_clipboard()) is not None:
            self._clipboard = PageClipboard(
                desktop, lambda text: self._send(w.Clipboard(text)), lambda: self._send(w.ClipboardTaken())
            )
        if self._admission.grants & Grants.MICROPHONE:
            self._voice = PageVoice(session)
        stream.request_keyframe()

    def _report(self, data: bytes) -> None:
        if self.over:
            return
        match self._assembler.add(data):
            case VideoReport(message, keyframe):
                waiting, since_s = self._transport.backlog_bytes, self._transport.backlog_s
                match self._gate.frame(waiting, since_s, keyframe=keyframe):
                    case Verdict.SEND:
                        self._transport.send_video(message, keyframe=keyframe)
                    case Verdict.DROP:
                        self._transport.drop_video()
                    case Verdict.DROP_AND_ASK:
                        if self.stream is not None:
                            self.stream.request_keyframe()
            case AudioReport(message):
                self._transport.send_audio(message)

    def _feedback(self, feedback: tuple[Feedback, ...]) -> None:
        for event in feedback:
            if (message := page_message(event)) is not None:
                self._send(message)

    def _reconfigured(self, info: Started) -> None:
        self._send(w.ModeChanged(info.mode.width, info.mode.height, info.mode.refresh_mhz))

    def _recovering(self, reason: str) -> None:
        self._assembler.reset()
        self._gate.lost()
        self._send(w.Recovering(reason))

    def _set_bitrate(self, stream: Stream, kbps: int) -> None:
        kbps = self._allowed_kbps(kbps)
        self._video = msgspec.structs.replace(self._video, bitrate_kbps=kbps)
        self._gate.bitrate_kbps = kbps
        stream.set_bitrate(kbps)
        self._send(w.BitrateSet(kbps))

    def _allowed_kbps(self, kbps: int) -> int:
        return max(MIN_BITRATE_KBPS, min(kbps, self._sessions.max_bitrate_kbps))

    def _resize(self, session: Session, stream: Stream, mode: Mode) -> None:
        waiting, self._resized_to = self._resized_to, mode
        if waiting is None:
            self._in_background(self._follow(session, stream))

    async def _follow(self, session: Session, stream: Stream) -> None:
        """Take the newest of the sizes that come while a window is dragged."""
        while True:
            await asyncio.sleep(RESIZE_SPACING_S)
            mode = self._resized_to
            if mode is None or mode == self._video.mode:
                break
            before, self._video = self._video, msgspec.structs.replace(self._video, mode=mode)
            try:
                await session.reconfigure(stream, self._video)
            except StreamError as error:
                log.info("the page's size %s cannot be had now: %s", mode, error)
                self._video = before
                break
        self._resized_to = None

    def _send(self, message: w.FromHost) -> None:
        if self.over:
            return
        if self._transport.unread_bytes > MAX_UNREAD_BYTES:
            self.end("the page takes nothing any more", w.Cause.SILENT, again=True)
            return
        self._transport.send(w.encode(message))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a page's connection failed", exc_info=task.exception())
            self.end("the host made a mistake here; its log says more", w.Cause.OTHER, again=True)


def _mode(width: int, height: int, refresh_hz: int) -> Mode:
    """A mode that displays and encoders take: even, between 320x240 and 4096x2304, 24 to 144 Hz."""
    return Mode(max(320, min(width, 4096)) & ~1, max(240, min(height, 2304)) & ~1, 1000 * max(24, min(refresh_hz, 144)))


def _both(first: Callable[[str], None], second: Callable[[str], None]) -> Callable[[str], None]:
    def call(text: str) -> None:
        first(text)
        second(text)

    return call
