"""Calls on the user's session bus, blocking, for one thread."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from jeepney import DBusAddress, DBusErrorResponse, HeaderFields, MatchRule, Message, message_bus, new_method_call
from jeepney.auth import AuthenticationError
from jeepney.bus import get_bus
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import unwrap_msg

CALL_TIMEOUT_S = 4.0
CONNECT_TIMEOUT_S = 2.0
_LOOK_UP_S = 0.5
"""How often who waits on a bus looks whether it may stop."""
_SIGNALS_KEPT = 64
_BUS_NAME = "org.freedesktop.DBus"
_BUS = DBusAddress("/org/freedesktop/DBus", _BUS_NAME, _BUS_NAME)
PROPERTIES = "org.freedesktop.DBus.Properties"


class BusError(Exception):
    """The bus or the program behind a name refused, or is not there; the message is a sentence."""


class SessionBus:
    """One connection to a bus by its address (``unix:path=…``). Raises BusError."""

    def __init__(self, address: str) -> None:
        try:
            self._connection = DBusConnection(
                prep_socket(get_bus(address), enable_fds=True, timeout=CONNECT_TIMEOUT_S), enable_fds=True
            )
        except (OSError, AuthenticationError, ValueError, RuntimeError) as error:
            raise BusError(f"the session bus {address} cannot be reached: {error}") from error

    def call(self, where: DBusAddress, method: str, signature: str | None = None, *arguments: Any) -> tuple[Any, ...]:
        """Call and wait; what was answered. Raises BusError."""
        message = new_method_call(where, method, signature, arguments)
        try:
            reply = self._connection.send_and_get_reply(message, timeout=CALL_TIMEOUT_S)
            return tuple(unwrap_msg(reply))
        except DBusErrorResponse as error:
            raise BusError(f"{where.bus_name} refused {method}: {_sentence(error)}") from error
        except (OSError, ValueError) as error:
            raise BusError(f"{where.bus_name} did not answer {method}: {error or type(error).__name__}") from error

    def get(self, where: DBusAddress, name: str) -> Any:
        """A property's value. Raises BusError."""
        ((_, value),) = self.call(where.with_interface(PROPERTIES), "Get", "ss", where.interface, name)
        return value

    def has_owner(self, name: str) -> bool:
        """Whether a program has this name. Raises BusError."""
        return bool(self.call(_BUS, "NameHasOwner", "s", name)[0])

    @contextlib.contextmanager
    def expecting(self, where: DBusAddress, signal: str) -> Iterator[Any]:
        """Within it, ``signal`` is kept; a call of what comes out waits for it and returns its values."""
        rule = MatchRule(type="signal", interface=where.interface, member=signal, path=where.object_path)
        self._connection.send_and_get_reply(message_bus.AddMatch(rule), timeout=CALL_TIMEOUT_S)
        with self._connection.filter(rule) as queue:

            def wait() -> tuple[Any, ...]:
                try:
                    message: Message = self._connection.recv_until_filtered(queue, timeout=CALL_TIMEOUT_S)
                except OSError as error:
                    raise BusError(f"{where.bus_name} did not say {signal}: {error or 'no answer in time'}") from error
                return tuple(message.body)

            yield wait

    def wait_until_unowned(
        self, name: str, stopped: threading.Event, signal: tuple[str, str], told: Callable[[str], bool]
    ) -> None:
        """Until no program has this name any more, or the bus is gone, or ``stopped`` is set. Meanwhile ``told`` gets
        the path of every object that gives ``signal`` (interface and member), and may end it by True. Raises BusError.
        """
        interface, member = signal
        signals = MatchRule(type="signal", interface=interface, member=member)
        rule = MatchRule(
            type="signal", sender=_BUS_NAME, interface=_BUS_NAME, member="NameOwnerChanged", path=_BUS.object_path
        )
        rule.add_arg_condition(0, name)
        seen: deque[Message] = deque(maxlen=_SIGNALS_KEPT)
        with self._connection.filter(rule, queue=seen), self._connection.filter(signals, queue=seen):
            for wanted in (rule, signals):
                self.call(_BUS, "AddMatch", "s", wanted.serialise())
            owned = self.has_owner(name)
            while owned and not stopped.is_set():
                try:
                    message = self._connection.recv_until_filtered(seen, timeout=_LOOK_UP_S)
                except TimeoutError:
                    continue
                except OSError:
                    return
                fields = message.header.fields
                if fields[HeaderFields.member] != member:
                    owned = bool(message.body[2])
                elif told(fields[HeaderFields.path]):
                    return

    def close(self) -> None:
        """Hang up; what the connection had made is taken away by its maker."""
        self._connection.close()


def _sentence(error: DBusErrorResponse) -> str:
    return str(error.data[0]) if error.data and isinstance(error.data[0], str) else str(error.name)
