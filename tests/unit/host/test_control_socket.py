import asyncio
import os
import socket
import stat
import sys

import pytest

from punktfunk.host import control_socket
from punktfunk.host.control_messages import Done, GetStatus, ListDevices, Status, Stop
from punktfunk.host.control_socket import (
    ControlError,
    ControlServer,
    HostAlreadyRunning,
    HostNotRunning,
    RequestRefused,
    ask,
)


async def status(request: GetStatus) -> Status:
    return Status(pid=os.getpid(), host_version="1", name="test", uptime_s=0.0)


async def refuse(request: ListDevices) -> Done:
    raise RequestRefused("not today")


async def break_down(request: Stop) -> Done:
    raise KeyError("secret detail")


HANDLERS = {GetStatus: status, ListDevices: refuse, Stop: break_down}


@pytest.fixture
async def folder(tmp_path):
    server = ControlServer(tmp_path / "run", HANDLERS)
    await server.start()
    yield tmp_path / "run"
    await server.close()


async def test_a_question_is_answered(folder):
    answer = await asyncio.to_thread(ask, folder, GetStatus())
    assert isinstance(answer, Status)
    assert answer.pid == os.getpid()


async def test_a_refusal_reaches_the_person(folder):
    with pytest.raises(RequestRefused, match="not today"):
        await asyncio.to_thread(ask, folder, ListDevices())


async def test_a_broken_handler_tells_nothing_and_breaks_nothing(folder):
    with pytest.raises(RequestRefused, match="its log says why"):
        await asyncio.to_thread(ask, folder, Stop())
    assert isinstance(await asyncio.to_thread(ask, folder, GetStatus()), Status)


async def test_only_the_owner_can_reach_it(folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o600


async def test_other_users_are_not_heard(folder, monkeypatch):
    monkeypatch.setattr(control_socket, "_CREDENTIALS", _FakeCredentials())
    with pytest.raises(ControlError):
        await asyncio.to_thread(ask, folder, GetStatus())


class _FakeCredentials:
    size = 12

    def unpack(self, data: bytes) -> tuple[int, int, int]:
        return 1, os.geteuid() + 1, 1


async def test_a_second_host_is_told_who_runs(folder):
    with pytest.raises(HostAlreadyRunning, match=str(os.getpid())) as error:
        await ControlServer(folder, {}).start()
    assert error.value.pid == os.getpid()
    assert isinstance(await asyncio.to_thread(ask, folder, GetStatus()), Status)


async def test_a_socket_left_by_a_killed_host_is_replaced(tmp_path):
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom punktfunk.host.control_socket import ControlServer\n"
        "async def main():\n await ControlServer(Path(sys.argv[1]), {}).start()\n print('up', flush=True)\n"
        " await asyncio.sleep(60)\nasyncio.run(main())"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"up\n"
    child.kill()
    await child.communicate()
    assert (tmp_path / "control.sock").exists()
    server = ControlServer(tmp_path, HANDLERS)
    await server.start()
    assert isinstance(await asyncio.to_thread(ask, tmp_path, GetStatus()), Status)
    await server.close()
    assert not (tmp_path / "control.sock").exists()


async def test_nobody_there(tmp_path):
    with pytest.raises(HostNotRunning, match="punktfunk-host serve"):
        ask(tmp_path, GetStatus())


async def test_too_long_a_path_is_said(tmp_path):
    with pytest.raises(ControlError, match=r"host\.runtime_dir"):
        await ControlServer(tmp_path / ("x" * 120), {}).start()


@pytest.mark.parametrize("payload", [b'{"request":', b"x" * (control_socket.MAX_MESSAGE_BYTES + 10)])
async def test_slow_and_endless_requests_are_dropped(folder, monkeypatch, payload):
    monkeypatch.setattr(control_socket, "REQUEST_DEADLINE_S", 0.05)
    reader, writer = await asyncio.open_unix_connection(folder / "control.sock")
    writer.write(payload)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_flood_of_connections_is_bounded(folder):
    held = [await asyncio.open_unix_connection(folder / "control.sock") for _ in range(control_socket.MAX_CONNECTIONS)]
    extra = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    extra.setblocking(False)
    await asyncio.get_running_loop().sock_connect(extra, str(folder / "control.sock"))
    assert await asyncio.get_running_loop().sock_recv(extra, 1) == b""
    extra.close()
    for _, writer in held:
        writer.close()
