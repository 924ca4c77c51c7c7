"""One thread that owns a stream's sockets and timers, so that a busy test never delays the protocol."""

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_DATAGRAM = 2048
MAX_DRAIN = 64
"""Datagrams taken from one socket before the others get their turn."""
LONGEST_WAIT_S = 0.1


@dataclass
class _Timer:
    interval_s: float
    action: Callable[[float], None]
    due: float


class Reactor(threading.Thread):
    """Everything given to it runs on its thread. An exception ends the thread and is kept in :attr:`failure`."""

    def __init__(self, name: str, on_end: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.failure: BaseException | None = None
        self._on_end = on_end
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._posted: deque[Callable[[float], None]] = deque()
        self._timers: list[_Timer] = []
        self._stopping = False

    def post(self, action: Callable[[float], None]) -> None:
        """Run ``action(now)`` soon. Callable from any thread; ignored after the end."""
        self._posted.append(action)
        with contextlib.suppress(OSError):
            self._wake_out.send(b"\0")

    def stop(self) -> None:
        """End after the current round. Callable from any thread."""
        self.post(lambda now: setattr(self, "_stopping", True))

    def watch(self, sock: socket.socket, on_datagram: Callable[[bytes, float], None]) -> None:
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, on_datagram)

    def unwatch(self, sock: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)

    def every(self, interval_s: float, action: Callable[[float], None]) -> None:
        """Run ``action(now)`` at once and then every ``interval_s``."""
        self._timers.append(_Timer(interval_s, action, 0.0))

    def run(self) -> None:
        try:
            while not self._stopping:
                self._round()
        except Exception as error:  # noqa: BLE001 - the thread's top: the stream reports it
            self.failure = error
        finally:
            self._selector.close()
            self._wake_in.close()
            self._wake_out.close()
            self._on_end()

    def _round(self) -> None:
        wait = min((timer.due for timer in self._timers), default=0.0) - time.monotonic()
        for key, _ in self._selector.select(max(0.0, min(wait, LONGEST_WAIT_S)) if self._timers else LONGEST_WAIT_S):
            if key.data is None:
                self._wake_in.recv(4096)
            else:
                self._drain(key.fileobj, key.data)  # type: ignore[arg-type]
        while self._posted:
            self._posted.popleft()(time.monotonic())
        for timer in list(self._timers):
            now = time.monotonic()
            if timer.due <= now:
                timer.due = max(timer.due + timer.interval_s, now)
                timer.action(now)

    def _drain(self, sock: socket.socket, on_datagram: Callable[[bytes, float], None]) -> None:
        for _ in range(MAX_DRAIN):
            try:
                raw = sock.recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP error for something sent earlier; the socket itself goes on.
                continue
            on_datagram(raw, time.monotonic())
