"""What must never leave a session: its keys, and its picture to somebody else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.moonlight.handshake import Launch
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import desktop_id, paired_client

pytestmark = pytest.mark.e2e
PIN = "4711"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[HostProcess]:
    with running_host(tmp_path / "host", "--display", "synthetic") as running:
        yield running


def visible_to_others(host: HostProcess) -> bytes:
    """Arguments and environment of the host and of everything that it started."""
    assert host.process is not None
    seen = b""
    for pid in (host.process.pid, *host.descendants()):
        with contextlib.suppress(OSError):
            seen += Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    return seen


async def test_the_key_of_a_session_is_nowhere_to_be_read(host: HostProcess) -> None:
    async with paired_client(host) as client:
        reply = await client.request_launch(await desktop_id(client), StreamOptions())
        launch: Launch = reply.launch
        stream = await client.start_stream(reply, StreamOptions())
        await stream.wait_for_frames(30)
        key = launch.key
        forms = (key, key.hex().encode(), key.hex().upper().encode())
        said = host.log().encode() + visible_to_others(host)
        said += str(host.json("sessions", "list")).encode() + str(host.json("devices", "list")).encode()
        assert not [form for form in forms if form in said]
        assert b"PRIVATE KEY" not in said
        assert f"pin={PIN}".encode() not in said.lower()
        await stream.close()


async def test_a_stranger_gets_no_picture_by_sending_first(host: HostProcess) -> None:
    async with paired_client(host) as client:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            stranger.setblocking(False)
            reply = await client.request_launch(await desktop_id(client), StreamOptions())
            for offset in (9, 11):
                for guess in (b"PING", b"0" * 20, b"moonlight-ctest"):
                    stranger.sendto(guess, ("127.0.0.1", host.base_port + offset))
            stream = await client.start_stream(reply, StreamOptions())
            await stream.wait_for_frames(60)
            with pytest.raises(BlockingIOError):
                stranger.recv(2048)
            await stream.close()


def test_private_files_are_private(host: HostProcess) -> None:
    config = host.folder / "config"
    assert config.stat().st_mode & 0o077 == 0
    loose = [file.name for file in config.iterdir() if file.is_file() and file.stat().st_mode & 0o077]
    assert loose == [], loose
    assert (host.runtime / "control.sock").stat().st_mode & 0o077 == 0
