"""The security checklist at the real process: floods, secrets, strangers at the media ports, keys left held."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import re
import secrets
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import Screen, file_appears, needs_desktop, read, shows_terminal, type_command
from tests.e2e.host_process import MGMT_OFFSET, HostProcess, running_host
from tests.e2e.moonlight_tools import desktop_id, paired_client
from tests.e2e.native_tools import arm

from punktfunk.client.identity import load_identity
from punktfunk.client.pairing import pair

pytestmark = pytest.mark.e2e

MAX_GROWTH_MIB = 24
FLOOD_S = 4.0
LOOPBACK = "127.0.0.1"
STRANGER = "127.0.0.2"
VIDEO, CONTROL, AUDIO, RTSP = 9, 10, 11, 21
RELEASED_WITHIN_S = 1.0
REPEAT_GAP_S = 0.25
"""Longer than the pause between two repeats of a held key."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("host"), "--display", "synthetic") as running:
        yield running


def resident_mib(host: HostProcess) -> float:
    assert host.process is not None
    status = Path(f"/proc/{host.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def open_files(host: HostProcess) -> int:
    assert host.process is not None
    return len(os.listdir(f"/proc/{host.process.pid}/fd"))


def once(port: int, data: bytes, *, wait: bool = True) -> None:
    """One TCP connection with some bytes; whatever comes back is thrown away."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1) as sock:
        sock.settimeout(0.2)
        sock.sendall(data)
        if wait:
            sock.recv(4096)


def flood_pairing(host: HostProcess) -> None:
    salt, certificate = secrets.token_hex(16), (b"-----BEGIN CERTIFICATE-----\n" + secrets.token_bytes(600)).hex()
    query = f"uniqueid={secrets.token_hex(8)}&phrase=getservercert&salt={salt}&clientcert={certificate}"
    once(host.base_port, f"GET /pair?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), wait=False)


def flood_http(host: HostProcess) -> None:
    path = secrets.token_hex(secrets.randbelow(2000) + 1)
    once(host.base_port, f"GET /{path} HTTP/1.1\r\nX-{path}: {path}\r\n\r\n".encode())


def flood_http_headers(host: HostProcess) -> None:
    once(host.base_port, b"GET /serverinfo HTTP/1.1\r\n" + b"A: " + bytes(65) * 1000 + b"\r\n" * 500)


def flood_tls(host: HostProcess) -> None:
    once(host.base_port - 5, b"\x16\x03\x01" + secrets.token_bytes(512))


def flood_rtsp(host: HostProcess) -> None:
    headers = "".join(f"X-{n}: {secrets.token_hex(50)}\r\n" for n in range(200))
    once(host.base_port + RTSP, f"ANNOUNCE streamid=video RTSP/1.0\r\nCSeq: 1\r\n{headers}".encode(), wait=False)


def flood_enet(host: HostProcess) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(50):
            connect = struct.pack("!HH", 0x8FFF, 1) + b"\x82\xff" + struct.pack("!H", 1) + secrets.token_bytes(44)
            sock.sendto(connect, (LOOPBACK, host.base_port + CONTROL))
            sock.sendto(secrets.token_bytes(secrets.randbelow(1300) + 1), (LOOPBACK, host.base_port + CONTROL))


def flood_pings(host: HostProcess) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(50):
            for port in (VIDEO, AUDIO):
                sock.sendto(secrets.token_bytes(20), (LOOPBACK, host.base_port + port))


def flood_management_tls(host: HostProcess) -> None:
    once(host.mgmt_port, b"\x16\x03\x01" + secrets.token_bytes(512))


def over_tls(port: int, data: bytes) -> None:
    """One TLS connection with some bytes; whatever comes back is thrown away."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1) as plain:
        plain.settimeout(0.5)
        with context.wrap_socket(plain) as sock:
            sock.sendall(data)
            sock.recv(4096)


def flood_management_http(host: HostProcess) -> None:
    chunks = b"1\r\na\r\n" * 2000
    start = f"POST /api/v1/auth/login HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: application/json\r\n".encode()
    over_tls(host.mgmt_port, start + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    over_tls(host.mgmt_port, start + b"X: " + secrets.token_bytes(60_000).hex().encode() + b"\r\n\r\n")
    over_tls(host.mgmt_port, secrets.token_bytes(3000) + b"\r\n\r\n")


def flood_websocket(host: HostProcess) -> None:
    upgrade = (
        f"GET /api/v1/play/socket?ticket={secrets.token_hex(800)} HTTP/1.1\r\nHost: {LOOPBACK}:{host.mgmt_port}\r\n"
        f"Origin: https://{LOOPBACK}:{host.mgmt_port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    over_tls(host.mgmt_port, upgrade.encode() + b"\x82\xff\x7f" + secrets.token_bytes(3000))


def flood_quic(host: HostProcess) -> None:
    """Initial packets that decrypt to nothing, versions that do not exist, short packets of no connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for version in (b"\0\0\0\1", secrets.token_bytes(4)):
            for _ in range(20):
                ids = b"\x08" + secrets.token_bytes(8) + b"\x08" + secrets.token_bytes(8) + b"\0"
                packet = b"\xc3" + version + ids + struct.pack("!H", 0x4000 | 1170) + secrets.token_bytes(1170)
                sock.sendto(packet, (LOOPBACK, host.native_port))
            sock.sendto(b"\x40" + secrets.token_bytes(secrets.randbelow(1300)), (LOOPBACK, host.native_port))
            sock.sendto(bytes(60_000), (LOOPBACK, host.native_port))


FLOODS = [
    flood_pairing,
    flood_http,
    flood_http_headers,
    flood_tls,
    flood_rtsp,
    flood_enet,
    flood_pings,
    flood_management_tls,
    flood_management_http,
    flood_websocket,
    flood_quic,
]


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_strangers_is_bounded_in_memory(
    host: HostProcess, flood: Callable[[HostProcess], None]
) -> None:
    def run() -> int:
        count = 0
        until = time.monotonic() + FLOOD_S
        while time.monotonic() < until:
            flood(host)
            count += 1
        return count

    await asyncio.to_thread(flood, host)
    before, files_before, log_before = resident_mib(host), open_files(host), len(host.log())
    times = await asyncio.to_thread(run)
    assert times > 10
    assert resident_mib(host) - before < MAX_GROWTH_MIB
    assert len(host.log()) - log_before < 500_000
    async with MoonlightClient(LOOPBACK, host.base_port, identity=None) as client:  # type: ignore[arg-type]
        assert (await client.http_get("/serverinfo", with_cert=False, timeout_s=5)).status == 200
    await eventually(lambda: open_files(host) <= files_before + 40, 15)


@pytest.mark.parametrize("offset", [-5, 0, RTSP, MGMT_OFFSET])
async def test_slow_clients_are_cut_and_do_not_hold_up_others(host: HostProcess, offset: int) -> None:
    """A byte now and then for as long as it is allowed, on many connections."""
    before = resident_mib(host)
    slow: list[socket.socket] = []
    for _ in range(200):
        with contextlib.suppress(OSError):
            sock = socket.create_connection((LOOPBACK, host.base_port + offset), 1)
            sock.setblocking(False)
            slow.append(sock)
    try:
        began = time.monotonic()
        open_ones = set(slow)
        while open_ones and time.monotonic() - began < 45:
            for sock in list(open_ones):
                try:
                    sock.send(b"G")
                    if sock.recv(1000) == b"":
                        open_ones.discard(sock)
                except BlockingIOError:
                    pass
                except OSError:
                    open_ones.discard(sock)
            await asyncio.sleep(1)
        assert not open_ones, f"{len(open_ones)} of {len(slow)} connections are still open"
        assert resident_mib(host) - before < MAX_GROWTH_MIB
    finally:
        for sock in slow:
            sock.close()
    async with MoonlightClient(LOOPBACK, host.base_port, identity=None) as client:  # type: ignore[arg-type]
        assert (await client.http_get("/serverinfo", with_cert=False, timeout_s=5)).status == 200


async def test_no_secret_of_a_session_is_seen_anywhere(host: HostProcess) -> None:
    async with paired_client(host, "canary") as client:
        stream = await client.launch(await desktop_id(client), StreamOptions())
        await stream.wait_for_frames(30)
        key = stream.launch.key
        private = "".join((host.folder / "config" / "key.pem").read_text().splitlines()[2:4])
        answers = [host.command(*words, "--json").stdout for words in (("status",), ("sessions", "list"))]
        answers.append(host.command("devices", "list", "--json").stdout)
        public = [*answers, host.log(), *(text for pid in host.descendants() for text in seen_of(pid))]
        assert host.process is not None
        public += seen_of(host.process.pid)
        await stream.close()
        await client.cancel()
        public += [host.log()]
    for secret in (key.hex(), base64.b64encode(key).decode(), str(list(key)), repr(key), private[:60]):
        assert not [text for text in public if secret.lower() in text.lower()]
    assert not re.search(r"\b4711\b", host.log())


def seen_of(pid: int) -> tuple[str, str]:
    """What every user of the machine, and what the same user, can see of a process."""
    return read(Path(f"/proc/{pid}/cmdline")), read(Path(f"/proc/{pid}/environ"))


async def test_media_goes_to_nobody_who_did_not_prove_himself(host: HostProcess) -> None:
    """While a stream starts and while it runs: pings of the old kind from the same machine, forged and stolen ones."""
    strangers = [udp(address) for address in (LOOPBACK, STRANGER) for _ in range(2)]
    stop = asyncio.Event()

    async def ping(payload: Callable[[], bytes]) -> None:
        while not stop.is_set():
            for sock in strangers:
                for port in (VIDEO, AUDIO):
                    sock.sendto(payload(), (LOOPBACK, host.base_port + port))
            await asyncio.sleep(0.005)

    pinging = asyncio.create_task(ping(lambda: secrets.token_bytes(20)))
    async with paired_client(host, "victim") as client:
        stream = await client.launch(await desktop_id(client), StreamOptions())
        await stream.wait_for_frames(60)
        stop.set()
        await pinging
        stop.clear()
        pinging = asyncio.create_task(ping(lambda: b"PING"))
        await stream.wait_for_frames(60)
        await asyncio.sleep(0.5)
        stop.set()
        await pinging
        await stream.wait_for_frames(30)
        statistics = stream.statistics()
        await stream.close()
        await client.cancel()
    got = [received(sock) for sock in strangers]
    assert got == [0] * len(strangers)
    assert statistics.longest_stall_s < 0.5


def udp(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.setblocking(False)
    return sock


def received(sock: socket.socket) -> int:
    count = 0
    with contextlib.suppress(OSError):
        while sock.recv(2048):
            count += 1
    sock.close()
    return count


KEY_READER = """
import os, sys, termios, time, tty
tty.setraw(0)
out = open(sys.argv[1], "w", buffering=1)
print("ready", file=out)
while data := os.read(0, 64):
    print(time.monotonic(), data.hex(), file=out)
"""


@needs_desktop
@pytest.mark.parametrize("end", ["vanish", "close"])
async def test_a_key_held_by_a_client_that_dies_is_released_within_a_second(tmp_path: Path, end: str) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    with running_host(tmp_path / "host", "--display", "embedded") as host:
        host.folder.chmod(0o777)
        (host.folder / "reader.py").write_text(KEY_READER)
        keys = host.folder / "keys"
        async with paired_client(host) as client:
            app = await desktop_id(client)
            stream = await client.launch(app, StreamOptions())
            async with Screen(stream) as screen:
                await screen.until(shows_terminal)
                await type_command(stream, f"python3 {host.folder}/reader.py {keys}")
                await file_appears(keys)
                stream.send_key(ord("A"), True)
                await asyncio.sleep(1.2)
            ended_at = time.monotonic()
            await (stream.vanish() if end == "vanish" else stream.close())
            await asyncio.sleep(2.5)
            pressed = [float(line.split()[0]) for line in read(keys).splitlines()[1:]]
            assert len(pressed) > 5, "the key did not repeat"
            assert max(b - a for a, b in itertools.pairwise(pressed[5:])) < REPEAT_GAP_S
            print(f"{end}: released after {pressed[-1] - ended_at:.2f} s")
            assert pressed[-1] - ended_at < RELEASED_WITHIN_S
            stream = await client.resume(app, StreamOptions())
            async with Screen(stream):
                stream.send_key(ord("B"), True)
                stream.send_key(ord("B"), False)
                await eventually(lambda: read(keys).endswith(" 62\n"))
            await stream.close()
            await client.cancel()


@needs_desktop
async def test_a_key_held_by_a_killed_punktfunk_client_is_released_within_a_second(tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    with running_host(tmp_path / "host", "--display", "embedded") as host:
        host.folder.chmod(0o777)
        (host.folder / "reader.py").write_text(KEY_READER)
        keys = host.folder / "keys"
        identity = load_identity(tmp_path)
        await pair(LOOPBACK, host.native_port, await arm(host), identity, name="Holder")
        command = (sys.executable, "-m", "tests.e2e.native_holder", str(host.native_port), tmp_path, host.folder)
        client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert client.stdout is not None
        assert await asyncio.wait_for(client.stdout.readline(), 40) == b"holding\n"
        # Longer than the time after which a silent client's keys are released: this one is not silent.
        await asyncio.sleep(2.5)
        client.kill()
        ended_at = time.monotonic()
        await client.wait()
        await asyncio.sleep(2.5)
        pressed = [float(line.split()[0]) for line in read(keys).splitlines()[1:]]
        assert len(pressed) > 20, "the key did not repeat"
        assert max(b - a for a, b in itertools.pairwise(pressed[5:])) < REPEAT_GAP_S
        print(f"killed: released after {pressed[-1] - ended_at:.2f} s")
        assert pressed[-1] - ended_at < RELEASED_WITHIN_S


async def eventually(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
