"""One connection to an X server: set-up, requests, replies, events (X Window System Protocol, X11R7.7)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass

from punktfunk.media.video_source import SourceError, SourceLost
from punktfunk.media.x11.address import COOKIE_NAME, AddressError, display_number, read_cookie, socket_paths

TIMEOUT_S = 3.0
"""For connecting and for each reply: a server that is busy for longer is taken for dead."""
MAX_REPLY_BYTES = 4 << 20
MAX_EVENTS = 256
"""Events that nobody has asked for yet; of more, the newest are kept."""
MAX_REQUEST_BYTES = 1 << 17

_SETUP = struct.Struct("<BxHHHH2x")
_SETUP_REPLY = struct.Struct("<BBHHH")
_SETUP_FACTS = struct.Struct("<IIIIHHBBBBBBBB4x")
_SCREEN = struct.Struct("<IIIIIHHHH")
_ERROR_FACTS = struct.Struct("<HIHB")
_RESPONSE_BYTES = 32
_ERROR, _REPLY, _GENERIC_EVENT = 0, 1, 35
_QUERY_EXTENSION, _GET_INPUT_FOCUS = 98, 43
_ERRORS = {1: "Request", 2: "Value", 3: "Window", 4: "Pixmap", 5: "Atom", 8: "Match", 10: "Access", 11: "Alloc"}
_ERRORS |= {15: "Name", 16: "Length", 17: "Implementation"}


class X11Error(SourceError):
    """The X server refuses something."""


class X11Gone(SourceLost):
    """The X server is not there (any more), or does not answer."""


class X11Refused(X11Error):
    """The X server does not let us in."""


@dataclass(frozen=True, slots=True)
class Extension:
    """Where an extension's requests and events begin."""

    opcode: int
    first_event: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says at the beginning. ``width`` and ``height`` are those of that moment."""

    vendor: str
    resource_base: int
    root: int
    width: int
    height: int
    width_mm: int
    height_mm: int
    first_keycode: int
    last_keycode: int


class X11Connection:
    """Use as a context manager, or ``close`` it. Thread-safe: one request at a time.

    Raises X11Gone when the server goes away, X11Error for what it refuses.
    """

    def __init__(self, display: str, authority: str = "") -> None:
        try:
            number = display_number(display)
        except AddressError as error:
            raise X11Error(str(error)) from error
        self.display = display
        self._lock = threading.RLock()
        self._sequence = 0
        self._input = bytearray()
        self._events: deque[bytes] = deque(maxlen=MAX_EVENTS)
        self._errors: deque[tuple[int, int, int]] = deque(maxlen=MAX_EVENTS)
        self._extensions: dict[str, Extension | None] = {}
        self._socket = _connect(display, number)
        try:
            self.facts = self._set_up(read_cookie(authority, number) if authority else b"")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> X11Connection:
        return self

    def __exit__(self, problem: object, *_error: object) -> None:
        if problem is None:
            self.finish()
        self.close()

    def finish(self) -> None:
        """Wait until everything that was sent is done. A server may drop what it has not read yet when a connection is
        closed with events in it, and keyboards are told of unasked."""
        with contextlib.suppress(X11Gone):
            self.sync()

    def close(self) -> None:
        """End it; a thread that waits for an event is woken. Safe to repeat."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def take_socket(self) -> socket.socket:
        """The socket itself, for one who only wants to see the server's end; the connection is not used any more."""
        return self._socket

    def extension(self, name: str) -> Extension | None:
        """An extension's place, None where the server does not have it."""
        with self._lock:
            if name not in self._extensions:
                data = name.encode()
                reply = self.call(request(_QUERY_EXTENSION, 0, struct.pack("<H2x", len(data)) + data))
                self._extensions[name] = Extension(reply[9], reply[10]) if reply[8] else None
            return self._extensions[name]

    def needed(self, name: str) -> Extension:
        """The same for one without which there is nothing to be done. Raises X11Error."""
        found = self.extension(name)
        if found is None:
            raise X11Error(f"the X server of {self.display} lacks the extension {name}")
        return found

    def send(self, *requests: bytes) -> None:
        """Requests without reply. What the server refuses of them is not told."""
        with self._lock:
            self._sequence += len(requests)
            self._transmit(b"".join(requests))

    def call(self, data: bytes) -> bytes:
        """One request with a reply: all of its bytes, the first 32 of fixed form."""
        with self._lock:
            self.send(data)
            wanted = self._sequence & 0xFFFF
            deadline = time.monotonic() + TIMEOUT_S
            while True:
                kind, response = self._read(deadline)
                if kind not in (_ERROR, _REPLY):
                    continue
                (sequence,) = struct.unpack_from("<H", response, 2)
                if kind == _REPLY and sequence == wanted:
                    return response
                if kind == _ERROR and self._errors and self._errors[-1][0] == wanted:
                    raise _refusal(self._errors.pop())

    def checked(self, data: bytes) -> None:
        """One request without reply, and wait until it is done. Raises X11Error when it is refused."""
        with self._lock:
            self._errors.clear()
            self.send(data)
            wanted = self._sequence & 0xFFFF
            self.call(request(_GET_INPUT_FOCUS, 0))
            refused = next((error for error in self._errors if error[0] == wanted), None)
            if refused is not None:
                raise _refusal(refused)

    def sync(self) -> None:
        """Wait until the server has done everything so far."""
        with self._lock:
            self._errors.clear()
            self.call(request(_GET_INPUT_FOCUS, 0))

    def next_event(self, timeout_s: float | None) -> bytes | None:
        """Wait for an event; None when none came in time."""
        with self._lock:
            if self._events:
                return self._events.popleft()
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while not self._events:
                try:
                    self._read(deadline)
                except _TooLate:
                    return None
            return self._events.popleft()

    def _set_up(self, cookie: bytes) -> Facts:
        name = COOKIE_NAME if cookie else b""
        self._transmit(_SETUP.pack(ord("l"), 11, 0, len(name), len(cookie)) + _padded(name) + _padded(cookie))
        deadline = time.monotonic() + TIMEOUT_S
        status, reason_bytes, _, _, units = _SETUP_REPLY.unpack(self._take(_SETUP_REPLY.size, deadline))
        body = self._take(4 * units, deadline)
        if status != 1:
            reason = (body[:reason_bytes] if status == 0 else body).rstrip(b"\0").decode(errors="replace").strip()
            raise X11Refused(f"the X server of {self.display} does not let this user in: {reason or 'no reason given'}")
        try:
            return _facts(body)
        except struct.error as error:
            raise X11Gone(f"what answers for {self.display} is no X server") from error

    def _transmit(self, data: bytes) -> None:
        try:
            self._socket.settimeout(TIMEOUT_S)
            self._socket.sendall(data)
        except OSError as error:
            raise self._gone(error) from error

    def _read(self, deadline: float | None) -> tuple[int, bytes]:
        """The next response; errors and events are kept as well."""
        head = self._take(_RESPONSE_BYTES, deadline)
        kind = head[0] & 0x7F
        if kind == _ERROR:
            sequence, _, minor, major = _ERROR_FACTS.unpack_from(head, 2)
            self._errors.append((sequence, head[1], major << 16 | minor))
        elif kind in (_REPLY, _GENERIC_EVENT):
            (units,) = struct.unpack_from("<I", head, 4)
            if units * 4 > MAX_REPLY_BYTES:
                raise X11Gone(f"the X server of {self.display} answers with {units * 4} bytes")
            head += self._take(4 * units, time.monotonic() + TIMEOUT_S)
        if kind not in (_ERROR, _REPLY):
            self._events.append(head)
        return kind, head

    def _take(self, count: int, deadline: float | None) -> bytes:
        while len(self._input) < count:
            try:
                left_s = None if deadline is None else deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise TimeoutError
                self._socket.settimeout(left_s)
                chunk = self._socket.recv(max(4096, count - len(self._input)))
            except TimeoutError:
                raise _TooLate(f"the X server of {self.display} does not answer") from None
            except OSError as error:
                raise self._gone(error) from error
            if not chunk:
                raise self._gone(None)
            self._input += chunk
        taken = bytes(self._input[:count])
        del self._input[:count]
        return taken

    def _gone(self, error: OSError | None) -> X11Gone:
        return X11Gone(f"the X server of {self.display} has gone" + (f": {error.strerror or error}" if error else ""))


class _TooLate(X11Gone):
    """Nothing came in time."""


def request(opcode: int, detail: int, body: bytes = b"") -> bytes:
    """A request of the core protocol; ``detail`` is its second byte. For extensions, that is the minor opcode."""
    body = _padded(body)
    if len(body) + 4 > MAX_REQUEST_BYTES:
        raise X11Error(f"a request of {len(body)} bytes is too long")
    return struct.pack("<BBH", opcode, detail, 1 + len(body) // 4) + body


def _connect(display: str, number: int) -> socket.socket:
    problem: OSError | None = None
    for path in socket_paths(number):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(TIMEOUT_S)
        try:
            sock.connect(path)
        except OSError as error:
            sock.close()
            problem = problem or error
        else:
            return sock
    reason = problem.strerror if problem is not None else ""
    raise X11Gone(f"no X server answers for {display}: {reason or problem}")


def _facts(body: bytes) -> Facts:
    fields = _SETUP_FACTS.unpack_from(body)
    vendor_bytes, formats = fields[4], fields[7]
    start = _SETUP_FACTS.size
    vendor = body[start : start + vendor_bytes].decode(errors="replace")
    root, _, _, _, _, *size = _SCREEN.unpack_from(body, start + _round(vendor_bytes) + 8 * formats)
    width, height, width_mm, height_mm = size
    return Facts(vendor, fields[1], root, width, height, width_mm, height_mm, fields[12], fields[13])


def _refusal(error: tuple[int, int, int]) -> X11Error:
    _, code, opcode = error
    return X11Error(f"the X server refuses request {opcode >> 16}.{opcode & 0xFFFF}: {_ERRORS.get(code, code)}")


def _round(length: int) -> int:
    return (length + 3) & ~3


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
