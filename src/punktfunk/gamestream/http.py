"""HTTP/1.1 as GameStream clients speak it: one GET per connection, parameters in the query (gamestream.md §2.1).

Bytes in, one request out; no sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

MAX_REQUEST_LINE_BYTES = 16 << 10
MAX_HEAD_BYTES = 32 << 10
MAX_HEADERS = 64
MAX_PARAMETERS = 64

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 431: "Headers Too Large"}
_END = b"\r\n\r\n"


class HttpError(Exception):
    """The request cannot be understood. ``status`` is the HTTP status to answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A GET request: the path exactly as sent (never decoded) and its parameters, the first of each name."""

    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What to answer. Clients take any HTTP status but 200 for a broken host."""

    body: bytes
    content_type: str = "text/xml; charset=utf-8"
    status: int = 200

    def to_bytes(self) -> bytes:
        """The whole response; the connection ends after it."""
        head = (
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Error')}\r\n"
            f"Content-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode("ascii") + self.body


class RequestParser:
    """Collects the bytes of one connection until they are a request."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> HttpRequest | None:
        """Take in ``data``; the request once its head is complete, whatever follows it. Raises HttpError."""
        searched = max(0, len(self._buffer) - len(_END) + 1)
        self._buffer += data[: MAX_HEAD_BYTES + 1]
        end = self._buffer.find(_END, searched)
        if end < 0:
            self._check_growth()
            return None
        if end > MAX_HEAD_BYTES:
            raise HttpError(431, "request head too large")
        return _parse_head(bytes(self._buffer[:end]))

    def _check_growth(self) -> None:
        if len(self._buffer) > MAX_HEAD_BYTES:
            raise HttpError(431, "request head too large")
        if len(self._buffer) > MAX_REQUEST_LINE_BYTES and b"\r\n" not in self._buffer:
            raise HttpError(431, "request line too long")


def _parse_head(head: bytes) -> HttpRequest:
    try:
        line, *headers = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        raise HttpError(400, "request head is not ASCII") from None
    if len(line) > MAX_REQUEST_LINE_BYTES or len(headers) > MAX_HEADERS:
        raise HttpError(431, "request head too large")
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise HttpError(400, "malformed request line")
    method, target, _ = parts
    if method != "GET":
        raise HttpError(405, "only GET is served")
    for header in headers:
        _check_header(header)
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        raise HttpError(400, "malformed request target")
    return HttpRequest(path, _parse_query(query))


def _check_header(header: str) -> None:
    name, colon, value = header.partition(":")
    if not (colon and name and name.isprintable() and " " not in name):
        raise HttpError(400, "malformed header")
    lowered, value = name.lower(), value.strip()
    if lowered == "transfer-encoding" or (lowered == "content-length" and value != "0"):
        raise HttpError(400, "a request body is not accepted")


def _parse_query(query: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise HttpError(400, "malformed query") from None
    parameters: dict[str, str] = {}
    for name, value in pairs:
        parameters.setdefault(name, value)
    return parameters
