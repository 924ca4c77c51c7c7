"""A window for a session: picture, pointer, sound, keyboard, mouse and controllers, through SDL (extra ``window``)."""

from __future__ import annotations

import contextlib
import ctypes
import time
import warnings
from collections import deque
from typing import Any

from av.video.frame import VideoFrame

from punktfunk.client.clipboard import TEXT
from punktfunk.client.connection import Event
from punktfunk.client.errors import ClientError
from punktfunk.client.inputs import InputSender
from punktfunk.client.rumble import RumbleLevel
from punktfunk.client.seat import Seat, Shortcut
from punktfunk.client.session import Session
from punktfunk.client.session_thread import MAX_CLIPBOARD_BYTES, OpenSession, SessionThread
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.datagrams import CursorState
from punktfunk.wire.punktfunk1.messages import CursorShape

try:
    with warnings.catch_warnings():
        # pysdl2-dll says which library it took, by a warning.
        warnings.simplefilter("ignore", UserWarning)
        import sdl2

        from punktfunk.client.window_pads import WindowPads
        from punktfunk.client.window_sound import Speakers, WindowMicrophone
except ImportError as error:
    raise ClientError(
        f"a window needs PySDL2 and pysdl2-dll: pip install 'punktfunk-host[window]' ({error})"
    ) from error

TURN_MS = 5
MAX_EVENTS_PER_TURN = 500
SLOW_DRAWING_S = 0.012
JUDGED_PICTURES = 30
_SDL_BT709 = 2
_FULL_RANGE = 2
"""FFmpeg's number for it."""


class Window:
    """An SDL window of the stream's shape. All methods belong to the thread that made it. Raises ``ClientError``
    where there is no display."""

    def __init__(
        self, thread: SessionThread, session: Session, title: str, *, fullscreen: bool, microphone: bool
    ) -> None:
        self.closed = False
        self._thread, self._session, self._title = thread, session, title
        subsystems = sdl2.SDL_INIT_VIDEO | sdl2.SDL_INIT_GAMECONTROLLER
        if sdl2.SDL_Init(subsystems) != 0:
            raise ClientError(f"no window can be opened: {_text(sdl2.SDL_GetError())}")
        # Without a sound card a person can still play.
        sdl2.SDL_InitSubSystem(sdl2.SDL_INIT_AUDIO)
        sdl2.SDL_SetHint(sdl2.SDL_HINT_RENDER_SCALE_QUALITY, b"linear")
        flags = sdl2.SDL_WINDOW_RESIZABLE | (sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP if fullscreen else 0)
        welcome, centre = session.welcome, sdl2.SDL_WINDOWPOS_CENTERED
        self._window = sdl2.SDL_CreateWindow(title.encode(), centre, centre, welcome.width, welcome.height, flags)
        self._renderer = sdl2.SDL_CreateRenderer(self._window, -1, 0) if self._window else None
        if not self._renderer:
            raise ClientError(f"no window can be opened: {_text(sdl2.SDL_GetError())}")
        self._texture: Any = None
        self._size = (welcome.width, welcome.height)
        self._drawing_s: deque[float] | None = deque(maxlen=JUDGED_PICTURES)
        self._cursor: Any = None
        self._grab_wanted: bool | None = None
        self._draws_cursor = HostCaps.CURSOR in welcome.host_caps
        self._input = InputSender(lambda data: thread.post(session.send_datagram, data), welcome.host_caps)
        self._seat = Seat(self._input)
        self._pads = WindowPads(self._input)
        self._speakers = Speakers(session)
        self._microphone = (
            WindowMicrophone(lambda data: thread.post(session.send_datagram, data)) if microphone else None
        )
        thread.on_sound = self._speakers.play
        if HostCaps.CLIPBOARD in welcome.host_caps:
            thread.post(session.clipboard.enable)
        if not self._draws_cursor:
            sdl2.SDL_ShowCursor(sdl2.SDL_DISABLE)

    def turn(self) -> None:
        """Wait a moment for events, take them, send what came of them, and draw what is new."""
        event = sdl2.SDL_Event()
        some = sdl2.SDL_WaitEventTimeout(ctypes.byref(event), TURN_MS)
        for _ in range(MAX_EVENTS_PER_TURN):
            if not some:
                break
            self._handle(event, time.monotonic())
            some = sdl2.SDL_PollEvent(ctypes.byref(event))
        self._seat.flush()
        self._input.poll(time.monotonic())
        if self._microphone is not None:
            self._microphone.pump()
        while self._thread.events:
            self._told(self._thread.events.popleft())
        while self._thread.texts:
            sdl2.SDL_SetClipboardText(self._thread.texts.popleft().replace(b"\0", b""))
        with contextlib.suppress(IndexError):
            self._show(self._thread.pictures.popleft())

    def release(self) -> None:
        """Let go of everything that is held, and of the devices."""
        self._seat.release()
        self._pads.close()
        self._thread.on_sound = None
        self._speakers.close()
        if self._microphone is not None:
            self._microphone.close()

    def _show(self, frame: VideoFrame) -> None:
        # SDL's conversion knows BT.709 in the studio range; everything else is brought into that form.
        if frame.format.name != "yuv420p" or frame.color_range == _FULL_RANGE:
            frame = frame.reformat(format="yuv420p", dst_color_range="MPEG", dst_colorspace="ITU709")
        started = time.monotonic()
        if self._texture is None or (frame.width, frame.height) != self._size:
            self._resize(frame.width, frame.height)
        planes = [
            item
            for plane in frame.planes
            for item in (ctypes.cast(plane.buffer_ptr, ctypes.POINTER(ctypes.c_uint8)), plane.line_size)
        ]
        sdl2.SDL_UpdateYUVTexture(self._texture, None, *planes)
        sdl2.SDL_RenderClear(self._renderer)
        sdl2.SDL_RenderCopy(self._renderer, self._texture, None, None)
        sdl2.SDL_RenderPresent(self._renderer)
        self._judge_drawing(time.monotonic() - started)

    def _judge_drawing(self, seconds: float) -> None:
        """OpenGL without a GPU draws far more slowly than SDL's own code, and nothing tells them apart but time."""
        if self._drawing_s is None:
            return
        self._drawing_s.append(seconds)
        if len(self._drawing_s) < JUDGED_PICTURES:
            return
        if sorted(self._drawing_s)[JUDGED_PICTURES // 2] > SLOW_DRAWING_S:
            sdl2.SDL_DestroyRenderer(self._renderer)
            self._texture = None
            self._renderer = sdl2.SDL_CreateRenderer(self._window, -1, sdl2.SDL_RENDERER_SOFTWARE)
            if not self._renderer:
                raise ClientError(f"the window cannot be drawn: {_text(sdl2.SDL_GetError())}")
        self._drawing_s = None

    def _told(self, event: Event) -> None:
        match event:
            case CursorShape():
                self._draw_cursor(event)
            case CursorState():
                self._follow_cursor(event)
            case RumbleLevel():
                self._pads.rumble(event)

    def _draw_cursor(self, shape: CursorShape) -> None:
        """The pointer's picture from now on."""
        pixels = ctypes.create_string_buffer(shape.rgba, len(shape.rgba))
        surface = sdl2.SDL_CreateRGBSurfaceWithFormatFrom(
            pixels, shape.width, shape.height, 32, 4 * shape.width, sdl2.SDL_PIXELFORMAT_RGBA32
        )
        cursor = sdl2.SDL_CreateColorCursor(surface, shape.hot_x, shape.hot_y) if surface else None
        sdl2.SDL_FreeSurface(surface)
        if cursor:
            sdl2.SDL_SetCursor(cursor)
            if self._cursor:
                sdl2.SDL_FreeCursor(self._cursor)
            self._cursor = cursor

    def _follow_cursor(self, state: CursorState) -> None:
        """Whether the host's applications show the pointer, or have grabbed it."""
        if self._draws_cursor:
            sdl2.SDL_ShowCursor(sdl2.SDL_ENABLE if state.visible else sdl2.SDL_DISABLE)
            if self._grab_wanted is None and state.relative_hint != self._seat.relative:
                self._grab(state.relative_hint)

    def _handle(self, event: Any, now: float) -> None:
        match event.type:
            case sdl2.SDL_QUIT:
                self.closed = True
            case sdl2.SDL_KEYDOWN | sdl2.SDL_KEYUP:
                if not event.key.repeat:
                    shortcut = self._seat.key(event.key.keysym.scancode, event.type == sdl2.SDL_KEYDOWN)
                    if shortcut is not None:
                        self._shortcut(shortcut)
            case sdl2.SDL_MOUSEMOTION:
                m = event.motion
                self._seat.motion(m.xrel, m.yrel, m.x, m.y, *self._size)
            case sdl2.SDL_MOUSEBUTTONDOWN | sdl2.SDL_MOUSEBUTTONUP:
                self._seat.button(event.button.button, event.type == sdl2.SDL_MOUSEBUTTONDOWN)
            case sdl2.SDL_MOUSEWHEEL:
                self._seat.wheel(event.wheel.preciseX, event.wheel.preciseY)
            case sdl2.SDL_WINDOWEVENT if event.window.event == sdl2.SDL_WINDOWEVENT_FOCUS_LOST:
                self._seat.release()
            case sdl2.SDL_CLIPBOARDUPDATE:
                self._offer_clipboard()
            case sdl2.SDL_CONTROLLERDEVICEADDED:
                self._pads.added(event.cdevice.which, now)
            case sdl2.SDL_CONTROLLERDEVICEREMOVED:
                self._pads.removed(event.cdevice.which, now)
            case sdl2.SDL_CONTROLLERAXISMOTION:
                self._pads.changed(event.caxis.which, now)
            case sdl2.SDL_CONTROLLERBUTTONDOWN | sdl2.SDL_CONTROLLERBUTTONUP:
                self._pads.changed(event.cbutton.which, now)

    def _shortcut(self, shortcut: Shortcut) -> None:
        match shortcut:
            case Shortcut.QUIT:
                self.closed = True
            case Shortcut.FULLSCREEN:
                full = sdl2.SDL_GetWindowFlags(self._window) & sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP
                sdl2.SDL_SetWindowFullscreen(self._window, 0 if full else sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP)
            case Shortcut.GRAB:
                self._grab_wanted = not self._seat.relative
                self._grab(self._grab_wanted)
            case Shortcut.STATISTICS:
                self._show_statistics()

    def _grab(self, grabbed: bool) -> None:
        self._seat.flush()
        self._seat.relative = grabbed
        sdl2.SDL_SetRelativeMouseMode(grabbed)

    def _show_statistics(self) -> None:
        s = self._session.statistics
        total = s.latencies.percentile_us("total", 50)
        latency = "" if total is None else f", {total / 1000:.1f} ms"
        text = f"{self._title} ({self._session.mode}, {s.bitrate_kbps} kbit/s{latency}, lost frames {s.video.dropped})"
        sdl2.SDL_SetWindowTitle(self._window, text.encode())

    def _offer_clipboard(self) -> None:
        text = sdl2.SDL_GetClipboardText() or b""
        state = self._session.clipboard.state
        if state is not None and state.enabled and 0 < len(text) <= MAX_CLIPBOARD_BYTES:
            self._thread.post(self._session.clipboard.offer, {TEXT: text})

    def _resize(self, width: int, height: int) -> None:
        if self._texture:
            sdl2.SDL_DestroyTexture(self._texture)
        sdl2.SDL_SetYUVConversionMode(_SDL_BT709)
        access, pixels = sdl2.SDL_TEXTUREACCESS_STREAMING, sdl2.SDL_PIXELFORMAT_IYUV
        self._texture = sdl2.SDL_CreateTexture(self._renderer, pixels, access, width, height)
        self._size = width, height
        # Positions of the pointer arrive in the picture's own pixels by this, wherever the window puts it.
        sdl2.SDL_RenderSetLogicalSize(self._renderer, width, height)


def play(open_session: OpenSession, title: str, *, fullscreen: bool = False, microphone: bool = False) -> None:
    """Show a session until its window is closed or it ends. Raises what ``connect`` raises, and the reason of an end
    that was not a normal one. Blocks; belongs into the main thread, which is where SDL wants its window."""
    thread = SessionThread(open_session, _wake)
    session = thread.start()
    try:
        window = Window(thread, session, title, fullscreen=fullscreen, microphone=microphone)
        try:
            while not window.closed and not thread.over:
                window.turn()
        finally:
            window.release()
    finally:
        thread.stop()
        sdl2.SDL_Quit()


def _wake() -> None:
    """Let a window that waits for events look after the session."""
    event = sdl2.SDL_Event()
    event.type = sdl2.SDL_USEREVENT
    sdl2.SDL_PushEvent(ctypes.byref(event))


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
