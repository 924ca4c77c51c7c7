"""RTSP as GameStream clients speak it: strict, one message per connection, optionally sealed (gamestream.md §3)."""

import asyncio
import contextlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import RtspFailed
from .violations import Violations

MAX_REPLY_BYTES = 1 << 20
REPLY_TIMEOUT_S = 15.0
CONNECT_TIMEOUT_S = 10.0
CONNECT_RETRY_S = 0.5
FRAME_HEADER = struct.Struct("!II")
SEALED = 0x80000000
KNOWN_HEADERS = ("CSeq", "Session", "Transport", "X-SS-Ping-Payload", "X-SS-Connect-Data")


@dataclass(frozen=True)
class Reply:
    status: int
    reason: str
    headers: Mapping[str, str]
    body: str


def build_request(command: str, target: str, headers: Mapping[str, str], body: str = "") -> bytes:
    lines = [f"{command} {target} RTSP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def parse_reply(raw: bytes, step: str, violations: Violations) -> Reply:
    """Parse with the client library's rules (gamestream.md §3.2); RtspFailed names what it would stumble over."""

    def refuse(why: str) -> RtspFailed:
        violations.add("rtsp.syntax", f"{step}: {why}")
        return RtspFailed(step, 0, why)

    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        raise refuse("no empty line after the header")
    if b"\0" in raw:
        raise refuse("NUL byte")
    if b"\n" in head.replace(b"\r\n", b""):
        raise refuse("bare line feed in the header")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    matched = re.fullmatch(r"RTSP/1\.0 (\d{3}) (\S.*)", status_line)
    if matched is None:
        raise refuse(f"status line {status_line!r}")
    if not lines:
        raise refuse("no header line")
    headers: dict[str, str] = {}
    for line in lines:
        field = re.fullmatch(r"([^\s:]+): (\S.*)", line)
        if field is None:
            raise refuse(f"header line {line!r}")
        if field[1] not in KNOWN_HEADERS and field[1].lower() in map(str.lower, KNOWN_HEADERS):
            raise refuse(f"header name case {field[1]!r}")
        headers.setdefault(field[1], field[2])
    return Reply(int(matched[1]), matched[2], headers, body.decode())


class Sealer:
    """The encrypted form of §3.3. One instance serves the whole handshake: its counters span connections."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._sent = self._received = 0

    def seal(self, message: bytes) -> bytes:
        self._sent += 1
        sealed = self._aead.encrypt(_nonce(self._sent, b"CR"), message, None)
        return FRAME_HEADER.pack(SEALED | len(message), self._sent) + sealed[-16:] + sealed[:-16]

    def open(self, frame: bytes, step: str, violations: Violations) -> bytes:
        self._received += 1
        if len(frame) < 24:
            raise RtspFailed(step, 0, f"sealed reply of {len(frame)} bytes")
        length, sequence = FRAME_HEADER.unpack_from(frame)
        if not length & SEALED:
            violations.add("rtsp.plaintext", step)
            raise RtspFailed(step, 0, "plain reply in an encrypted handshake")
        if len(frame) != 24 + (length & ~SEALED):
            violations.add("rtsp.sealed-length", f"{step}: {len(frame)} bytes, header says {length & ~SEALED} + 24")
            raise RtspFailed(step, 0, "reply length")
        if sequence != self._received:
            violations.add("rtsp.sequence", f"{step}: {sequence}, expected {self._received}")
        try:
            return self._aead.decrypt(_nonce(sequence, b"HR"), frame[24:] + frame[8:24], None)
        except InvalidTag as error:
            violations.add("rtsp.tag", step)
            raise RtspFailed(step, 0, "the reply does not decrypt") from error


def _nonce(sequence: int, suffix: bytes) -> bytes:
    return struct.pack("<I", sequence) + bytes(6) + suffix


class RtspClient:
    """Sends the requests of one handshake in order, each over its own connection."""

    def __init__(self, host: str, port: int, host_header: str, key: bytes | None, violations: Violations) -> None:
        self.host, self.port, self.host_header = host, port, host_header
        self._sealer = Sealer(key) if key is not None else None
        self._violations = violations
        self._sequence = 0

    async def request(self, command: str, target: str, extra: Mapping[str, str] | None = None, body: str = "") -> Reply:
        """One request; RtspFailed unless it is answered with 200."""
        self._sequence += 1
        headers = {"CSeq": str(self._sequence), "X-GS-ClientVersion": "14", "Host": self.host_header, **(extra or {})}
        message = build_request(command, target, headers, body)
        step = f"{command} {target}" if command == "SETUP" else command
        raw = await self.exchange(self._sealer.seal(message) if self._sealer else message, step)
        reply = parse_reply(
            self._sealer.open(raw, step, self._violations) if self._sealer else raw, step, self._violations
        )
        if reply.headers.get("CSeq") != str(self._sequence):
            self._violations.add("rtsp.cseq", f"{step}: {reply.headers.get('CSeq')}, expected {self._sequence}")
        if reply.status != 200:
            raise RtspFailed(step, reply.status, reply.reason)
        return reply

    async def exchange(self, message: bytes, step: str) -> bytes:
        """Raw bytes out and everything until the host closes; for negative tests too."""
        reader, writer = await self._connect(step)
        try:
            writer.write(message)
            await writer.drain()
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                raw = await reader.read(-1)
        except TimeoutError as error:
            self._violations.add("rtsp.not-closed", step)
            raise RtspFailed(step, 0, "the host did not close the connection") from error
        except OSError as error:
            raise RtspFailed(step, 0, str(error)) from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        if not raw:
            raise RtspFailed(step, 0, "closed without a reply")
        if len(raw) > MAX_REPLY_BYTES:
            self._violations.add("rtsp.reply-size", f"{step}: {len(raw)}")
        return raw

    async def _connect(self, step: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        attempts = int(CONNECT_TIMEOUT_S / CONNECT_RETRY_S)
        for attempt in range(attempts):
            try:
                return await asyncio.open_connection(self.host, self.port)
            except ConnectionRefusedError:
                if attempt + 1 < attempts:
                    await asyncio.sleep(CONNECT_RETRY_S)
            except OSError as error:
                raise RtspFailed(step, 0, str(error)) from error
        raise RtspFailed(step, 0, f"connection refused for {CONNECT_TIMEOUT_S:.0f} s")
