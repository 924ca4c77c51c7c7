"""A Wayland display with one output of the right size and nothing else, as bytes.

The capture library looks at a compositor before it looks for a portal, and takes the size of the screen from it. The
desktop's own socket would do, but it lists all monitors, the streamed one not yet among them, and is missing in an X11
session. Wire format: Wayland specification, "Wire Format"; interfaces wl_display, wl_registry, wl_callback, wl_output
(version 4) and wl_seat.
"""

from __future__ import annotations

import struct

from punktfunk.media.plan import Mode
from punktfunk.media.portal.local_server import Connection, ConversationError

MAX_OBJECTS = 64
MAX_MESSAGE_BYTES = 4096
"""A message of Wayland is no longer."""
OUTPUT_NAME = "Virtual-1"
_GLOBALS = (("wl_seat", 7), ("wl_output", 4))
_HEADER = struct.Struct("=II")
_DISPLAY = 1
_SYNC, _GET_REGISTRY, _BIND = 0, 1, 0
_DELETE_ID, _CALLBACK_DONE, _GLOBAL = 1, 0, 0
_GEOMETRY, _MODE, _DONE, _SCALE, _NAME = 0, 1, 2, 3, 4
_CURRENT_AND_PREFERRED = 3


class BareDisplay:
    """The display's state: which mode its output has, and who watches it."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._clients: list[DisplayConversation] = []

    def connect(self, connection: Connection) -> DisplayConversation:
        """A new client."""
        client = DisplayConversation(connection, self)
        self._clients = [*self._clients, client]
        return client

    def left(self, client: DisplayConversation) -> None:
        """That client is gone."""
        self._clients = [known for known in self._clients if known is not client]

    @property
    def mode(self) -> Mode:
        """What the output has."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Change it and tell everybody. May be called from any thread."""
        self._mode = mode
        for client in self._clients:
            client.mode_changed()


class DisplayConversation:
    """One client of the display."""

    def __init__(self, connection: Connection, display: BareDisplay) -> None:
        self._connection, self._display = connection, display
        self._buffer = bytearray()
        self._registries: set[int] = set()
        self._outputs: dict[int, int] = {}

    def receive(self, data: bytes) -> None:
        """Bytes came. Raises ConversationError."""
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            target, word = _HEADER.unpack_from(self._buffer)
            length = word >> 16
            if not _HEADER.size <= length <= MAX_MESSAGE_BYTES:
                raise ConversationError(f"a request of {length} bytes")
            if len(self._buffer) < length:
                return
            arguments = bytes(self._buffer[_HEADER.size : length])
            del self._buffer[:length]
            try:
                self._request(target, word & 0xFFFF, arguments)
            except struct.error as error:
                raise ConversationError(f"a request that is too short: {error}") from error

    def ended(self) -> None:
        """The client is gone."""
        self._display.left(self)

    def mode_changed(self) -> None:
        """Tell of the output's mode."""
        for output, version in tuple(self._outputs.items()):
            self._send_mode(output)
            self._finish(output, version)

    def _request(self, target: int, opcode: int, arguments: bytes) -> None:
        if target == _DISPLAY and opcode == _SYNC:
            (callback,) = struct.unpack_from("=I", arguments)
            self._event(callback, _CALLBACK_DONE, struct.pack("=I", 0))
            self._event(_DISPLAY, _DELETE_ID, struct.pack("=I", callback))
        elif target == _DISPLAY and opcode == _GET_REGISTRY:
            (registry,) = struct.unpack_from("=I", arguments)
            self._remember(registry)
            self._registries.add(registry)
            for number, (interface, version) in enumerate(_GLOBALS):
                described = struct.pack("=I", number) + _string(interface) + struct.pack("=I", version)
                self._event(registry, _GLOBAL, described)
        elif target in self._registries and opcode == _BIND:
            (number,) = struct.unpack_from("=I", arguments)
            version, new_id = struct.unpack("=II", arguments[-8:])
            if number < len(_GLOBALS) and _GLOBALS[number][0] == "wl_output":
                self._remember(new_id)
                self._outputs[new_id] = version
                self._describe(new_id, version)

    def _remember(self, new_id: int) -> None:
        if len(self._registries) + len(self._outputs) >= MAX_OBJECTS:
            raise ConversationError(f"more than {MAX_OBJECTS} objects (the last was {new_id})")

    def _describe(self, output: int, version: int) -> None:
        numbers = struct.pack("=5i", 0, 0, 0, 0, 0)
        self._event(output, _GEOMETRY, numbers + _string("punktfunk") + _string("stream") + struct.pack("=i", 0))
        self._send_mode(output)
        if version >= 2:
            self._event(output, _SCALE, struct.pack("=i", 1))
        if version >= 4:
            self._event(output, _NAME, _string(OUTPUT_NAME))
        self._finish(output, version)

    def _send_mode(self, output: int) -> None:
        mode = self._display.mode
        self._event(
            output, _MODE, struct.pack("=I3i", _CURRENT_AND_PREFERRED, mode.width, mode.height, mode.refresh_mhz)
        )

    def _finish(self, output: int, version: int) -> None:
        if version >= 2:
            self._event(output, _DONE, b"")

    def _event(self, target: int, opcode: int, arguments: bytes) -> None:
        self._connection.send(_HEADER.pack(target, (_HEADER.size + len(arguments)) << 16 | opcode) + arguments)


def _string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("=I", len(data)) + data + bytes(-len(data) % 4)
