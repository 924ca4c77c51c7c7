"""The data socket and the thread that reads it (punktfunk1.md §4.8, §5)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

from punktfunk.client.arrival import Arrival
from punktfunk.client.receiver import VideoReceiver
from punktfunk.wire.punktfunk1.video import MAX_DATAGRAM_BYTES, PUNCH
from punktfunk.wire.udp import size_buffers

RECEIVE_BUFFER_BYTES = 32 * 1024 * 1024
MAX_WAITING_ARRIVALS = 256
"""Access units read and not yet taken by the session; the oldest give way."""

_UDP_GRO = 104
"""linux/udp.h; Python's socket module does not name it."""
_MAX_RUN_BYTES = 65_535
_SEGMENT = struct.Struct("=i")
_CONTROL_BYTES = socket.CMSG_SPACE(_SEGMENT.size) if hasattr(socket, "CMSG_SPACE") else 0


def bind_data_socket(host_address: str) -> socket.socket:
    """A socket for the data plane of a host at this address, on a port of the system's choice. Raises OSError."""
    family = socket.AF_INET6 if ":" in host_address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        size_buffers(sock, receive_bytes=RECEIVE_BUFFER_BYTES)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    except OSError:
        sock.close()
        raise
    return sock


class MediaReader:
    """Owns a data socket and reads it on a thread until ``close``.

    ``wake`` is called on the reading thread when there is something to ``take`` again; it must not block.
    """

    def __init__(
        self, sock: socket.socket, host: tuple[str, int], receiver: VideoReceiver, wake: Callable[[], None]
    ) -> None:
        self.wire_bytes = 0
        """UDP payload read, authentic or not."""
        self._socket = sock
        self._receiver = receiver
        self._wake = wake
        self._arrivals: deque[Arrival] = deque(maxlen=MAX_WAITING_ARRIVALS)
        self._video_bytes = 0
        self._woken = False
        self._closing = False
        # Connected, the socket takes datagrams of this host's data port alone.
        sock.connect(host)
        self._thread = threading.Thread(target=self._run, name="punktfunk media", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def punch(self) -> None:
        """Open the way for the host's packets."""
        # Whatever keeps this one from leaving, the next one is due soon.
        with contextlib.suppress(OSError):
            self._socket.send(PUNCH)

    def take(self) -> list[Arrival]:
        """What became whole since the last call, in order. One thread at a time."""
        self._woken = False
        taken: list[Arrival] = []
        while self._arrivals:
            taken.append(self._arrivals.popleft())
        return taken

    def close(self) -> None:
        """Stop the thread and close the socket; safe to repeat."""
        if self._closing:
            return
        self._closing = True
        # A reader that sleeps in the kernel wakes by this on Linux and macOS, by the close elsewhere.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(1.0)
        self._socket.close()

    def _run(self) -> None:
        read = self._read_runs if self._coalesced() else self._read_each
        while not self._closing:
            try:
                read()
            except OSError:
                # An ICMP error of a punch that found no one yet; a closed socket ends the loop.
                if self._socket.fileno() < 0:
                    return

    def _coalesced(self) -> bool:
        """Whether the kernel hands up runs of packets (receive offload)."""
        try:
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        except OSError:
            return False
        return _CONTROL_BYTES > 0

    def _read_runs(self) -> None:
        buffer = bytearray(_MAX_RUN_BYTES)
        view, buffers = memoryview(buffer), [buffer]
        while not self._closing:
            size, control, _, _ = self._socket.recvmsg_into(buffers, _CONTROL_BYTES)
            segment = next((_SEGMENT.unpack(data)[0] for _, kind, data in control if kind == _UDP_GRO), 0)
            self._received(view[:size], segment)

    def _read_each(self) -> None:
        view = memoryview(bytearray(MAX_DATAGRAM_BYTES + 1))
        while not self._closing:
            self._received(view[: self._socket.recv_into(view)], 0)

    def _received(self, run: memoryview, segment_bytes: int) -> None:
        received_ns = time.time_ns()
        self.wire_bytes += len(run)
        units = self._receiver.receive(run, time.monotonic(), segment_bytes)
        if not units:
            return
        whole_ns, video_bytes = time.time_ns(), self._receiver.video_bytes
        for unit in units:
            self._arrivals.append(Arrival(unit, received_ns, whole_ns, video_bytes - self._video_bytes))
            self._video_bytes = video_bytes
        if not self._woken:
            self._woken = True
            self._wake()
