"""The routes over real listeners: who may call what, pairing end to end, launching."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.unit.gamestream import tls_client
from tests.unit.gamestream.pairing_client import (
    PairingClient,
    host_identity,
    new_client,
    rsa_key,
    self_signed,
    with_oddities,
)
from tests.unit.gamestream.tls_client import Credentials

from punktfunk.gamestream import http_api
from punktfunk.gamestream.http_api import ROUTES, Access, Caller, GameStreamApi, LaunchReply, session_url
from punktfunk.gamestream.http_server import HttpServer
from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.pairing import PendingAttempt
from punktfunk.gamestream.serverinfo import CodecSupport, HostFacts
from punktfunk.gamestream.tls import server_context
from punktfunk.session.plan import App
from punktfunk.trust.certificate import Certificate
from punktfunk.trust.devices import PairedDevice, Plane
from punktfunk.trust.store import DeviceStore

KEY = rsa_key(1)
CERTIFICATE = self_signed(KEY)
PAIRED = Credentials(CERTIFICATE, KEY)
OTHER = Credentials(self_signed(rsa_key(2)), rsa_key(2))
LAUNCH = "appid=1&rikey=00112233445566778899aabbccddeeff&rikeyid=5&localAudioPlayMode=0&mode=1280x720x60&corever=1"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


class Host:
    """A StreamHost that only remembers."""

    def __init__(self, picture: str) -> None:
        self.running: dict[str, int] = {}
        self.calls: list[tuple[str, Caller, LaunchRequest]] = []
        self.catalogue = [App(1, "Desktop & more", image=picture), App(2, "Game", image="/nonexistent.png")]

    def facts(self, local_address: str) -> HostFacts:
        return HostFacts(
            name="den <pc>",
            unique_id="1F2E3D4C",
            http_port=47989,
            https_port=47984,
            rtsp_port=48010,
            codecs=CodecSupport(0x30301),
            mac="02:11:22:33:44:55",
            extra=(("Permission", "1"),),
        )

    def apps(self) -> list[App]:
        return self.catalogue

    def running_app(self, device: PairedDevice) -> int:
        return self.running.get(device.fingerprint, 0)

    async def launch(self, caller: Caller, request: LaunchRequest) -> LaunchReply:
        if self.running_app(caller.device):
            raise StreamRefused(400, "An app is already running on this host")
        self.running[caller.device.fingerprint] = request.app_id
        self.calls.append(("launch", caller, request))
        return LaunchReply(48010, request.encrypted_rtsp)

    async def resume(self, caller: Caller, request: LaunchRequest) -> LaunchReply:
        if not self.running_app(caller.device):
            raise StreamRefused(503, "No running app to resume")
        self.calls.append(("resume", caller, request))
        return LaunchReply(48010, request.encrypted_rtsp)

    async def cancel(self, device: PairedDevice) -> None:
        self.running.pop(device.fingerprint, None)


class Rig:
    """Both listeners around one API."""

    def __init__(self, directory: Path) -> None:
        self.picture = directory / "art.png"
        self.picture.write_bytes(PNG)
        self.host = Host(str(self.picture))
        self.store = DeviceStore(directory)
        self.pending_changed = asyncio.Event()
        self.api = GameStreamApi(self.host, host_identity(), self.store, pending_changed=self.pending_changed.set)
        self.plain = HttpServer(self.api.handle)
        self.secure = HttpServer(self.api.handle, tls=server_context(host_identity()))
        self.http = self.https = 0

    async def start(self) -> None:
        self.http = await self.plain.start("127.0.0.1", 0)
        self.https = await self.secure.start("127.0.0.1", 0)

    async def pending(self) -> list[PendingAttempt]:
        """The waiting attempts after the next change of them."""
        await asyncio.wait_for(self.pending_changed.wait(), 5)
        self.pending_changed.clear()
        return self.api.pairing.pending(time.monotonic())

    def pair(self, certificate: Certificate, **fields: object) -> None:
        self.store.add(
            PairedDevice(Plane.GAMESTREAM, "tv", certificate.fingerprint, certificate.pem, **fields)  # type: ignore[arg-type]
        )

    async def get(self, target: str) -> ET.Element:
        return ET.fromstring(await tls_client.get(self.http, target))

    async def tls(self, target: str, credentials: Credentials = PAIRED) -> ET.Element:
        return ET.fromstring((await tls_client.tls_get(self.https, target, credentials))[0])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.start()
    rig.pair(CERTIFICATE)
    yield rig
    await rig.plain.close()
    await rig.secure.close()


def texts(root: ET.Element) -> dict[str, str]:
    return {child.tag: child.text or "" for child in root}


async def test_serverinfo_in_clear_says_nothing_about_the_client(rig: Rig) -> None:
    rig.host.running[CERTIFICATE.fingerprint] = 1
    info = texts(await rig.get("/serverinfo?uniqueid=0123456789ABCDEF"))
    assert (info["PairStatus"], info["currentgame"], info["state"]) == ("0", "0", "SUNSHINE_SERVER_FREE")
    assert info["mac"] == "00:00:00:00:00:00"
    assert "Permission" not in info


async def test_serverinfo_of_a_paired_client(rig: Rig) -> None:
    rig.host.running[CERTIFICATE.fingerprint] = 1
    root = await rig.tls("/serverinfo")
    info = texts(root)
    assert root.attrib["status_code"] == "200"
    assert info == {
        "hostname": "den <pc>",
        "appversion": "7.1.431.-1",
        "GfeVersion": "3.23.0.74",
        "uniqueid": "1F2E3D4C",
        "HttpsPort": "47984",
        "ExternalPort": "47989",
        "MaxLumaPixelsHEVC": "1869449984",
        "mac": "02:11:22:33:44:55",
        "LocalIP": "127.0.0.1",
        "ServerCodecModeSupport": "197377",
        "PairStatus": "1",
        "currentgame": "1",
        "state": "SUNSHINE_SERVER_BUSY",
        "Permission": "1",
    }


async def test_each_client_sees_its_own_app(rig: Rig) -> None:
    assert OTHER.certificate is not None
    rig.pair(OTHER.certificate)
    await rig.tls(f"/launch?{LAUNCH}")
    assert texts(await rig.tls("/serverinfo", OTHER))["currentgame"] == "0"
    assert (await rig.tls(f"/launch?{LAUNCH}", OTHER)).attrib["status_code"] == "200"
    await rig.tls("/cancel")
    assert texts(await rig.tls("/serverinfo"))["currentgame"] == "0"
    assert texts(await rig.tls("/serverinfo", OTHER))["currentgame"] == "1"


STRANGERS = {
    "self-signed stranger": OTHER,
    "same subject": Credentials(self_signed(rsa_key(2)), rsa_key(2)),
    "same key in another certificate": Credentials(self_signed(KEY, serial=8), KEY),
    "same key, expired": Credentials(self_signed(KEY, days=1), KEY),
    "same key, not yet valid": Credentials(
        self_signed(KEY, start=datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9)), KEY
    ),
    "same key, version 1": Credentials(with_oddities(CERTIFICATE, KEY, version_1=True, serial=b"\7"), KEY),
    "same key, serial 0": Credentials(with_oddities(CERTIFICATE, KEY, version_1=False, serial=b"\0"), KEY),
}


@pytest.mark.parametrize("kind", STRANGERS)
async def test_only_the_exact_stored_certificate_is_paired(rig: Rig, kind: str) -> None:
    """CVE-2026-32253."""
    for path in ROUTES:
        root = await rig.tls(f"{path}?{LAUNCH}&phrase=pairchallenge", STRANGERS[kind])
        assert root.attrib["status_code"] == "401"
        assert root.attrib["query"] == path
    assert not rig.host.calls


@pytest.mark.parametrize("kind", ["same key, expired", "same key, version 1", "same key, serial 0"])
async def test_odd_certificates_count_when_they_are_the_stored_one(rig: Rig, kind: str) -> None:
    certificate = STRANGERS[kind].certificate
    assert certificate is not None
    rig.pair(certificate)
    assert texts(await rig.tls("/serverinfo", STRANGERS[kind]))["PairStatus"] == "1"


async def test_unpaired_and_disabled_devices_are_out_at_once(rig: Rig) -> None:
    rig.store.set_enabled(CERTIFICATE.fingerprint, False)
    assert (await rig.tls("/serverinfo")).attrib["status_code"] == "401"
    rig.store.set_enabled(CERTIFICATE.fingerprint, True)
    assert (await rig.tls("/serverinfo")).attrib["status_code"] == "200"
    rig.store.remove(CERTIFICATE.fingerprint)
    assert (await rig.tls("/serverinfo")).attrib["status_code"] == "401"


def test_every_route_has_an_explicit_rule() -> None:
    """Only these are open to anybody, and nothing is on TLS."""
    assert {path for path, route in ROUTES.items() if route.plain is Access.ANYBODY} == {
        "/serverinfo",
        "/pair",
        "/unpair",
    }
    assert {route.tls for route in ROUTES.values()} == {Access.PAIRED}


@pytest.mark.parametrize("path", [path for path, route in ROUTES.items() if route.plain is Access.NOBODY])
async def test_routes_of_paired_clients_do_not_exist_in_clear(rig: Rig, path: str) -> None:
    assert (await rig.get(f"{path}?{LAUNCH}")).attrib["status_code"] == "404"
    assert not rig.host.calls


@pytest.mark.parametrize(
    "path", ["/", "/pin", "/SERVERINFO", "/serverinfo/", "//serverinfo", "/x/../serverinfo", "/%73erverinfo"]
)
async def test_unknown_paths(rig: Rig, path: str) -> None:
    assert (await rig.get(path)).attrib["status_code"] == "404"
    assert (await rig.tls(path)).attrib["status_code"] == "404"


async def test_unpair_in_clear_removes_nothing(rig: Rig) -> None:
    await rig.get("/unpair?uniqueid=0123456789ABCDEF")
    assert len(rig.store.devices()) == 1


async def test_applist(rig: Rig) -> None:
    root = await rig.tls("/applist")
    assert [texts(app) for app in root] == [
        {"IsHdrSupported": "1", "AppTitle": "Desktop & more", "ID": "1"},
        {"IsHdrSupported": "1", "AppTitle": "Game", "ID": "2"},
    ]
    body, _ = await tls_client.tls_get(rig.https, "/applist", PAIRED)
    assert b"> <" not in body
    assert b">\n<" not in body


async def test_appasset_is_the_picture(rig: Rig) -> None:
    body, _ = await tls_client.tls_get(rig.https, "/appasset?appid=1&AssetType=2&AssetIdx=0", PAIRED)
    assert body == PNG


@pytest.mark.parametrize("appid", ["2", "3", "", "../art.png", "-1"])
async def test_appasset_that_does_not_exist_is_empty(rig: Rig, appid: str) -> None:
    assert (await tls_client.tls_get(rig.https, f"/appasset?appid={appid}", PAIRED))[0] == b""


@pytest.mark.parametrize("content", [b"GIF89a", b"", b"root:x:0:0"])
async def test_appasset_serves_only_pictures(rig: Rig, content: bytes) -> None:
    rig.picture.write_bytes(content)
    assert (await tls_client.tls_get(rig.https, "/appasset?appid=1", PAIRED))[0] == b""


async def test_appasset_of_unreasonable_size_is_not_served(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "MAX_IMAGE_BYTES", len(PNG) - 1)
    assert (await tls_client.tls_get(rig.https, "/appasset?appid=1", PAIRED))[0] == b""


async def test_launch_resume_cancel(rig: Rig) -> None:
    assert texts(await rig.tls(f"/resume?{LAUNCH}")) == {"resume": "0"}
    assert texts(await rig.tls(f"/launch?{LAUNCH}")) == {"sessionUrl0": "rtspenc://127.0.0.1:48010", "gamesession": "1"}
    again = await rig.tls(f"/launch?{LAUNCH}")
    assert (again.attrib["status_code"], texts(again)) == ("400", {"gamesession": "0"})
    assert texts(await rig.tls("/resume?rikey=" + "ab" * 16 + "&rikeyid=-1")) == {
        "sessionUrl0": "rtsp://127.0.0.1:48010",
        "resume": "1",
    }
    assert texts(await rig.tls("/cancel")) == {"cancel": "1"}
    assert texts(await rig.tls("/serverinfo"))["currentgame"] == "0"
    assert [(name, caller.address) for name, caller, _ in rig.host.calls] == [
        ("launch", "127.0.0.1"),
        ("resume", "127.0.0.1"),
    ]


async def test_launch_without_a_required_parameter(rig: Rig) -> None:
    root = await rig.tls("/launch?appid=1")
    assert (root.attrib["status_code"], texts(root)) == ("400", {"resume": "0"})


def test_session_url_of_ipv6() -> None:
    assert session_url("2001:db8::1", LaunchReply(48010, True)) == "rtspenc://[2001:db8::1]:48010"


async def pair_over_http(rig: Rig, client: PairingClient, pin: str) -> bool:
    """All five phases as a stock client does them; whether phase 5 answered paired=1."""
    attempt = asyncio.create_task(rig.get("/pair?" + urlencode(client.phase_1())))
    (waiting,) = await rig.pending()
    rig.api.pairing.submit_pin(pin, time.monotonic(), name="Sofa", attempt=waiting.attempt)
    client.take_host_certificate(texts(await attempt)["plaincert"])
    second = texts(await rig.get("/pair?" + urlencode(client.phase_2())))
    client.take_challenge_response(second["challengeresponse"])
    await rig.get("/pair?" + urlencode(client.phase_3()))
    await rig.get("/pair?" + urlencode(client.phase_4()))
    fifth = await rig.tls("/pair?phrase=pairchallenge&uniqueid=x", Credentials(client.certificate, client.key))
    return texts(fifth).get("paired") == "1"


async def test_pairing_end_to_end(rig: Rig) -> None:
    client = new_client(3)
    assert await pair_over_http(rig, client, client.pin)
    assert rig.store.devices()[-1].name == "Sofa"


async def test_wrong_pin_end_to_end(rig: Rig) -> None:
    assert not await pair_over_http(rig, new_client(3, pin="1234"), "4321")
    assert len(rig.store.devices()) == 1


async def test_client_that_hangs_up_is_no_longer_waiting(rig: Rig) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", rig.http)
    writer.write(f"GET /pair?{urlencode(new_client(3).phase_1())} HTTP/1.1\r\n\r\n".encode())
    assert len(await rig.pending()) == 1
    writer.close()
    assert not await rig.pending()


async def test_paired_client_cannot_start_a_pairing_over_tls(rig: Rig) -> None:
    root = await rig.tls("/pair?" + urlencode(new_client(3).phase_1()))
    assert texts(root) == {"paired": "0"}


async def test_pairchallenge_in_clear_proves_nothing(rig: Rig) -> None:
    assert texts(await rig.get("/pair?phrase=pairchallenge&uniqueid=x")) == {"paired": "0"}


async def test_secrets_are_not_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = new_client(3, pin="8642")
    assert await pair_over_http(rig, client, client.pin)
    await rig.tls(f"/launch?{LAUNCH}")
    assert "pairing:" in caplog.text
    for secret in ("8642", client.salt.hex(), "00112233445566778899aabbccddeeff"):
        assert secret not in caplog.text
