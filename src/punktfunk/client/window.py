"""A window for a session: picture, pointer, sound, keyboard, mouse and controllers, through SDL (extra ``window``)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import warnings
from typing import Any

from av.video.frame import VideoFrame

from punktfunk.client.clipboard import TEXT, ClipboardError
from punktfunk.client.errors import ClientError, SessionEndedError
from punktfunk.client.rumble import RumbleLevel
from punktfunk.client.seat import Seat, Shortcut
from punktfunk.client.session import Session
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.datagrams import CursorState
from punktfunk.wire.punktfunk1.messages import ClipOffer, CursorShape

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

PUMP_S = 0.004
MAX_EVENTS_PER_PUMP = 500
MAX_CLIPBOARD_BYTES = 1024 * 1024
_SDL_BT709 = 2
_FULL_RANGE = 2
"""FFmpeg's number for it."""


class Window:
    """An SDL window of the stream's shape. All methods belong to the thread that made it. Raises ``ClientError``
    where there is no display."""

    def __init__(self, session: Session, title: str, *, fullscreen: bool, microphone: bool) -> None:
        self.closed = asyncio.Event()
        self._session = session
        self._title = title
        subsystems = sdl2.SDL_INIT_VIDEO | sdl2.SDL_INIT_GAMECONTROLLER
        if sdl2.SDL_Init(subsystems) != 0:
            raise ClientError(f"no window can be opened: {_text(sdl2.SDL_GetError())}")
        # Without a sound card a person can still play.
        sdl2.SDL_InitSubSystem(sdl2.SDL_INIT_AUDIO)
        sdl2.SDL_SetHint(sdl2.SDL_HINT_RENDER_SCALE_QUALITY, b"linear")
        flags = sdl2.SDL_WINDOW_RESIZABLE | (sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP if fullscreen else 0)
        mode, centre = session.mode, sdl2.SDL_WINDOWPOS_CENTERED
        self._window = sdl2.SDL_CreateWindow(title.encode(), centre, centre, mode.width, mode.height, flags)
        self._renderer = sdl2.SDL_CreateRenderer(self._window, -1, 0) if self._window else None
        if not self._renderer:
            message = _text(sdl2.SDL_GetError())
            sdl2.SDL_Quit()
            raise ClientError(f"no window can be opened: {message}")
        self._texture: Any = None
        self._texture_size = (0, 0)
        self._cursor: Any = None
        self._grab_wanted: bool | None = None
        self._draws_cursor = HostCaps.CURSOR in session.welcome.host_caps
        self.seat = Seat(session.input)
        self.pads = WindowPads(session.input)
        self.speakers = Speakers(session)
        self._microphone = WindowMicrophone(session) if microphone else None
        if HostCaps.CLIPBOARD in session.welcome.host_caps:
            session.clipboard.enable()
        if not self._draws_cursor:
            sdl2.SDL_ShowCursor(sdl2.SDL_DISABLE)

    def show(self, frame: VideoFrame) -> None:
        """Draw one picture."""
        # SDL's conversion knows BT.709 in the studio range; everything else is brought into that form.
        if frame.format.name != "yuv420p" or frame.color_range == _FULL_RANGE:
            frame = frame.reformat(format="yuv420p", dst_color_range="MPEG", dst_colorspace="ITU709")
        if (frame.width, frame.height) != self._texture_size:
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

    def pump(self, now: float) -> None:
        """Take the events that wait, and send what came of them."""
        event = sdl2.SDL_Event()
        for _ in range(MAX_EVENTS_PER_PUMP):
            if not sdl2.SDL_PollEvent(ctypes.byref(event)):
                break
            self._handle(event, now)
        self.seat.flush()
        if self._microphone is not None:
            self._microphone.pump()

    def draw_cursor(self, shape: CursorShape) -> None:
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

    def follow_cursor(self, state: CursorState) -> None:
        """Whether the host's applications show the pointer, or have grabbed it."""
        if self._draws_cursor:
            sdl2.SDL_ShowCursor(sdl2.SDL_ENABLE if state.visible else sdl2.SDL_DISABLE)
            if self._grab_wanted is None and state.relative_hint != self.seat.relative:
                self._grab(state.relative_hint)

    def take_text(self, text: bytes) -> None:
        """The host's clipboard."""
        sdl2.SDL_SetClipboardText(text.replace(b"\0", b""))

    def close(self) -> None:
        """Let go of everything and close."""
        self.seat.release()
        self.pads.close()
        self.speakers.close()
        if self._microphone is not None:
            self._microphone.close()
        sdl2.SDL_Quit()

    def _handle(self, event: Any, now: float) -> None:
        match event.type:
            case sdl2.SDL_QUIT:
                self.closed.set()
            case sdl2.SDL_KEYDOWN | sdl2.SDL_KEYUP:
                if not event.key.repeat:
                    shortcut = self.seat.key(event.key.keysym.scancode, event.type == sdl2.SDL_KEYDOWN)
                    if shortcut is not None:
                        self._shortcut(shortcut)
            case sdl2.SDL_MOUSEMOTION:
                m, mode = event.motion, self._session.mode
                self.seat.motion(m.xrel, m.yrel, m.x, m.y, mode.width, mode.height)
            case sdl2.SDL_MOUSEBUTTONDOWN | sdl2.SDL_MOUSEBUTTONUP:
                self.seat.button(event.button.button, event.type == sdl2.SDL_MOUSEBUTTONDOWN)
            case sdl2.SDL_MOUSEWHEEL:
                self.seat.wheel(event.wheel.preciseX, event.wheel.preciseY)
            case sdl2.SDL_WINDOWEVENT if event.window.event == sdl2.SDL_WINDOWEVENT_FOCUS_LOST:
                self.seat.release()
            case sdl2.SDL_CLIPBOARDUPDATE:
                self._offer_clipboard()
            case sdl2.SDL_CONTROLLERDEVICEADDED:
                self.pads.added(event.cdevice.which, now)
            case sdl2.SDL_CONTROLLERDEVICEREMOVED:
                self.pads.removed(event.cdevice.which, now)
            case sdl2.SDL_CONTROLLERAXISMOTION:
                self.pads.changed(event.caxis.which, now)
            case sdl2.SDL_CONTROLLERBUTTONDOWN | sdl2.SDL_CONTROLLERBUTTONUP:
                self.pads.changed(event.cbutton.which, now)

    def _shortcut(self, shortcut: Shortcut) -> None:
        match shortcut:
            case Shortcut.QUIT:
                self.closed.set()
            case Shortcut.FULLSCREEN:
                full = sdl2.SDL_GetWindowFlags(self._window) & sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP
                sdl2.SDL_SetWindowFullscreen(self._window, 0 if full else sdl2.SDL_WINDOW_FULLSCREEN_DESKTOP)
            case Shortcut.GRAB:
                self._grab_wanted = not self.seat.relative
                self._grab(self._grab_wanted)
            case Shortcut.STATISTICS:
                self._show_statistics()

    def _grab(self, grabbed: bool) -> None:
        self.seat.flush()
        self.seat.relative = grabbed
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
            self._session.clipboard.offer({TEXT: text})

    def _resize(self, width: int, height: int) -> None:
        if self._texture:
            sdl2.SDL_DestroyTexture(self._texture)
        sdl2.SDL_SetYUVConversionMode(_SDL_BT709)
        access, pixels = sdl2.SDL_TEXTUREACCESS_STREAMING, sdl2.SDL_PIXELFORMAT_IYUV
        self._texture = sdl2.SDL_CreateTexture(self._renderer, pixels, access, width, height)
        self._texture_size = width, height
        # Positions of the pointer arrive in the picture's own pixels by this, wherever the window puts it.
        sdl2.SDL_RenderSetLogicalSize(self._renderer, width, height)


async def play(session: Session, title: str, *, fullscreen: bool = False, microphone: bool = False) -> None:
    """Show a session until its window is closed or it ends, which raises the reason unless that is a normal one.

    Runs in the main thread, which is where SDL wants its window.
    """
    window = Window(session, title, fullscreen=fullscreen, microphone=microphone)
    tasks = [
        asyncio.create_task(work)
        for work in (_pump(window), _pictures(window, session), _sound(window, session), _events(window, session))
    ]
    over: list[asyncio.Task[object]] = [
        asyncio.create_task(window.closed.wait()),
        asyncio.create_task(session.wait_closed()),
    ]
    try:
        done, _ = await asyncio.wait([*tasks, *over], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in [*tasks, *over]:
            task.cancel()
        await asyncio.gather(*tasks, *over, return_exceptions=True)
        window.close()
    if session.closed is not None and not isinstance(session.closed, SessionEndedError):
        raise session.closed


async def _pump(window: Window) -> None:
    loop = asyncio.get_running_loop()
    while True:
        window.pump(loop.time())
        await asyncio.sleep(PUMP_S)


async def _pictures(window: Window, session: Session) -> None:
    async for picture in session.pictures():
        if picture.show:
            window.show(picture.frame)


async def _sound(window: Window, session: Session) -> None:
    async for packet in session.audio():
        window.speakers.play(packet)


async def _events(window: Window, session: Session) -> None:
    async for event in session.events():
        match event:
            case CursorShape():
                window.draw_cursor(event)
            case CursorState():
                window.follow_cursor(event)
            case RumbleLevel():
                window.pads.rumble(event)
            case ClipOffer(formats=formats) if any(entry.mime == TEXT for entry in formats):
                with contextlib.suppress(ClipboardError):
                    window.take_text(await session.clipboard.fetch(TEXT, limit=MAX_CLIPBOARD_BYTES))


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
