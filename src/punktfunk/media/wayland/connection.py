"""A Wayland connection: the socket around `WaylandClient`. It never waits longer than it is told."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable

from punktfunk.media.wayland.client import MAX_DESCRIPTORS, WaylandClient
from punktfunk.media.wayland.wire import WaylandError

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 2.0
MAX_UNSENT_BYTES = 64 * 1024
"""Requests that wait for a compositor that does not read, besides what the kernel holds: some thousand keys."""
MAX_READ_BYTES = 256 * 1024
"""What one `pump` takes, so that a compositor that floods its client cannot hold it."""

_CHUNK = 16 * 1024


class WaylandConnection:
    """One connection; every method may be called from any thread. Handlers run on the calling one, or, after the
    compositor did not read for a while, on one of this class's own.

    Raises WaylandError when there is no compositor, when it breaks the protocol, and, from then on, when it has gone.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._closed = ""
        self._drainer: threading.Thread | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(CONNECT_TIMEOUT_S)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise WaylandError(f"no compositor listens on {path}: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self.client = WaylandClient()

    @property
    def stalled(self) -> bool:
        """Whether requests wait because the compositor does not read."""
        return bool(self.client.outgoing)

    @property
    def lost(self) -> str:
        """Why the connection is over; "" while it is not."""
        return self._closed

    def fileno(self) -> int:
        """To wait on; -1 once it is over."""
        return self._socket.fileno()

    def pump(self) -> None:
        """Handle what has arrived, and send what is queued as far as it goes. Does not block."""
        self._try(self._read, self._write)

    def flush(self) -> None:
        """Send what is queued as far as it goes. Does not block."""
        self._try(self._write)

    def wait(self, done: Callable[[], bool], timeout_s: float = ANSWER_TIMEOUT_S) -> bool:
        """Handle events until ``done`` says so; False when the time is over."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.pump()
            if done():
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            poll = select.poll()
            with self.lock:
                self._check()
                poll.register(self._socket, select.POLLIN | (select.POLLOUT if self.stalled else 0))
            poll.poll(left_s * 1000)

    def roundtrip(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Until the compositor has answered everything so far. Raises WaylandError when it does not."""
        answered = threading.Event()
        with self.lock:
            self._check()
            self.client.sync(answered.set)
        if not self.wait(answered.is_set, timeout_s):
            with self.lock:
                self._end(f"no answer within {timeout_s:g} s")
            raise WaylandError(self._closed)

    def close(self) -> None:
        """End it. Safe to repeat."""
        with self.lock:
            self._end("closed")

    def _try(self, *steps: Callable[[], None]) -> None:
        with self.lock:
            self._check()
            try:
                for step in steps:
                    step()
            except (OSError, WaylandError) as error:
                self._end(str(error))
                raise WaylandError(self._closed) from error

    def _check(self) -> None:
        if self._closed:
            raise WaylandError(self._closed)

    def _end(self, reason: str) -> None:
        if not self._closed:
            self._closed = reason
            self._socket.close()
            self.client.close()

    def _read(self) -> None:
        budget = MAX_READ_BYTES
        while budget > 0:
            try:
                data, descriptors, _, _ = socket.recv_fds(
                    self._socket, _CHUNK, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            if not data:
                for fd in descriptors:
                    os.close(fd)
                raise WaylandError("the compositor has ended the connection")
            self.client.receive(data, descriptors)
            budget -= len(data)

    def _drain(self) -> None:
        """Send what is left when the compositor reads again: there may be nobody who sends more."""
        with contextlib.suppress(WaylandError, OSError):
            while self.stalled:
                self.wait(lambda: not self.stalled, ANSWER_TIMEOUT_S)

    def _write(self) -> None:
        outgoing = self.client.outgoing
        with contextlib.suppress(BlockingIOError):
            while outgoing:
                del outgoing[: self._socket.send(outgoing)]
        if len(outgoing) > MAX_UNSENT_BYTES:
            raise WaylandError("the compositor does not read any more")
        if outgoing and (self._drainer is None or not self._drainer.is_alive()):
            self._drainer = threading.Thread(target=self._drain, name="wayland drain", daemon=True)
            self._drainer.start()
