"""Pings and the two receiving pipelines: socket, rules, impairment, decoder (gamestream.md §4.1)."""

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from .audio import AudioAudit, AudioCipher, AudioDatagram, AudioPacket, AudioQueue
from .audio import parse as parse_audio
from .depacketiser import Depacketiser, Frame, Request
from .impair import Impairer, Impairment
from .shard import Shard, ShardParser
from .video import FrameAssembler, LostFrames, RawFrame
from .video_audit import VideoAudit
from .violations import Violations

RECEIVE_BUFFER = 8 << 20
PING_INTERVAL_S = 0.5
LEGACY_PING = b"PING"


def open_udp(host: str) -> socket.socket:
    """An unconnected socket on an ephemeral port with a receive buffer that survives bursts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    force = getattr(socket, "SO_RCVBUFFORCE", 33)
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, RECEIVE_BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))
    sock.setblocking(False)
    return sock


def kernel_drops(port: int) -> int:
    """Datagrams that this machine dropped before the client could read them."""
    drops = 0
    for table in ("/proc/self/net/udp", "/proc/self/net/udp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                columns = line.split()
                if int(columns[1].rpartition(":")[2], 16) == port:
                    drops += int(columns[-1])
    return drops


class Pinger:
    """Keeps the host informed where one media flow should go."""

    def __init__(self, sock: socket.socket, address: tuple[str, int], payload: bytes | None) -> None:
        self.started_at: float | None = None
        self._sock, self._address, self._payload = sock, address, payload
        self._count = 0

    def ping(self, now: float) -> None:
        if self.started_at is None:
            self.started_at = now
        self._count += 1
        datagram = LEGACY_PING if self._payload is None else self._payload + self._count.to_bytes(4)
        with contextlib.suppress(OSError):
            self._sock.sendto(datagram, self._address)


class VideoPipeline:
    """Datagrams in; frames and requests out through the callbacks."""

    def __init__(
        self,
        parser: ShardParser,
        audit: VideoAudit,
        depacketiser: Depacketiser,
        *,
        speculative: bool,
        impairment: Impairment | None,
        violations: Violations,
        on_frame: Callable[[Frame], None],
        on_request: Callable[[Request, float], None],
    ) -> None:
        self.parser, self.audit, self.depacketiser = parser, audit, depacketiser
        self.assembler = FrameAssembler(violations, speculative=speculative)
        self.impairer: Impairer[Shard] = Impairer("video", impairment)
        self.first_at: float | None = None
        self.last_at = 0.0
        self._on_frame, self._on_request = on_frame, on_request

    def on_datagram(self, raw: bytes, now: float) -> None:
        if self.first_at is None:
            self.first_at = now
        self.last_at = now
        shard = self.parser.parse(raw)
        if shard is None:
            return
        self.audit.on_shard(shard, now)
        for survivor in self.impairer.feed(shard):
            for event in self.assembler.on_shard(survivor, now):
                self._on_event(event, now)

    def _on_event(self, event: RawFrame | LostFrames, now: float) -> None:
        if isinstance(event, LostFrames):
            requests = self.depacketiser.on_lost(event)
        else:
            frame, requests = self.depacketiser.on_frame(event)
            if frame is not None:
                self._on_frame(frame)
        for request in requests:
            self._on_request(request, now)


class AudioPipeline:
    def __init__(
        self,
        packet_ms: int,
        cipher: AudioCipher | None,
        *,
        lossless: bool,
        discard_s: float,
        impairment: Impairment | None,
        violations: Violations,
        on_packet: Callable[[AudioPacket], None],
    ) -> None:
        self.audit = AudioAudit(packet_ms, cipher, violations, lossless)
        self.queue = AudioQueue(packet_ms, cipher, violations, discard_s)
        self.impairer: Impairer[AudioDatagram] = Impairer("audio", impairment)
        self._violations, self._on_packet = violations, on_packet

    def on_datagram(self, raw: bytes, now: float) -> None:
        datagram = parse_audio(raw, self._violations)
        if datagram is None:
            return
        self.audit.on_datagram(datagram)
        for survivor in self.impairer.feed(datagram):
            for packet in self.queue.on_datagram(survivor, now):
                self._on_packet(packet)

    def tick(self, now: float) -> None:
        for packet in self.queue.poll(now):
            self._on_packet(packet)
