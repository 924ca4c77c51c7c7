"""Just enough host on the loopback for the client's stream: plain RTSP, old control nonces, nothing else encrypted."""

import asyncio
import struct
import time
from collections.abc import Callable

from tests.conformance.moonlight.control import INPUT, INVALIDATE_REFERENCES, REQUEST_IDR, ControlCodec, Termination
from tests.conformance.moonlight.enet_wire import WANTS_ACK, Command, Kind, command_bytes, parse
from tests.conformance.moonlight.handshake import Launch
from tests.conformance.moonlight.options import Codec, CodecSupport
from tests.conformance.moonlight.violations import Violations
from tests.unit.conformance.encoding import access_units
from tests.unit.conformance.sending import AudioSender, VideoSender

KEY = bytes(range(16))
PING_PAYLOAD = b"0123456789ABCDEF"
Address = tuple[str, int]


class _Port(asyncio.DatagramProtocol):
    def __init__(self, on_datagram: Callable[[bytes, Address], None]) -> None:
        self.on_datagram = on_datagram

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.on_datagram(data, addr)


class FakeHost:
    """Streams a small H.264 clip after the first video ping; ``received`` lists (type, payload) of control messages."""

    def __init__(self, describe: str = "", frames: int = 8) -> None:
        self.received: list[tuple[int, bytes]] = []
        self.requests: list[str] = []
        self.describe, self.frame_limit = describe, frames
        self.on_message: Callable[[int, bytes], None] = lambda kind, payload: None
        self.frame_types = [2] + [1] * (frames - 1)
        self._codec = ControlCodec(KEY, False, Violations())
        self._sent = 0
        self._seen: set[tuple[int, int]] = set()
        self._video, self._audio = VideoSender(packet_size=1024), AudioSender()
        self._streaming = False

    async def __aenter__(self) -> "FakeHost":
        loop = asyncio.get_running_loop()
        self._ports = {}
        for name, handler in {"audio": self._on_audio, "video": self._on_video, "control": self._on_control}.items():
            _, self._ports[name] = await loop.create_datagram_endpoint(
                lambda handler=handler: _Port(handler), local_addr=("127.0.0.1", 0)
            )
        self._rtsp = await asyncio.start_server(self._on_rtsp, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._rtsp.close()
        await self._rtsp.wait_closed()
        for port in self._ports.values():
            port.transport.close()

    def launch(self) -> Launch:
        port = self._rtsp.sockets[0].getsockname()[1]
        return Launch(f"rtsp://127.0.0.1:{port}", KEY, 7, CodecSupport.H264, time.monotonic())

    def send_frame(self, kind: int) -> None:
        units = access_units(Codec.H264)
        number = self._video.frame
        unit = units[0] if kind == 2 else units[1 + (number - 1) % (len(units) - 1)]
        for datagram in self._video.send(unit, kind, (number + 1) * 1500):
            self._ports["video"].transport.sendto(datagram, self._video_peer)

    def terminate(self, message: Termination) -> None:
        self.send_control(0x0109, struct.pack("!I", message.code))

    def send_control(self, kind: int, payload: bytes) -> None:
        self._sent += 1
        sealed = self._codec.seal(kind, payload)
        body = len(sealed).to_bytes(2) + sealed
        self._enet(command_bytes(Kind.SEND_RELIABLE, WANTS_ACK, 0, self._sent, body), sent_time=1)

    def drop_connection(self) -> None:
        self._enet(command_bytes(Kind.DISCONNECT, 0x40, 0xFF, 2, bytes(4)))

    def _on_audio(self, data: bytes, peer: Address) -> None:
        if data[:16] == PING_PAYLOAD and not self._audio.seq:
            for _ in range(8):
                for datagram in self._audio.block([bytes([0xE8]) + bytes(59)] * 4):
                    self._ports["audio"].transport.sendto(datagram, peer)

    def _on_video(self, data: bytes, peer: Address) -> None:
        self._video_peer = peer
        if data[:16] == PING_PAYLOAD and not self._streaming:
            self._streaming = True
            for kind in self.frame_types[: self.frame_limit]:
                self.send_frame(kind)

    def _on_control(self, data: bytes, peer: Address) -> None:
        self._control_peer = peer
        datagram = parse(data)
        for command in datagram.commands:
            if command.kind is Kind.CONNECT:
                verify = bytes([0, 0, 0, 0]) + command.body[4:40]
                self._enet(command_bytes(Kind.VERIFY_CONNECT, WANTS_ACK, 0xFF, 1, verify), sent_time=1)
            elif command.wants_ack:
                body = command.sequence.to_bytes(2) + (datagram.sent_time or 0).to_bytes(2)
                self._enet(command_bytes(Kind.ACKNOWLEDGE, 0, command.channel, command.sequence, body))
            if not (command.wants_ack and (command.channel, command.sequence) in self._seen):
                self._seen.add((command.channel, command.sequence))
                self._on_command(command)

    def _on_command(self, command: Command) -> None:
        at = {Kind.SEND_RELIABLE: 2, Kind.SEND_UNRELIABLE: 4, Kind.SEND_UNSEQUENCED: 4}.get(command.kind)
        opened = self._codec.open(command.body[at:]) if at else None
        if opened is not None:
            self.received.append(opened)
            self.on_message(*opened)

    def _enet(self, command: bytes, sent_time: int | None = None) -> None:
        head = b"\0\0" if sent_time is None else b"\x80\0" + sent_time.to_bytes(2)
        self._ports["control"].transport.sendto(head + command, self._control_peer)

    async def _on_rtsp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if "Content-length: " in head:
            await reader.readexactly(int(head.partition("Content-length: ")[2].split()[0]))
        self.requests.append(head.split(" RTSP/1.0")[0])
        number = head.partition("CSeq: ")[2].split()[0]
        lines = ["RTSP/1.0 200 OK", f"CSeq: {number}"]
        if head.startswith("SETUP"):
            name = head.partition("=")[2].partition("/")[0]
            port = self._ports[name].transport.get_extra_info("sockname")[1]
            lines += ["Session: DEADBEEFCAFE;timeout = 90", f"Transport: server_port={port}"]
            lines.append(
                "X-SS-Connect-Data: 99" if name == "control" else f"X-SS-Ping-Payload: {PING_PAYLOAD.decode()}"
            )
        body = self.describe if head.startswith("DESCRIBE") else ""
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def inputs_of(received: list[tuple[int, bytes]]) -> list[bytes]:
    return [payload for kind, payload in received if kind == INPUT]


def requests_of(received: list[tuple[int, bytes]]) -> list[int]:
    return [kind for kind, _ in received if kind in (REQUEST_IDR, INVALIDATE_REFERENCES)]
