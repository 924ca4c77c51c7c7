"""A session on a thread of its own, for programs whose main thread belongs to a window toolkit."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from av.video.frame import VideoFrame

from punktfunk.client.audio_order import AudioPacket
from punktfunk.client.clipboard import TEXT, ClipboardError
from punktfunk.client.connection import Event
from punktfunk.client.errors import ClientError, SessionEndedError
from punktfunk.client.session import Session
from punktfunk.wire.punktfunk1.messages import ClipOffer

MAX_EVENTS = 256
MAX_CLIPBOARD_BYTES = 1024 * 1024
STOP_TIMEOUT_S = 5.0

OpenSession = Callable[[], AbstractAsyncContextManager[Session]]


class SessionThread:
    """Opens a session and keeps what comes for another thread. ``wake`` is called there being something new, on the
    session's thread."""

    def __init__(self, open_session: OpenSession, wake: Callable[[], object]) -> None:
        self.pictures: deque[VideoFrame] = deque(maxlen=1)
        """The newest picture that may be shown."""
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.texts: deque[bytes] = deque(maxlen=1)
        """The newest text of the host's clipboard."""
        self.on_sound: Callable[[AudioPacket], None] | None = None
        """Called with each packet, on the session's thread."""
        self._open_session = open_session
        self._wake = wake
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="punktfunk session", daemon=True)

    @property
    def over(self) -> bool:
        """Whether the session has ended."""
        return not self._thread.is_alive()

    def start(self) -> Session:
        """Connect; the session, of which only constants may be read from here. Raises what ``connect`` raises."""
        self._thread.start()
        self._ready.wait()
        if self._session is None:
            self._thread.join()
            raise self._error or ClientError("the session ended before it began")
        return self._session

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function on the session's thread, soon."""
        # A loop that has closed means that the session is over, which the caller is about to notice.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self) -> None:
        """Quit the session and wait for the thread; raises the reason of an end that was not a normal one."""
        if self._task is not None:
            self.post(self._task.cancel)
        self._thread.join(STOP_TIMEOUT_S)
        if self._error is not None and not isinstance(self._error, SessionEndedError):
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again on the other thread
            self._error = error
        finally:
            self._ready.set()
            self._wake()

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with self._open_session() as session:
            self._session = session
            self._ready.set()
            async with asyncio.TaskGroup() as tasks:
                for work in (self._pictures, self._sound, self._events):
                    tasks.create_task(work(session))
            if session.closed is not None:
                raise session.closed

    async def _pictures(self, session: Session) -> None:
        async for picture in session.pictures():
            if picture.show:
                self.pictures.append(picture.frame)
                self._wake()

    async def _sound(self, session: Session) -> None:
        async for packet in session.audio():
            if self.on_sound is not None:
                self.on_sound(packet)

    async def _events(self, session: Session) -> None:
        async for event in session.events():
            if isinstance(event, ClipOffer) and any(entry.mime == TEXT for entry in event.formats):
                with contextlib.suppress(ClipboardError):
                    self.texts.append(await session.clipboard.fetch(TEXT, limit=MAX_CLIPBOARD_BYTES))
            else:
                self.events.append(event)
            self._wake()
