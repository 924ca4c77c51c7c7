"""QUIC packets, streams and payloads of hostile peers, through the objects that own sockets, transfers and decoders."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from tests.fuzz.test_fuzz_native_decoders import mutate
from tests.unit.native.test_clipboard_bridge import Bench
from tests.wire.native_stream import KEY, Host
from tests.wire.native_table import CONTROL, FROM_CLIENT, HELLOS

from punktfunk.client.audio_order import AudioPacket
from punktfunk.client.clipboard import Clipboard, ClipboardError, _Fetch
from punktfunk.client.endpoint import Endpoint
from punktfunk.client.frame import Limits
from punktfunk.client.identity import ClientIdentity, new_identity
from punktfunk.client.media import MediaReader
from punktfunk.client.opus import OpusDecoder
from punktfunk.client.receiver import VideoReceiver
from punktfunk.client.sound import SoundDecoder
from punktfunk.media.opus import OpusError
from punktfunk.native.admission import MAX_STRANGERS_PER_ADDRESS
from punktfunk.native.arming import PairingWindow
from punktfunk.native.connection import NativeConnection
from punktfunk.native.endpoint import QuicEndpoint
from punktfunk.native.transport import CONTROL_STREAM, QuicTransport
from punktfunk.trust.identity import load_native_identity
from punktfunk.wire.punktfunk1 import ALPN_PROTOCOLS
from punktfunk.wire.punktfunk1.clipstream import TransferReader, encode_fetch, encode_fetch_header
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.framing import encode_frame
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.messages import ClipFetch, ClipFetchHeader, ClipFormat, ClipOffer
from punktfunk.wire.punktfunk1.welcome import PcmAudio, Welcome
from punktfunk.wire.udp import Address, bind_udp

ROUNDS = 1500
CLIENT, HOST = ("192.0.2.7", 5000), ("192.0.2.1", 9777)
WELCOME = Welcome(1, 1280, 720, 60, 1408, KEY.key, KEY.salt)


class Owner:
    """A plane that lets nobody in."""

    window = PairingWindow()
    host_fingerprint = bytes(32)
    wall_offset_ns = 0
    hellos = 0

    def hello(self, connection: NativeConnection, hello: Hello) -> None:
        self.hellos += 1
        connection.close(CloseCode.BUSY)

    def paired(self, connection: NativeConnection, name: str) -> bool:
        return False

    def gone(self, connection: NativeConnection) -> None:
        pass

    def has_successor(self, connection: NativeConnection) -> bool:
        return False

    def background(self, work: Coroutine[None, None, None]) -> None:
        raise AssertionError("nobody was let in")


class Table:
    """The host's endpoint with the wire in memory, and clients that break the rules only after their handshake."""

    def __init__(self, folder: Path) -> None:
        self.owner, self.connections = Owner(), []  # type: ignore[var-annotated]
        self.endpoint = QuicEndpoint(bind_udp("127.0.0.1", 0), load_native_identity(folder), self._accept)
        self.sent: list[tuple[bytes, Address]] = []
        self.endpoint._send = lambda data, address: self.sent.append((data, address))  # type: ignore[method-assign]
        self.loop = asyncio.get_running_loop()

    def _accept(self, transport: QuicTransport) -> NativeConnection:
        self.connections.append(NativeConnection(self.owner, transport))
        connection: NativeConnection = self.connections[-1]
        return connection

    def client(self, identity: ClientIdentity) -> QuicConnection:
        """A client whose handshake is over."""
        quic = QuicConnection(
            configuration=QuicConfiguration(
                alpn_protocols=list(ALPN_PROTOCOLS),
                certificate=identity.certificate,
                private_key=identity.private_key,
                server_name="punktfunk",
                verify_mode=ssl.CERT_NONE,
                max_datagram_frame_size=65_536,
            )
        )
        quic.connect(HOST, now=self.loop.time())
        for _ in range(6):
            self.exchange(quic)
        return quic

    def exchange(self, quic: QuicConnection) -> None:
        """Both sides send what they have."""
        for data, _ in quic.datagrams_to_send(self.loop.time()):
            self.endpoint._receive(data, CLIENT)
        sent, self.sent = self.sent, []
        for data, _ in sent:
            quic.receive_datagram(data, HOST, self.loop.time())


async def hostile_packets() -> None:
    """First packets and later ones, changed or made up."""
    rng = random.Random(21)
    with tempfile.TemporaryDirectory() as folder:
        table, identity = Table(Path(folder)), new_identity()
        quic = table.client(identity)
        quic.send_datagram_frame(b"x")
        seeds = [data for data, _ in quic.datagrams_to_send(table.loop.time())]
        first = QuicConnection(configuration=QuicConfiguration(alpn_protocols=list(ALPN_PROTOCOLS)))
        first.connect(HOST, now=0.0)
        seeds += [data for data, _ in first.datagrams_to_send(0.0)]
        for _ in range(ROUNDS):
            data = mutate(rng, rng.choice(seeds)) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1500))
            table.endpoint._receive(data[:2048], CLIENT)
            table.sent.clear()
        assert table.endpoint.connections <= 1 + MAX_STRANGERS_PER_ADDRESS
        quic.send_datagram_frame(b"the first one is still served")
        table.exchange(quic)
        await table.endpoint.close()


async def hostile_clients() -> None:
    """Clients with a proper handshake, and anything on their streams and in their datagrams."""
    rng, seeds = random.Random(22), [raw for _, raw, _ in HELLOS + CONTROL]
    datagrams = [raw for _, raw, _ in FROM_CLIENT]
    with tempfile.TemporaryDirectory() as folder:
        table, identity = Table(Path(folder)), new_identity()
        for number in range(max(4, ROUNDS // 100)):
            quic = table.client(identity)
            for turn in range(3):
                payload = encode_frame(mutate(rng, rng.choice(seeds)) if turn or number % 3 else HELLOS[0][1])
                with suppress(RuntimeError, ValueError):  # the host has stopped this stream
                    quic.send_stream_data(rng.choice((CONTROL_STREAM, 4, 2)) if turn else CONTROL_STREAM, payload)
                quic.send_datagram_frame(mutate(rng, rng.choice(datagrams))[:1000])
                table.exchange(quic)
            quic.close()
            table.exchange(quic)
        assert table.owner.hellos > 0
        await table.endpoint.close()


async def hostile_clipboard_streams_at_the_host() -> None:
    """A client's fetches, and its answers to the host's."""
    rng = random.Random(23)
    for _ in range(ROUNDS // 10):
        bench = Bench()
        await bench.wire.settle()
        bench.desktop.copy({"text/plain": b"held"})
        await bench.wire.settle()
        bench.bridge.client_offers(ClipOffer(1, (ClipFormat("text/plain;charset=utf-8", 4),)))
        asked = [stream for stream in bench.wire.written if stream % 4 == 1]
        seed = rng.choice(
            (encode_fetch(ClipFetch(1, "text/html")), encode_fetch_header(ClipFetchHeader(0, 4)) + b"text")
        )
        for stream in (*asked, 0, 4):
            data = mutate(rng, seed) if rng.random() < 0.8 else seed
            for start in range(0, len(data), 9):
                bench.bridge.stream_data(stream, data[start : start + 9], False)
            bench.bridge.stream_data(stream, b"", True)
        bench.bridge.stream_reset(4)
        await asyncio.wait_for(bench.wire.settle(), 5)


async def hostile_host_streams() -> None:
    """A host's control stream, its clipboard streams, and its answers to a fetch."""
    rng = random.Random(24)
    controls = [raw for _, raw, _ in CONTROL]
    fetch, header = encode_fetch(ClipFetch(7, "text/html")), encode_fetch_header(ClipFetchHeader(0, 20))
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS // 10):
        quic = QuicConnection(configuration=QuicConfiguration(alpn_protocols=list(ALPN_PROTOCOLS)))
        quic.connect(HOST, now=loop.time())
        endpoint = Endpoint(quic)
        endpoint.transmit = endpoint._transmit_soon = lambda: None  # type: ignore[method-assign]
        clipboard = Clipboard(endpoint)
        endpoint.on_peer_stream = clipboard._peer_stream
        endpoint._control_data(encode_frame(mutate(rng, rng.choice(controls))), rng.random() < 0.1)
        endpoint._control_data(rng.randbytes(40), False)
        for stream in (1, 5, 9):
            endpoint._stream_data(stream, mutate(rng, fetch), rng.random() < 0.5)
        transfer = _Fetch(TransferReader(loop.time(), 64))
        transfer.data(mutate(rng, header + bytes(20)), False)
        transfer.data(b"", True)
        with suppress(ClipboardError):
            assert len(await transfer.done) <= 64


async def hostile_media() -> None:
    """Datagrams of the data port, sound payloads of both codecs."""
    rng, host = random.Random(25), Host()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as target:
        target.bind(("127.0.0.1", 0))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        reader = MediaReader(sock, target.getsockname(), VideoReceiver(KEY, Limits()), lambda: None)
        for index in range(ROUNDS):
            run = b"".join(host.frame(b"x" * rng.randrange(3000), index))
            data = mutate(rng, run) if rng.random() < 0.7 else run
            reader._received(memoryview(data), rng.choice((0, 1, 1472, 65_535)))
        assert len(reader.take()) > 0
        sock.close()
    opus = OpusDecoder(2)
    for bits in (16, 24):
        sound = SoundDecoder(Welcome(1, 1280, 720, 60, 1408, KEY.key, KEY.salt, audio=PcmAudio(48_000, bits, 5000)))
        for seq in range(ROUNDS // 4):
            payload = rng.randbytes(rng.randrange(1200))
            assert len(sound.decode(AudioPacket(seq, 0, payload))) <= 4 * 1200
            with suppress(OpusError):
                assert len(opus.decode(payload[: rng.randrange(400)])) <= 120 * 48 * 2 * 4
    opus.close()


def _run(scene: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return lambda: asyncio.run(scene())


SCENES = (
    hostile_packets,
    hostile_clients,
    hostile_clipboard_streams_at_the_host,
    hostile_host_streams,
    hostile_media,
)
TARGETS = [_run(scene) for scene in SCENES]


async def test_hostile_packets() -> None:
    await hostile_packets()


async def test_hostile_clients() -> None:
    await hostile_clients()


async def test_hostile_clipboard_streams_at_the_host() -> None:
    await hostile_clipboard_streams_at_the_host()


async def test_hostile_host_streams() -> None:
    await hostile_host_streams()


async def test_hostile_media() -> None:
    await hostile_media()
