"""What mutter offers on the session bus, without a desktop behind it: for machines on which no mutter is.

It answers as mutter 43 and 48 were seen to, keeps what it was told, and takes sessions away whose client has gone.
``python -m tests.stand_in_mutter FOLDER`` also has real PipeWire nodes, and writes what happens, a JSON array a line;
the bus is in the folder.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, prep_socket

SCREEN_CAST, REMOTE_DESKTOP = "org.gnome.Mutter.ScreenCast", "org.gnome.Mutter.RemoteDesktop"
DISPLAY_CONFIG = "org.gnome.Mutter.DisplayConfig"
NODE = 77
NAME_TAKEN = 1

needs_bus = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="needs dbus-daemon")


class Bus:
    """A session bus of its own. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "bus")
        self.address = f"unix:path={self.path}"

    def __enter__(self) -> Bus:
        command = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={self.address}"]
        self._daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._daemon.stdout is not None
        assert self._daemon.stdout.readline()
        return self

    def __exit__(self, *_error: object) -> None:
        self._daemon.terminate()
        self._daemon.wait()
        if self._daemon.stdout is not None:
            self._daemon.stdout.close()

    def connect(self) -> DBusConnection:
        return DBusConnection(prep_socket(self.path, enable_fds=True), enable_fds=True)


class Nothing:
    """What is shown by a node that is a mere number."""

    def close(self) -> None: ...


Show = Callable[[str], tuple[int, Any]]
"""Makes what a client's monitor shows: the node's id, and what is closed when it goes."""


class StandIn:
    """Serves until closed. ``told`` are the calls as (method, arguments), ``monitors`` the virtual ones that are there,
    by the name of whoever made them."""

    def __init__(
        self, bus: Bus, *, eis: bool = True, refuses: str = "", show: Show = lambda _sender: (NODE, Nothing())
    ) -> None:
        self.told: list[tuple[str, tuple[Any, ...]]] = []
        self.monitors: dict[str, str] = {}
        self.remote_desktops: list[str] = []
        self._show: Show = show or (lambda _sender: (NODE, Nothing()))
        self._shown: dict[str, Any] = {}
        self._eis, self._refuses = eis, refuses
        self._connection = bus.connect()
        for name in (SCREEN_CAST, REMOTE_DESKTOP, DISPLAY_CONFIG):
            reply = self._connection.send_and_get_reply(message_bus.RequestName(name))
            assert reply.body == (NAME_TAKEN,)
        rule = MatchRule(type="signal", interface="org.freedesktop.DBus", member="NameOwnerChanged")
        self._connection.send_and_get_reply(message_bus.AddMatch(rule))
        self.eis, self._handed_out = socket.socketpair()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Vanish from the bus, as a mutter that crashes."""
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()
        self.eis.close()
        self._handed_out.close()

    def end_sharing(self, path: str) -> None:
        """What GNOME does when somebody at the machine presses its button."""
        where = DBusAddress(path, interface=f"{REMOTE_DESKTOP}.Session")
        self._connection.send(new_signal(where, "Closed"))

    def join(self) -> None:
        """Until the bus is gone."""
        self._thread.join()

    def wait(self, condition: Any, limit_s: float = 10.0) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, limit_s), (self.told, self.monitors)

    def methods(self) -> list[str]:
        return [method for method, _ in self.told]

    def _serve(self) -> None:
        try:
            while True:
                message = self._connection.receive()
                with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except OSError:
            return

    def _take(self, message: Message) -> None:
        fields = message.header.fields
        if message.header.message_type is MessageType.signal:
            if fields.get(HeaderFields.member) == "NameOwnerChanged" and not message.body[2]:
                self._take_away(message.body[0])
            return
        if message.header.message_type is not MessageType.method_call:
            return
        method, sender = fields[HeaderFields.member], fields[HeaderFields.sender]
        self.told.append((method, message.body))
        if method == self._refuses:
            self._connection.send(new_error(message, "org.freedesktop.DBus.Error.AccessDenied", "s", ("not today",)))
            return
        answer = self._answer(method, message, sender)
        self._connection.send(answer)
        if method == "Start" and sender in self.monitors:
            where = DBusAddress(self.monitors[sender], interface=f"{SCREEN_CAST}.Stream")
            node, self._shown[sender] = self._show(sender)
            self._connection.send(new_signal(where, "PipeWireStreamAdded", "u", (node,)))

    def _take_away(self, sender: str) -> None:
        self.monitors.pop(sender, None)
        if shown := self._shown.pop(sender, None):
            shown.close()

    def _answer(self, method: str, call: Message, sender: str) -> Message:
        number = len(self.told)
        match method:
            case "CreateSession":
                kind = call.header.fields[HeaderFields.interface].rpartition(".")[2]
                path = f"/org/gnome/Mutter/{kind}/Session/u{number}"
                if kind == "RemoteDesktop":
                    self.remote_desktops.append(path)
                return new_method_return(call, "o", (path,))
            case "RecordVirtual":
                self.monitors[sender] = f"/org/gnome/Mutter/ScreenCast/Stream/u{number}"
                return new_method_return(call, "o", (self.monitors[sender],))
            case "Get" if call.body[1] == "SessionId":
                return new_method_return(call, "v", (("s", "an-id"),))
            case "Get" if call.body[1] == "Parameters":
                return new_method_return(call, "v", (("a{sv}", {"mapping-id": ("s", "a-region")}),))
            case "ConnectToEIS" if self._eis:
                return new_method_return(call, "h", (self._handed_out.fileno(),))
            case "GetCurrentState":
                types = "ua((ssss)a(siiddada{sv})a{sv})a(iiduba(ssss)a{sv})a{sv}"
                return new_method_return(call, types, (1, [], [], {}))
            case "Stop":
                self._take_away(sender)
                return new_method_return(call)
            case "Start":
                return new_method_return(call)
            case _ if method.startswith("Notify"):
                return new_method_return(call)
        return new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "s", (f"no {method}",))


def main() -> None:
    from tests.pipewire_producer import Producer

    lock = threading.Lock()

    def say(*what: object) -> None:
        with lock:
            print(json.dumps(what), flush=True)

    class Monitor:
        """One that has the size that is asked for."""

        def __init__(self, sender: str) -> None:
            self._sender = sender
            self.producer = Producer(1280, 720, negotiable=True, negotiated=lambda *mode: say("mode", sender, *mode))

        def close(self) -> None:
            self.producer.close()
            say("gone", self._sender)

    def show(sender: str) -> tuple[int, Monitor]:
        monitor = Monitor(sender)
        say("monitor", sender)
        return monitor.producer.node, monitor

    class Saying(StandIn):
        def _take(self, message: Message) -> None:
            before = len(self.told)
            super()._take(message)
            for method, arguments in self.told[before:]:
                say(method, *arguments)

    mutter = Saying(Bus(Path(sys.argv[1])), eis=False, show=show)
    signal.signal(signal.SIGUSR1, lambda *_: mutter.end_sharing(mutter.remote_desktops[-1]))
    say("started")
    mutter.join()


if __name__ == "__main__":
    main()
