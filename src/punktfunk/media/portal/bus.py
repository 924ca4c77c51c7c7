"""A message bus with one name on it, as bytes: just enough D-Bus for a client that looks for a portal.

D-Bus specification, "Authentication Protocol" and "Message Bus". There is nobody else on this bus, so that matches need
no keeping: whoever is connected gets every signal that concerns it.
"""

from __future__ import annotations

import array
import struct
from collections.abc import Callable

from jeepney import HeaderFields, Message, MessageFlag, MessageType, Parser, new_error, new_method_return

from punktfunk.media.portal.local_server import Connection, ConversationError

MAX_LINE_BYTES = 512
"""One line of the authentication; the longest real one has 60."""
MAX_MESSAGE_BYTES = 64 * 1024
"""What is kept of a message that is not complete; the longest real one has 700 bytes."""
BUS_NAME = "org.freedesktop.DBus"
CLIENT, OWNER = ":1.1", ":0.0"
"""Unique names: of whoever is connected, and of the service."""
UNKNOWN_METHOD = "org.freedesktop.DBus.Error.UnknownMethod"
_NO_SUCH_NAME = "org.freedesktop.DBus.Error.NameHasNoOwner"
_SERVER_ID = b"70756e6b746675" + b"0" * 18
_GREETINGS = {b"AUTH": b"OK " + _SERVER_ID, b"NEGOTIATE_UNIX_FD": b"AGREE_UNIX_FD"}

Service = Callable[[Message], list[Message]]
"""Answers a call on the name with what is to be sent, the reply among it."""


class BusConversation:
    """One client of the bus; ``service`` answers to ``name``."""

    def __init__(self, connection: Connection, name: str, service: Service) -> None:
        self._connection, self._name, self._service = connection, name, service
        self._lines = bytearray()
        self._parser: Parser | None = None
        self._serial = 0
        self._kept = 0

    def receive(self, data: bytes) -> None:
        """Bytes came. Raises ConversationError."""
        if self._parser is None:
            data = self._authenticate(data)
        if self._parser is not None and data:
            self._read(self._parser, data)

    def ended(self) -> None:
        """The client is gone; the library asks on one connection and captures on another, so that it means nothing."""

    def _authenticate(self, data: bytes) -> bytes:
        """Answer whole lines; what follows the last one."""
        self._lines += data
        while (end := self._lines.find(b"\r\n")) >= 0:
            line = bytes(self._lines[:end]).lstrip(b"\0")
            del self._lines[: end + 2]
            if line == b"BEGIN":
                self._parser = Parser()
                rest, self._lines = bytes(self._lines), bytearray()
                return rest
            # The kernel told who it is when the connection was taken: any mechanism that is claimed is fine.
            self._connection.send(_GREETINGS.get(line.split(b" ")[0], b"ERROR") + b"\r\n")
        if len(self._lines) > MAX_LINE_BYTES:
            raise ConversationError("a line without an end")
        return b""

    def _read(self, parser: Parser, data: bytes) -> None:
        self._kept += len(data)
        parser.add_data(data)
        try:
            while (message := parser.get_next_message()) is not None:
                self._kept = parser.buf.bytes_buffered
                if message.header.message_type is MessageType.method_call:
                    self._answer(message)
        except (ValueError, LookupError, AssertionError, RecursionError, struct.error) as error:
            raise ConversationError(f"no D-Bus message: {error!r}") from error
        if self._kept > MAX_MESSAGE_BYTES:
            raise ConversationError("a message that is too long")

    def _answer(self, call: Message) -> None:
        call.header.fields[HeaderFields.sender] = CLIENT
        if call.header.fields.get(HeaderFields.destination) == BUS_NAME:
            self._send(self._bus_call(call), BUS_NAME)
            return
        for message in self._service(call):
            is_reply = message.header.message_type is not MessageType.signal
            if not (is_reply and MessageFlag.no_reply_expected in call.header.flags):
                self._send(message, OWNER)

    def _bus_call(self, call: Message) -> Message:
        wanted = call.body[0] if call.body else ""
        match call.header.fields.get(HeaderFields.member):
            case "Hello":
                return new_method_return(call, "s", (CLIENT,))
            case "AddMatch" | "RemoveMatch":
                return new_method_return(call)
            case "NameHasOwner":
                return new_method_return(call, "b", (wanted in (self._name, BUS_NAME),))
            case "GetNameOwner" if wanted == self._name:
                return new_method_return(call, "s", (OWNER,))
            case "GetNameOwner":
                return new_error(call, _NO_SUCH_NAME, "s", (f"nobody is called {wanted}",))
        return new_error(call, UNKNOWN_METHOD, "s", ("this bus knows no such method",))

    def _send(self, message: Message, sender: str) -> None:
        self._serial += 1
        message.header.fields[HeaderFields.sender] = sender
        message.header.fields[HeaderFields.destination] = CLIENT
        fds = array.array("i")
        data = message.serialise(serial=self._serial, fds=fds)
        self._connection.send(data, tuple(fds))
