"""The portal as the capture library meets it: over a real socket, with jeepney's client in the library's place."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, DBusErrorResponse, MatchRule, Message, new_method_call
from jeepney.io.blocking import DBusConnection, prep_socket
from jeepney.wrappers import unwrap_msg

from punktfunk.media.plan import Mode
from punktfunk.media.portal import bus
from punktfunk.media.portal.back import BackError, Cursor, Shown
from punktfunk.media.portal.bus import BusConversation
from punktfunk.media.portal.front import PORTAL_NAME, PortalFront
from punktfunk.media.portal.local_server import MAX_CONNECTIONS, Connection, ConversationError, LocalServer

MODE = Mode(1366, 768, 60_000)
PATH = "/org/freedesktop/portal/desktop"
SCREEN_CAST = DBusAddress(PATH, PORTAL_NAME, "org.freedesktop.portal.ScreenCast")
REMOTE_DESKTOP = DBusAddress(PATH, PORTAL_NAME, "org.freedesktop.portal.RemoteDesktop")
PROPERTIES = "org.freedesktop.DBus.Properties"


@dataclass
class Back:
    """A desktop that writes down what it is told."""

    told: list[tuple[Any, ...]] = field(default_factory=list)
    refusal: str = ""
    eis: bool = True

    def start(self, mode: Mode, cursor: Cursor) -> Shown:
        if self.refusal:
            raise BackError(self.refusal)
        self.told.append(("start", mode, cursor))
        return Shown(42, "region")

    def open_pipewire(self) -> int:
        return os.open("/dev/null", os.O_RDONLY)

    def connect_eis(self) -> int | None:
        return os.open("/dev/zero", os.O_RDONLY) if self.eis else None

    def notify_axis(self, dx: float, dy: float, *, finished: bool) -> None:
        self.told.append(("axis", dx, dy, finished))

    def __getattr__(self, name: str) -> Any:
        if name != "stop" and not name.startswith("notify_"):
            raise AttributeError(name)
        return lambda *values: self.told.append((name.removeprefix("notify_"), *values))


@dataclass
class Library:
    """The client's side."""

    connection: DBusConnection

    def call(self, where: DBusAddress, method: str, signature: str | None = None, *arguments: Any) -> tuple[Any, ...]:
        message = new_method_call(where, method, signature, arguments)
        return tuple(unwrap_msg(self.connection.send_and_get_reply(message, timeout=5)))

    def request(self, where: DBusAddress, method: str, signature: str, *arguments: Any) -> tuple[int, dict[str, Any]]:
        """A request and the response that follows it."""
        rule = MatchRule(interface="org.freedesktop.portal.Request", member="Response")
        with self.connection.filter(rule) as responses:
            (path,) = self.call(where, method, signature, *arguments)
            response: Message = self.connection.recv_until_filtered(responses, timeout=5)
        assert response.header.fields[1] == path
        return response.body

    def open_session(self) -> str:
        """Everything up to the picture."""
        token = {"handle_token": ("s", "t")}
        options = {**token, "session_handle_token": ("s", "s1")}
        _, results = self.request(REMOTE_DESKTOP, "CreateSession", "a{sv}", options)
        session = str(results["session_handle"][1])
        self.request(SCREEN_CAST, "SelectSources", "oa{sv}", session, {**token, "cursor_mode": ("u", 2)})
        self.request(REMOTE_DESKTOP, "SelectDevices", "oa{sv}", session, {**token, "types": ("u", 3)})
        return session

    def start(self, session: str) -> tuple[int, dict[str, Any]]:
        return self.request(REMOTE_DESKTOP, "Start", "osa{sv}", session, "", {"handle_token": ("s", "t")})


@pytest.fixture
def back() -> Back:
    return Back()


@pytest.fixture
def front(back: Back) -> PortalFront:
    return PortalFront(back, MODE)


@pytest.fixture
def path(tmp_path: Path, front: PortalFront) -> Iterator[str]:
    server = LocalServer("portal")
    server.listen(str(tmp_path / "bus"), lambda connection: BusConversation(connection, PORTAL_NAME, front))
    server.start()
    yield str(tmp_path / "bus")
    server.close()
    assert not (tmp_path / "bus").exists()


@pytest.fixture
def library(path: str) -> Iterator[Library]:
    with DBusConnection(prep_socket(path, enable_fds=True), enable_fds=True) as connection:
        yield Library(connection)


def test_the_bus_has_the_portal_and_nobody_else(library: Library) -> None:
    daemon = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    assert library.call(daemon, "NameHasOwner", "s", PORTAL_NAME) == (True,)
    assert library.call(daemon, "NameHasOwner", "s", "org.freedesktop.impl.portal.desktop.kde") == (False,)
    assert library.call(daemon, "GetNameOwner", "s", PORTAL_NAME) == (bus.OWNER,)
    assert library.connection.unique_name == bus.CLIENT
    with pytest.raises(DBusErrorResponse, match="NameHasNoOwner"):
        library.call(daemon, "GetNameOwner", "s", "org.gnome.Shell")
    with pytest.raises(DBusErrorResponse, match="UnknownMethod"):
        library.call(daemon, "ListNames")


def test_both_interfaces_say_what_they_can(library: Library) -> None:
    where = REMOTE_DESKTOP.with_interface(PROPERTIES)
    (known,) = library.call(where, "GetAll", "s", SCREEN_CAST.interface)
    assert known["AvailableCursorModes"] == ("u", 3)
    assert library.call(where, "Get", "ss", REMOTE_DESKTOP.interface, "AvailableDeviceTypes") == (("u", 3),)
    with pytest.raises(DBusErrorResponse):
        library.call(where, "GetAll", "s", "org.freedesktop.portal.Camera")


def test_a_session_gets_a_screen_of_its_size_without_being_asked(library: Library, back: Back) -> None:
    session = library.open_session()
    response, results = library.start(session)
    assert response == 0
    ((node, stream),) = results["streams"][1]
    assert node == 42
    assert stream["size"] == ("(ii)", (1366, 768))
    assert stream["mapping_id"] == ("s", "region")
    assert back.told == [("start", MODE, Cursor.EMBEDDED)]
    library.call(DBusAddress(session, PORTAL_NAME, "org.freedesktop.portal.Session"), "Close")
    assert back.told[-1] == ("stop",)


def test_descriptors_of_pipewire_and_of_emulated_input_come_over(library: Library, back: Back) -> None:
    session = library.open_session()
    (pipewire,) = library.call(SCREEN_CAST, "OpenPipeWireRemote", "oa{sv}", session, {})
    (eis,) = library.call(REMOTE_DESKTOP, "ConnectToEIS", "oa{sv}", session, {})
    for descriptor, name in ((pipewire, "/dev/null"), (eis, "/dev/zero")):
        with descriptor.to_file("rb", buffering=0) as file:
            assert os.readlink(f"/proc/self/fd/{file.fileno()}") == name
    back.eis = False
    with pytest.raises(DBusErrorResponse, match="UnknownMethod"):
        library.call(REMOTE_DESKTOP, "ConnectToEIS", "oa{sv}", session, {})


@pytest.mark.parametrize(
    ("method", "signature", "values", "told"),
    [
        ("NotifyKeyboardKeycode", "iu", (30, 1), ("key", 30, True)),
        ("NotifyKeyboardKeysym", "iu", (0xFC, 0), ("keysym", 0xFC, False)),
        ("NotifyPointerMotion", "dd", (1.5, -2.0), ("motion", 1.5, -2.0)),
        ("NotifyPointerMotionAbsolute", "udd", (42, 10.0, 20.0), ("position", 10.0, 20.0)),
        ("NotifyPointerButton", "iu", (0x110, 1), ("button", 0x110, True)),
        ("NotifyPointerAxis", "dd", (0.0, 10.0), ("axis", 0.0, 10.0, False)),
        ("NotifyPointerAxisDiscrete", "ui", (0, -1), ("steps", 0, -1)),
    ],
)
def test_input_by_calls(
    library: Library, back: Back, method: str, signature: str, values: tuple[Any, ...], told: tuple[Any, ...]
) -> None:
    library.call(REMOTE_DESKTOP, method, f"oa{{sv}}{signature}", "/s", {}, *values)
    assert back.told == [told]


def test_a_refusal_is_answered_and_remembered(library: Library, front: PortalFront, back: Back) -> None:
    back.refusal = "there is no GNOME here"
    assert library.start(library.open_session())[0] == 2
    assert front.problem == back.refusal


def test_nonsense_is_an_error_and_no_end(library: Library) -> None:
    for method in ("CreateSession", "Start", "NotifyPointerButton", "SelectSources"):
        with pytest.raises(DBusErrorResponse, match="InvalidArgs"):
            library.call(REMOTE_DESKTOP, method, "s", "nonsense")
    for method in ("NotifyTouchDown", "CreateMonitor"):
        with pytest.raises(DBusErrorResponse, match="UnknownMethod"):
            library.call(REMOTE_DESKTOP, method)
    library.open_session()


def test_a_second_session_ends_the_first_one(library: Library, back: Back) -> None:
    library.open_session()
    library.open_session()
    assert back.told == [("stop",)]


def test_only_so_many_connections(path: str) -> None:
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(MAX_CONNECTIONS + 1)]
    try:
        for sock in sockets:
            sock.settimeout(5)
            sock.connect(path)
        assert sockets[-1].recv(1) == b""
        sockets[0].sendall(b"\0AUTH EXTERNAL 30\r\n")
        assert sockets[0].recv(3) == b"OK "
    finally:
        for sock in sockets:
            sock.close()


def test_another_process_is_not_let_in(path: str) -> None:
    program = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({path!r}); print(s.recv(1))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert result.stdout == "b''\n"


class Sink(Connection):
    """Where answers go in tests without a socket."""

    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        self.sent += data
        for fd in fds:
            os.close(fd)


def conversation(front: PortalFront) -> BusConversation:
    return BusConversation(Sink(), PORTAL_NAME, front)


def test_a_line_that_does_not_end_is_cut_off(front: PortalFront) -> None:
    talk = conversation(front)
    talk.receive(b"x" * bus.MAX_LINE_BYTES)
    with pytest.raises(ConversationError):
        talk.receive(b"x")


def test_a_message_that_does_not_end_is_cut_off(front: PortalFront) -> None:
    talk = conversation(front)
    talk.receive(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")
    endless = new_method_call(SCREEN_CAST, "Start", "ay", (bytes(2 * bus.MAX_MESSAGE_BYTES),)).serialise(serial=1)
    talk.receive(endless[: bus.MAX_MESSAGE_BYTES])
    with pytest.raises(ConversationError, match="too long"):
        talk.receive(b"x")


def test_many_messages_are_not_one_that_is_too_long(front: PortalFront) -> None:
    talk = conversation(front)
    talk.receive(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")
    call = new_method_call(SCREEN_CAST, "Nothing", "ay", (bytes(30_000),)).serialise(serial=1)
    for _ in range(10):
        talk.receive(call)


def test_any_bytes_are_survived(front: PortalFront) -> None:
    generator = random.Random(42)
    real = new_method_call(REMOTE_DESKTOP, "Start", "osa{sv}", ("/s", "", {"handle_token": ("s", "t")}))
    for _ in range(2000):
        data = bytearray(real.serialise(serial=7))
        for _ in range(generator.randrange(1, 6)):
            data[generator.randrange(len(data))] = generator.randrange(256)
        talk = conversation(front)
        talk.receive(b"\0AUTH\r\nBEGIN\r\n")
        try:
            talk.receive(bytes(data))
        except ConversationError:
            continue
