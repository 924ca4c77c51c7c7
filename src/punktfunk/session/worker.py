"""The worker: one process per stream, holding capture, encoders, injector and the media sockets' sending side.

A plane starts it through its own small module (``punktfunk.gamestream.worker``), which hands over how frames and audio
packets are put on the wire. The supervisor speaks to it over the sealed link only; keys never touch a command line or
the environment. It dies with its supervisor, and a driver that crashes takes this one stream's picture and no more.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import logging
import mmap
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from punktfunk.input.events import Feedback, InputEvent, PadEvent, PadKind, PenMoved, Touched
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.input.gamepads.drivers import kinds_without_driver
from punktfunk.input.injector import Injector, SeatInjector, open_injector
from punktfunk.input.kernel_touch import KernelTouch
from punktfunk.input.keyboard import LayoutFacts
from punktfunk.input.pad_hub import PadHub, open_node
from punktfunk.input.xkb import KeyboardLayout, Keymap, LayoutError
from punktfunk.media.audio import AudioCapture, ToneCapture
from punktfunk.media.frames import OpusPacket
from punktfunk.media.opus import OpusError, libopus
from punktfunk.media.plan import VideoPlan
from punktfunk.media.pulse import PulseError, libpulse
from punktfunk.media.video_source import (
    DisplayTarget,
    HostCompositor,
    SourceLost,
    Synthetic,
    VideoSource,
    open_source,
)
from punktfunk.session import messages as m
from punktfunk.session import urgency
from punktfunk.session.link import LINK_VERSION, Link, LinkClosed, LinkError
from punktfunk.session.video_path import VideoOut, VideoPath
from punktfunk.wire.latency import LatencyWindow
from punktfunk.wire.udp import SendStatistics

log = logging.getLogger(__name__)

NUMBERS_BYTES = 4096
"""Size of the memory in which a stream's wire numbers outlive its worker."""
FIRST_FRAME_DEADLINE_S = 6.0
SILENCE_DEADLINE_S = 4.0
"""Streaming sources deliver still pictures too, so that silence means a desktop that hangs; one that died is noticed by
its exit. A busy machine has stood still for 2 s."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


class VideoSender(VideoOut, Protocol):
    """A plane's video sender."""

    def set_endpoint(self, address: m.Address) -> None: ...

    @property
    def datagrams(self) -> SendStatistics:
        """What the socket took."""
        ...

    @property
    def added_latency(self) -> LatencyWindow:
        """Capture to last packet, less the encoder's own time."""
        ...


class AudioSender(Protocol):
    """A plane's audio sender."""

    def set_endpoint(self, address: m.Address) -> None: ...

    def send(self, packet: OpusPacket) -> bool: ...


@dataclass(frozen=True, slots=True)
class PlaneSetup:
    """What a plane's senders are made from: its own configuration and sockets of the StreamSpec, the memory that the
    workers before and after this one share, and which of them this is. ``report`` reaches the plane's side in the
    supervisor."""

    transport: bytes
    sockets: tuple[socket.socket, ...]
    numbers: memoryview
    generation: int
    video: VideoPlan
    request_keyframe: Callable[[], None]
    report: Callable[[bytes], None]


class MediaPlane(Protocol):
    """How one protocol puts media on the wire."""

    def open(self, setup: PlaneSetup) -> tuple[VideoSender, AudioSender]:
        """Senders for one stream. Raises ValueError for a configuration that makes no sense."""
        ...

    def command(self, data: bytes) -> None:
        """A command of the plane's own, on the link's thread."""
        ...

    def reconfigured(self, video: VideoPlan) -> None:
        """The stream goes on in another mode."""
        ...


class Worker:
    """One stream's media, driven by the link's messages on the calling thread."""

    def __init__(self, link: Link[m.ToWorker, m.FromWorker], plane: MediaPlane) -> None:
        self._link = link
        self._plane = plane
        self._stopping = threading.Event()
        self._source: VideoSource | None = None
        self._audio: AudioCapture | ToneCapture | None = None
        self._injector: Injector | None = None
        self._session_id = ""
        self._pad_setting = PadKind.AUTO
        self._pads: PadHub | None = None
        self._touch: KernelTouch | None = None
        self._waiting: deque[tuple[m.ToWorker, tuple[int, ...]]] = deque()
        self._path: VideoPath | None = None
        self._video: VideoSender | None = None
        self._audio_out: AudioSender | None = None
        self._audio_packets = 0
        self._started_ns = 0

    def run(self) -> int:
        """Serve the link until it closes or Stop comes; returns the exit status."""
        try:
            self._link.send(m.Ready(LINK_VERSION))
            while True:
                message, fds = self._waiting.popleft() if self._waiting else self._link.receive()
                if isinstance(message, m.Stop):
                    return 0
                self._handle(message, fds)
        except LinkClosed:
            return 0
        except LinkError as error:
            self._fail(f"the supervisor sent a malformed message: {error}")
            return 2
        except SourceLost as error:
            self._fail(str(error), source_lost=True)
            return 3
        except Exception as error:  # the worker's top: whatever went wrong, the supervisor is told
            log.exception("the worker failed")
            self._fail(f"{type(error).__name__}: {error}")
            return 1
        finally:
            self._close()

    def _handle(self, message: m.ToWorker, fds: tuple[int, ...]) -> None:
        match message:
            case m.Configure():
                self._configure(message, fds)
            case m.InjectInput(events=events):
                for event in events:
                    self._inject(event)
            case m.ReleaseInput():
                for held in (self._injector, self._touch):
                    if held is not None:
                        held.release_all()
                if self._pads is not None:
                    self._pads.let_go()
            case m.SetVideoEndpoint(endpoint=endpoint):
                if self._video is not None and self._path is not None:
                    self._video.set_endpoint(endpoint.address)
                    if not self._path.frames:
                        self._path.request_keyframe(time.monotonic_ns())
            case m.SetAudioEndpoint(endpoint=endpoint):
                if self._audio_out is not None:
                    self._audio_out.set_endpoint(endpoint.address)
            case m.RequestKeyframe():
                if self._path is not None:
                    self._path.request_keyframe(time.monotonic_ns())
            case m.InvalidateFrames(first=first, last=last):
                if self._path is not None:
                    self._path.invalidate(first, last, time.monotonic_ns())
            case m.SetBitrate(kbps=kbps):
                if self._source is not None:
                    self._source.set_bitrate(kbps)
            case m.PlaneCommand(data=data):
                self._plane.command(data)
            case m.Reconfigure(video=video):
                if self._source is not None:
                    info = self._source.reconfigure(video)
                    self._plane.reconfigured(video)
                    self._link.send(m.Started(info.encoder, info.why, info.mode))

    def _inject(self, event: InputEvent) -> None:
        if isinstance(event, Touched | PenMoved) and self._touch is not None:
            try:
                self._touch.inject(event)
                return
            except OSError as error:
                log.warning("no kernel touch (%s): fingers and pen drive the pointer", error.strerror or error)
                self._touch.close()
                self._touch = None
        if not isinstance(event, PadEvent):
            if self._injector is not None:
                self._injector.inject(event)
            return
        if self._pads is None:
            self._pads = PadHub(
                self._open_node,
                self._send_feedback,
                session=self._session_id,
                setting=self._pad_setting,
                without_driver=kinds_without_driver(),
            )
        self._pads.handle(event)

    def _open_node(self, node: Node) -> int:
        """A device node, by own right or by the supervisor's. Runs on the link's thread, where pads are plugged in."""
        try:
            return open_node(node)
        except PermissionError:
            self._link.send(m.NodeWanted(node))
        while True:
            message, fds = self._link.receive()
            if not isinstance(message, m.NodeGranted):
                self._waiting.append((message, fds))
            elif fds:
                return fds[0]
            else:
                raise OSError(errno.EACCES, message.problem)

    def _configure(self, c: m.Configure, fds: tuple[int, ...]) -> None:
        if c.version != LINK_VERSION or not fds or self._source is not None:
            raise LinkError(f"cannot be configured with version {c.version} and {len(fds)} descriptors")
        _drop_privileges(c.user)
        self._session_id, self._pad_setting = c.session_id, c.gamepad
        self._touch = KernelTouch(self._open_node, c.session_id) if c.kernel_touch else None
        numbers = memoryview(mmap.mmap(fds[0], NUMBERS_BYTES))
        os.close(fds[0])
        sockets = tuple(socket.socket(fileno=fd) for fd in fds[1:])
        source = self._source = open_source(c.display)
        path = self._path = VideoPath(source)
        setup = PlaneSetup(
            c.transport,
            sockets,
            numbers,
            c.generation,
            c.video,
            lambda: path.request_keyframe(time.monotonic_ns()),
            self._report,
        )
        video, self._audio_out = self._video, _ = self._plane.open(setup)
        self._started_ns = time.monotonic_ns()
        info = source.start(c.video, lambda frame: path.frame(frame, video))
        self._injector = open_injector(source, _layout_facts(c.display))
        strays = c.generation > 0 or (isinstance(c.display, HostCompositor) and c.display.strays)
        if strays and isinstance(self._injector, SeatInjector):
            self._injector.release_strays()
        if c.audio is not None:
            if c.audio_target is not None:
                self._audio = AudioCapture(c.audio_target, c.audio)
            elif isinstance(c.display, Synthetic):
                self._audio = ToneCapture(c.audio)
        if self._audio is not None:
            self._audio.start(self._send_audio)
        threading.Thread(target=self._watch, name="stats", daemon=True).start()
        self._link.send(m.Started(info.encoder, info.why, info.mode))

    def _send_audio(self, packet: OpusPacket) -> None:
        if self._audio_out is not None:
            self._audio_packets += self._audio_out.send(packet)

    def _report(self, data: bytes) -> None:
        with contextlib.suppress(LinkClosed):
            self._link.send(m.PlaneReport(data))

    def _send_feedback(self, feedback: Feedback) -> None:
        with contextlib.suppress(LinkClosed):
            self._link.send(m.SendFeedback((feedback,)))

    def _watch(self) -> None:
        """Once a second: statistics, and whether pictures still come."""
        while not self._stopping.wait(1.0):
            assert self._path is not None
            assert self._video is not None
            silent_ns = time.monotonic_ns() - (self._path.last_frame_ns or self._started_ns)
            deadline_s = SILENCE_DEADLINE_S if self._path.last_frame_ns else FIRST_FRAME_DEADLINE_S
            if silent_ns > deadline_s * 1e9:
                self._fail(f"no picture from the desktop for {silent_ns / 1e9:.1f} s", source_lost=True)
                os._exit(3)
            with contextlib.suppress(LinkClosed):
                self._link.send(self._statistics(self._path, self._video))

    def _statistics(self, path: VideoPath, video: VideoSender) -> m.WorkerStats:
        return m.WorkerStats(
            frames=path.frames,
            keyframes=path.keyframes,
            recoveries=path.recoveries,
            dropped_frames=path.dropped,
            video_packets=video.datagrams.packets,
            video_bytes=video.datagrams.bytes,
            unsent_packets=video.datagrams.lost,
            audio_packets=self._audio_packets,
            encode_p50_us=path.encode_times.percentile_ns(50) // 1000,
            encode_p99_us=path.encode_times.percentile_ns(99) // 1000,
            added_p50_us=video.added_latency.percentile_ns(50) // 1000,
            added_p99_us=video.added_latency.percentile_ns(99) // 1000,
            wait_p50_us=path.wait_times.percentile_ns(50) // 1000,
            wait_p99_us=path.wait_times.percentile_ns(99) // 1000,
            send_p50_us=path.send_times.percentile_ns(50) // 1000,
            send_p99_us=path.send_times.percentile_ns(99) // 1000,
        )

    def _fail(self, reason: str, *, source_lost: bool = False) -> None:
        with contextlib.suppress(LinkClosed):
            self._link.send(m.Failed(reason, source_lost))

    def _close(self) -> None:
        self._stopping.set()
        for close in (
            self._injector and self._injector.release_all,
            self._pads and self._pads.close,
            self._touch and self._touch.close,
            self._audio and self._audio.stop,
            self._source and self._source.stop,
        ):
            if close:
                with contextlib.suppress(Exception):
                    close()


def run_worker(plane: MediaPlane) -> int:
    """Entry of a plane's worker module: the link's descriptor number is the only argument."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    urgency.go_before_others()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    _preload()
    urgency.settle_interpreter()
    link: Link[m.ToWorker, m.FromWorker] = Link(socket.socket(fileno=int(sys.argv[1])), m.ToWorker)  # type: ignore[arg-type]
    status = Worker(link, plane).run()
    logging.shutdown()
    # Native capture threads may still hold locks that the interpreter's shutdown would wait for.
    os._exit(status)


def _preload() -> None:
    """Load what a stream may need: it takes a while, and the desktop's user may not be allowed to read it later."""
    displays = ("pixelflux_source", "portal_source", "x11_source", "synthetic")
    for module in (
        "fractions",
        "punktfunk.media.portal.mutter",
        *(f"punktfunk.media.displays.{name}" for name in displays),
    ):
        with contextlib.suppress(ImportError):  # the one that is really missing is named when it is needed
            importlib.import_module(module)
    with contextlib.suppress(OpusError):
        libopus()
    with contextlib.suppress(PulseError):
        libpulse()


def _layout_facts(display: DisplayTarget) -> LayoutFacts | None:
    if isinstance(display, Synthetic):
        return None
    keys = display.keyboard
    try:
        if keys.keymap:
            return LayoutFacts.of_keymap(Keymap.of_text(keys.keymap))
        return LayoutFacts.of(KeyboardLayout(keys.layout, keys.variant, keys.options))
    except (LayoutError, OSError) as error:
        log.warning("keys are taken by their position alone: %s", error)
        return None


def _drop_privileges(user: tuple[str, int, int] | None) -> None:
    if user is None or os.getuid() != 0:
        return
    name, uid, gid = user
    os.initgroups(name, gid)
    os.setgid(gid)
    os.setuid(uid)
    # Changing the user clears the death signal.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
