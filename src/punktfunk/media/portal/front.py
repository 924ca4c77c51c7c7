"""The desktop portal's side that a capturing program sees, as calls and answers: ScreenCast and RemoteDesktop.

XDG Desktop Portal documentation, org.freedesktop.portal.ScreenCast (version 5), .RemoteDesktop (2), .Request, .Session.
What is asked for is answered at once and without a dialog: whoever may connect is this process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, new_error, new_method_return, new_signal

from punktfunk.media.plan import Mode
from punktfunk.media.portal.back import BackError, Cursor, PortalBack
from punktfunk.media.portal.bus import UNKNOWN_METHOD

PORTAL_NAME = "org.freedesktop.portal.Desktop"
_PATH = "/org/freedesktop/portal/desktop"
_INTERFACE = "org.freedesktop.portal."
_PROPERTIES = "org.freedesktop.DBus.Properties"
_FAILED = "org.freedesktop.portal.Error.Failed"
_SUCCESS, _OTHER = 0, 2
_KEYBOARD, _POINTER = 1, 2
_VIRTUAL = 4

_KNOWN: dict[str, dict[str, tuple[str, Any]]] = {
    # Without metadata on offer the pointer is part of the picture, as clients of a stream expect it.
    "ScreenCast": {
        "version": ("u", 5),
        "AvailableSourceTypes": ("u", 7),
        "AvailableCursorModes": ("u", Cursor.HIDDEN | Cursor.EMBEDDED),
    },
    "RemoteDesktop": {"version": ("u", 2), "AvailableDeviceTypes": ("u", _KEYBOARD | _POINTER)},
}

log = logging.getLogger(__name__)

Variants = dict[str, tuple[str, Any]]


class PortalFront:
    """One portal with one screen behind it. ``problem`` says what the desktop refused last, "" when nothing was.
    ``emulated`` is whether the input goes by a connection of its own."""

    def __init__(self, back: PortalBack, mode: Mode) -> None:
        self._back = back
        self.mode = mode
        self.problem = ""
        self.emulated = False
        self._session = ""
        self._cursor = Cursor.EMBEDDED
        self._calls: dict[str, Callable[[Message], list[Message]]] = {
            "CreateSession": self._create_session,
            "SelectSources": self._select_sources,
            "SelectDevices": lambda call: _granted(call, call.body[1], {}),
            "Start": self._start,
            "OpenPipeWireRemote": self._open_pipewire,
            "ConnectToEIS": self._connect_eis,
            "Close": self._close,
        }

    def __call__(self, call: Message) -> list[Message]:
        """Answer one call: the reply, and the signals that follow it."""
        fields = call.header.fields
        member, interface = fields.get(HeaderFields.member, ""), fields.get(HeaderFields.interface, "")
        try:
            if interface == _PROPERTIES:
                return [_property(call, member)]
            if interface.startswith(_INTERFACE):
                if handler := self._calls.get(member):
                    return handler(call)
                if member.startswith("Notify"):
                    return [self._notify(call, member)]
        except BackError as error:
            self.problem = str(error)
            log.warning("the desktop: %s", error)
            return [new_error(call, _FAILED, "s", (str(error),))]
        except (IndexError, KeyError, TypeError, ValueError) as error:
            return [new_error(call, "org.freedesktop.DBus.Error.InvalidArgs", "s", (f"{member}: {error!r}",))]
        return [new_error(call, UNKNOWN_METHOD, "s", (f"this portal has no {interface}.{member}",))]

    def close(self) -> None:
        """Take the screen away."""
        self._session = ""
        self._back.stop()

    def _create_session(self, call: Message) -> list[Message]:
        (options,) = call.body
        if self._session:
            self.close()
        self._session = f"{_PATH}/session/{_sender(call)}/{options['session_handle_token'][1]}"
        return _granted(call, options, {"session_handle": ("s", self._session)})

    def _select_sources(self, call: Message) -> list[Message]:
        options = call.body[1]
        self._cursor = Cursor(options.get("cursor_mode", ("u", Cursor.EMBEDDED))[1])
        return _granted(call, options, {})

    def _start(self, call: Message) -> list[Message]:
        options = call.body[2]
        try:
            shown = self._back.start(self.mode, self._cursor)
        except BackError as error:
            self.problem = str(error)
            log.warning("the desktop: %s", error)
            return _granted(call, options, {}, response=_OTHER)
        size = (self.mode.width, self.mode.height)
        stream: Variants = {"position": ("(ii)", (0, 0)), "size": ("(ii)", size), "source_type": ("u", _VIRTUAL)}
        if shown.mapping_id:
            stream["mapping_id"] = ("s", shown.mapping_id)
        return _granted(
            call,
            options,
            {
                "streams": ("a(ua{sv})", [(shown.node, stream)]),
                "devices": ("u", _KEYBOARD | _POINTER),
                "persist_mode": ("u", 0),
            },
        )

    def _open_pipewire(self, call: Message) -> list[Message]:
        return [new_method_return(call, "h", (self._back.open_pipewire(),))]

    def _connect_eis(self, call: Message) -> list[Message]:
        fd = self._back.connect_eis()
        self.emulated = fd is not None
        if fd is None:
            return [new_error(call, UNKNOWN_METHOD, "s", ("this desktop takes its input by calls",))]
        return [new_method_return(call, "h", (fd,))]

    def _close(self, call: Message) -> list[Message]:
        if call.header.fields.get(HeaderFields.path) == self._session:
            self.close()
        return [new_method_return(call)]

    def _notify(self, call: Message, member: str) -> Message:
        """Input; the session is the first argument, options the second."""
        back, values = self._back, call.body[2:]
        match member:
            case "NotifyKeyboardKeycode":
                back.notify_key(values[0], bool(values[1]))
            case "NotifyKeyboardKeysym":
                back.notify_keysym(values[0], bool(values[1]))
            case "NotifyPointerMotion":
                back.notify_motion(*values)
            case "NotifyPointerMotionAbsolute":
                back.notify_position(*values[1:])
            case "NotifyPointerButton":
                back.notify_button(values[0], bool(values[1]))
            case "NotifyPointerAxis":
                back.notify_axis(*values, finished=bool(call.body[1].get("finish", ("b", False))[1]))
            case "NotifyPointerAxisDiscrete":
                back.notify_steps(*values)
            case _:
                return new_error(call, UNKNOWN_METHOD, "s", (f"this portal has no {member}",))
        return new_method_return(call)


def _granted(call: Message, options: Variants, results: Variants, *, response: int = _SUCCESS) -> list[Message]:
    """The handle of the request, and at once its response."""
    path = f"{_PATH}/request/{_sender(call)}/{options['handle_token'][1]}"
    address = DBusAddress(path, interface=f"{_INTERFACE}Request")
    return [new_method_return(call, "o", (path,)), new_signal(address, "Response", "ua{sv}", (response, results))]


def _property(call: Message, member: str) -> Message:
    known = _KNOWN.get(call.body[0].removeprefix(_INTERFACE), {})
    if member == "GetAll" and known:
        return new_method_return(call, "a{sv}", (known,))
    if member == "Get" and call.body[1] in known:
        return new_method_return(call, "v", (known[call.body[1]],))
    return new_error(call, UNKNOWN_METHOD, "s", (f"no property {call.body}",))


def _sender(call: Message) -> str:
    """The caller's unique name as part of a path."""
    name: str = call.header.fields[HeaderFields.sender]
    return name.removeprefix(":").replace(".", "_")
