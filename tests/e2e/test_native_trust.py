"""Who gets in at a real punktfunk/1 host, and what a hostile client can do to the others."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.native_tools import ADDRESS, command, eventually, paired_identity, pictures, refusal, session

from punktfunk.client.endpoint import dial
from punktfunk.client.errors import ClientError, ConnectionClosedError
from punktfunk.client.identity import ClientIdentity, new_identity
from punktfunk.client.session import Options
from punktfunk.trust.identity import load_gamestream_identity
from punktfunk.wire.punktfunk1.control import encode_control
from punktfunk.wire.punktfunk1.enums import CLOSE_SENTENCES, CloseCode
from punktfunk.wire.punktfunk1.hello import Hello, encode_hello
from punktfunk.wire.punktfunk1.messages import PairProof, Reconfigure, RequestKeyframe

pytestmark = pytest.mark.e2e
MEMORY_BOUND_KB = 60_000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("trust"), "--display", "synthetic") as running:
        yield running


def same_key_again(
    identity: ClientIdentity, *, common_name: str = "punktfunk-client", expired: bool = False
) -> ClientIdentity:
    """Another certificate over the same key, valid now or not any more."""
    assert identity.private_key is not None
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=800 if expired else 1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(identity.private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=30))
        .sign(identity.private_key, hashes.SHA256())
    )
    return replace(identity, certificate=certificate)


async def knocks(host: HostProcess, identity: ClientIdentity) -> bool:
    """Whether this client is not let in, but has to wait for the operator; it is denied."""
    waiting = asyncio.create_task(refusal(host, identity))
    await eventually(lambda: bool(host.json("pending")["attempts"]))
    await command(host, "deny")
    refused = await waiting
    return (refused.code, refused.reason) == (CloseCode.DENIED, CLOSE_SENTENCES[CloseCode.DENIED])


async def test_only_the_very_certificate_that_was_paired_is_let_in(host: HostProcess) -> None:
    identity = await paired_identity(host, "Exact")
    for other in (same_key_again(identity), same_key_again(identity, expired=True), new_identity()):
        assert await knocks(host, other)
    async with session(host, identity) as live:
        await pictures(live, 3)


async def test_a_client_without_certificate_is_sent_away(host: HostProcess) -> None:
    nobody = replace(new_identity(), certificate=None, private_key=None)
    assert (await refusal(host, nobody)).code == CloseCode.IDENTITY_REQUIRED


async def test_an_open_host_lets_everybody_in_and_remembers_certificates(tmp_path: Path) -> None:
    with running_host(tmp_path / "open", "--display", "synthetic", "--open") as host:
        identity = new_identity()
        async with session(host, identity, Options(bitrate_kbps=5000, name="Visitor")) as live:
            await pictures(live, 3)
        devices = (await asyncio.to_thread(host.json, "devices", "list"))["devices"]
        assert [(d["name"], d["fingerprint"]) for d in devices] == [("Visitor", identity.fingerprint.hex())]
        nobody = replace(identity, certificate=None, private_key=None)
        async with session(host, nobody, quit_host=False) as live:
            await pictures(live, 3)
        await eventually(lambda: not host.json("sessions", "list")["sessions"])


async def test_an_older_installation_keeps_its_identity_and_its_devices(tmp_path: Path) -> None:
    config, identity = tmp_path / "old" / "config", new_identity()
    config.mkdir(parents=True, mode=0o700)
    known = load_gamestream_identity(config).fingerprint
    paired = {"clients": [{"name": "From before", "fingerprint": identity.fingerprint.hex()}]}
    (config / "punktfunk1-paired.json").write_text(json.dumps(paired))
    with running_host(tmp_path / "old", "--display", "synthetic") as host:
        options = Options(bitrate_kbps=5000, pin=bytes.fromhex(known))
        async with session(host, identity, options) as live:
            await pictures(live, 3)
    assert not (config / "native-cert.pem").exists()


async def test_a_hostile_client_changes_nothing_for_the_others(host: HostProcess) -> None:
    good, bad = await paired_identity(host, "Good"), await paired_identity(host, "Bad")
    noise = random.Random(7)
    small = Options(bitrate_kbps=2000)
    async with session(host, good, small) as quiet, session(host, bad, small) as loud:
        await pictures(quiet, 5)
        await pictures(loud, 5)
        before = resident_kb(host)
        for round_number in range(200):
            for tag in (0xC8, 0xCB, 0xCC, noise.randrange(256)):
                loud.send_datagram(bytes([tag]) + noise.randbytes(noise.randrange(60)))
            loud._endpoint.send_control(b"PKFc" + noise.randbytes(noise.randrange(40)))
            loud._endpoint.send_control(encode_control(Reconfigure(noise.randrange(9000), 720, round_number)))
            loud._endpoint.send_control(encode_control(RequestKeyframe()))
            if round_number % 10 == 0:
                await asyncio.sleep(0.02)
        await pictures(quiet, 60)
        assert quiet.closed is None
        assert quiet.statistics.video.dropped == 0
        assert resident_kb(host) - before < MEMORY_BOUND_KB


async def test_strangers_in_numbers_are_bounded_and_leave_nothing(host: HostProcess) -> None:
    good = await paired_identity(host, "Resident")
    async with session(host, good, Options(bitrate_kbps=2000)) as live:
        await pictures(live, 5)
        before = resident_kb(host)
        for _ in range(6):
            await asyncio.gather(*(stranger(host) for _ in range(12)))
        assert resident_kb(host) - before < MEMORY_BOUND_KB
        await pictures(live, 30)
        assert len((await asyncio.to_thread(host.json, "pending"))["attempts"]) <= 4
    while (await asyncio.to_thread(host.json, "pending"))["attempts"]:
        attempt = (await asyncio.to_thread(host.json, "pending"))["attempts"][0]["attempt"]
        await command(host, "deny", attempt)


async def stranger(host: HostProcess) -> None:
    """Knocks, sends nonsense, or something out of order."""
    first = random.choice(
        [
            encode_hello(Hello(1920, 1080, 60, name="\u202eevil\nname")),
            encode_hello(Hello(0, 0, 0)),
            encode_control(PairProof(bytes(32))),
            encode_control(RequestKeyframe()),
            os.urandom(900),
            b"",
        ]
    )
    with contextlib.suppress(ClientError):
        endpoint = await dial(ADDRESS, host.native_port, new_identity(), budget_s=3)
        endpoint.send_control(first)
        endpoint.send_control(first)
        with contextlib.suppress(ConnectionClosedError, ClientError):
            await endpoint.next_payload(0.3)
        await endpoint.shut(CloseCode.ERROR)


def resident_kb(host: HostProcess) -> int:
    """Memory of the supervisor."""
    assert host.process is not None
    status = Path(f"/proc/{host.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
