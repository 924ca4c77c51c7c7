"""Entry of the doctor's worker process: frames and Opus packets go to the doctor instead of to a client."""

from __future__ import annotations

import socket
import struct
import sys
import threading

from punktfunk.media.frames import EncodedFrame, FrameKind, OpusPacket
from punktfunk.media.plan import VideoPlan
from punktfunk.session.messages import Address
from punktfunk.session.worker import PlaneSetup, run_worker
from punktfunk.wire.latency import LatencyWindow
from punktfunk.wire.udp import SendStatistics

HEADER = struct.Struct("!BI")
"""Kind and length in front of each message."""
VIDEO, AUDIO = 0, 1


class _Pipe:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self.statistics = SendStatistics()

    def write(self, kind: int, data: bytes | memoryview) -> bool:
        try:
            with self._lock:
                self._sock.sendall(HEADER.pack(kind, len(data)))
                self._sock.sendall(data)
        except OSError:
            return False
        self.statistics.packets += 1
        self.statistics.bytes += len(data)
        return True


class _VideoSender:
    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._index = 0
        self.added_latency = LatencyWindow()

    @property
    def datagrams(self) -> SendStatistics:
        return self._pipe.statistics

    def set_endpoint(self, address: Address) -> None:
        """There is no network here."""

    def send(self, frame: EncodedFrame) -> int | None:
        if self._index == 0 and frame.kind is not FrameKind.KEY:
            return None
        self._index += 1
        return self._index if self._pipe.write(VIDEO, frame.data) else None


class _AudioSender:
    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def set_endpoint(self, address: Address) -> None:
        """There is no network here."""

    def send(self, packet: OpusPacket) -> bool:
        return self._pipe.write(AUDIO, packet.data)


class ProbeMedia:
    """Senders into the one socket of the stream."""

    def open(self, setup: PlaneSetup) -> tuple[_VideoSender, _AudioSender]:
        """The stream's senders."""
        (sock,) = setup.sockets
        sock.setblocking(True)
        pipe = _Pipe(sock)
        return _VideoSender(pipe), _AudioSender(pipe)

    def command(self, data: bytes) -> None:
        """The doctor has none."""

    def reconfigured(self, video: VideoPlan) -> None:
        """The doctor never changes the mode."""


if __name__ == "__main__":
    sys.exit(run_worker(ProbeMedia()))
