"""The client's half of RTSP for tests."""

from __future__ import annotations

import asyncio
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class ClientEnvelope:
    """Seals requests and opens replies, as the client library does."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._sent = 0
        self._received = 0

    def seal(self, text: bytes) -> bytes:
        self._sent += 1
        sealed = self._aead.encrypt(self._sent.to_bytes(4, "little") + bytes(6) + b"CR", text, None)
        return struct.pack(">II", 0x8000_0000 | len(text), self._sent) + sealed[-16:] + sealed[:-16]

    def open(self, frame: bytes) -> bytes:
        length, sequence = struct.unpack_from(">II", frame)
        self._received += 1
        assert sequence == self._received, "the host counts its own replies over all connections"
        assert length == 0x8000_0000 | len(frame) - 24, "no byte more or less"
        return self._aead.decrypt(sequence.to_bytes(4, "little") + bytes(6) + b"HR", frame[24:] + frame[8:24], None)


class RtspClient:
    """Sends one request per connection and reads to the end of the reply; ``key`` None is plain RTSP."""

    def __init__(self, port: int, key: bytes | None) -> None:
        self._port = port
        self._envelope = ClientEnvelope(key) if key else None
        self._sequence = 0

    async def ask(self, line: str, body: str = "", **headers: str) -> str:
        """The reply's text, "" when the host closed without one."""
        self._sequence += 1
        head = [f"{line} RTSP/1.0", f"CSeq: {self._sequence}", "X-GS-ClientVersion: 14", "Host: 0.0.0.0"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            head += ["Content-type: application/sdp", f"Content-length: {len(body)}"]
        data = ("\r\n".join(head) + "\r\n\r\n" + body).encode()
        if self._envelope:
            data = self._envelope.seal(data)
        reply = await exchange(self._port, data)
        return (self._envelope.open(reply) if self._envelope and reply else reply).decode()


async def exchange(port: int, data: bytes) -> bytes:
    """What the server answers to ``data``; nothing when it only closes or resets the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        half = len(data) // 2
        writer.write(data[:half])
        await writer.drain()
        writer.write(data[half:])
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()
