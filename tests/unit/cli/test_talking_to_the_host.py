"""Commands against a control server: what they ask, and how they tell the answer."""

import asyncio
import json
import os
import threading

import pytest
from typer.testing import CliRunner

from punktfunk.cli.main import app
from punktfunk.host.control_messages import (
    DeviceInfo,
    DeviceList,
    Done,
    EndSession,
    GetStatus,
    ListDevices,
    ListPending,
    ListSessions,
    PendingAttempt,
    PendingList,
    RemoveDevice,
    RenameDevice,
    SessionInfo,
    SessionList,
    Status,
    Stop,
    SubmitPin,
)
from punktfunk.host.control_socket import ControlServer, RequestRefused

ANSWERS = {
    GetStatus: Status(pid=7, host_version="1", name="tower", uptime_s=4000.0, gamestream_port=47989, sessions=1),
    ListPending: PendingList(attempts=(PendingAttempt(attempt="a1", name="phone", address="10.0.0.2", waited_s=3.0),)),
    SubmitPin: Done(message="phone is paired."),
    ListDevices: DeviceList(devices=(DeviceInfo(device="d1", name="phone", fingerprint="ab" * 32, connected=True),)),
    RenameDevice: Done(message="d1 is called tablet now."),
    RemoveDevice: Done(message="phone is unpaired."),
    ListSessions: SessionList(sessions=(SessionInfo(session="1", device="phone", app="Desktop", state="live"),)),
    EndSession: Done(message="Session 1 has ended."),
    Stop: Done(),
}


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A control server in a thread; yields the list of requests that it got."""
    asked = []

    async def handle(request):
        asked.append(request)
        if isinstance(request, SubmitPin) and request.pin == "0000":
            raise RequestRefused("No client is waiting for a PIN.")
        return ANSWERS[type(request)]

    ready, loop, done = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve():
        server = ControlServer(tmp_path / "run/punktfunk", dict.fromkeys(ANSWERS, handle))
        await server.start()
        ready.set()
        await done.wait()
        await server.close()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(serve()), loop.close()))
    thread.start()
    assert ready.wait(10)
    for name in [name for name in os.environ if name.startswith(("PUNKTFUNK_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    yield asked
    loop.call_soon_threadsafe(done.set)
    thread.join()


@pytest.mark.parametrize(
    ("arguments", "request_", "words"),
    [
        (["status"], GetStatus(), "tower: process 7, up 1 h, punktfunk not let in, Moonlight on port 47989"),
        (["pair", "--list"], ListPending(), "a1       phone  10.0.0.2  3 s"),
        (["pair", "1234", "--name", "x"], SubmitPin(pin="1234", name="x"), "phone is paired."),
        (
            ["devices", "list"],
            ListDevices(),
            "d1      phone  gamestream  unknown  yes        all  never  abababababababab",
        ),
        (["devices", "rename", "d1", "tablet"], RenameDevice(device="d1", name="tablet"), "d1 is called tablet now."),
        (["devices", "remove", "phone"], RemoveDevice(device="phone"), "phone is unpaired."),
        (["sessions", "list"], ListSessions(), "1        phone   Desktop"),
        (["sessions", "end", "1"], EndSession(session="1"), "Session 1 has ended."),
        (["stop"], Stop(), "The host is stopping."),
    ],
)
def test_commands_ask_and_tell(host, arguments, request_, words):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert words in result.output
    assert host == [request_]


@pytest.mark.parametrize("arguments", [["status"], ["pair", "--list"], ["devices", "list"], ["sessions", "list"]])
def test_json_for_scripts(host, arguments):
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(result.output)["version"] == 1


def test_a_refusal_is_one_sentence_and_exit_code_1(host):
    result = CliRunner().invoke(app, ["pair", "0000"])
    assert result.exit_code == 1
    assert result.output == "No client is waiting for a PIN.\n"


@pytest.mark.usefixtures("host")
def test_a_pin_of_absurd_length_is_refused_without_a_traceback():
    result = CliRunner().invoke(app, ["pair", "1" * 100])
    assert result.exit_code == 1
    assert "pin" in result.output
