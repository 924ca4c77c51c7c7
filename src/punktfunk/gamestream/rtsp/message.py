"""RTSP requests and replies in the dialect of the client library's strict parser (gamestream.md §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_HEAD_BYTES = 8 << 10
MAX_BODY_BYTES = 24 << 10
MAX_MESSAGE_BYTES = MAX_HEAD_BYTES + MAX_BODY_BYTES
MAX_HEADERS = 32

_END = b"\r\n\r\n"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class RtspError(Exception):
    """The bytes are not a request that can be answered."""


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """A request. Header names are in lower case, the first of each name counts."""

    command: str
    target: str
    headers: Mapping[str, str]
    body: str = ""

    @property
    def sequence(self) -> str:
        """The CSeq value to echo; "0" when it is missing or not a number."""
        text = self.headers.get("cseq", "")
        return text if len(text) <= 10 and text.isascii() and text.isdigit() else "0"


@dataclass(frozen=True, slots=True)
class RtspResponse:
    """A reply. ``headers`` follow CSeq; their values must not be empty."""

    sequence: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def to_bytes(self) -> bytes:
        """The reply's text; the client reads the body up to the end of the connection."""
        lines = [f"RTSP/1.0 {self.status} {_REASONS.get(self.status, 'Error')}", f"CSeq: {self.sequence}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode("ascii")


def parse_request(data: bytes) -> RtspRequest | None:
    """The request that ``data`` begins with, or None while it is incomplete; raises RtspError."""
    end = data.find(_END, 0, MAX_HEAD_BYTES + len(_END))
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise RtspError("request head too large")
        return None
    try:
        line, *header_lines = data[:end].decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise RtspError("request head is not ASCII") from None
    parts = line.split(" ")
    if len(parts) != 3 or not all(parts) or parts[2] != "RTSP/1.0":
        raise RtspError("malformed request line")
    headers = _parse_headers(header_lines)
    length = _content_length(headers)
    body = data[end + len(_END) :]
    if len(body) < length:
        return None
    try:
        return RtspRequest(parts[0], parts[1], headers, body[:length].decode("ascii"))
    except UnicodeDecodeError:
        raise RtspError("request body is not ASCII") from None


def _parse_headers(lines: list[str]) -> Mapping[str, str]:
    if len(lines) > MAX_HEADERS:
        raise RtspError("too many headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or " " in name:
            raise RtspError("malformed header")
        headers.setdefault(name.lower(), value.strip())
    return headers


def _content_length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 9) or int(text) > MAX_BODY_BYTES:
        raise RtspError("Content-length is not acceptable")
    return int(text)
