import asyncio
from contextlib import asynccontextmanager
from xml.etree import ElementTree

import pytest
from tests.conformance.moonlight.client import MoonlightClient, launch_query
from tests.conformance.moonlight.errors import HttpFailed
from tests.conformance.moonlight.http import Response, parse_root
from tests.conformance.moonlight.identity import Identity
from tests.conformance.moonlight.options import StreamOptions
from tests.conformance.moonlight.server_info import App, ServerInfo, check_server_info, parse_apps

INFO = (
    '<root status_code="200"><hostname>den</hostname><appversion>7.1.431.-1</appversion>'
    "<uniqueid>1F2E</uniqueid><HttpsPort>47984</HttpsPort><MaxLumaPixelsHEVC>0</MaxLumaPixelsHEVC>"
    "<mac>00:00:00:00:00:00</mac><LocalIP>192.0.2.1</LocalIP><ServerCodecModeSupport>1</ServerCodecModeSupport>"
    "<PairStatus>0</PairStatus><currentgame>0</currentgame><state>SUNSHINE_SERVER_FREE</state></root>"
)
APPS = (
    '<root status_code="200"><App><IsHdrSupported>0</IsHdrSupported><AppTitle>Desktop</AppTitle>'
    "<ID>881448767</ID></App></root>"
)


@asynccontextmanager
async def serving(tmp_path, raw, close=True):
    release = asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        if not close:
            await release.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with MoonlightClient(http_port=port, identity=Identity.load_or_create(tmp_path)) as client:
        yield client
    release.set()
    server.close()
    await server.wait_closed()


def http(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def test_server_info(tmp_path):
    async with serving(tmp_path, http(INFO)) as client:
        info = await client.serverinfo()
        assert (info.hostname, info.https_port, info.paired, info.current_game) == ("den", 47984, False, 0)
        assert str(client.violations) == "no violations"


async def test_connection_left_open(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.conformance.moonlight.http.CLOSE_GRACE_S", 0.01)
    async with serving(tmp_path, http(INFO), close=False) as client:
        await client.serverinfo()
        assert set(client.violations.counts) == {"http.keep-alive"}


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (http(INFO, "404 Not Found"), "http.status"),
        (http("<root"), "http.xml"),
        (http("<html/>"), "http.root"),
        (http('<root status_code="404"/>'), "http.no-status-message"),
        (http(INFO) + b"more", "http.extra-bytes"),
    ],
)
async def test_bad_answers(tmp_path, raw, rule):
    async with serving(tmp_path, raw) as client:
        if rule == "http.extra-bytes":
            await client.serverinfo()
        else:
            with pytest.raises(HttpFailed):
                await client.serverinfo()
        assert set(client.violations.counts) == {rule}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("431.-1", "450.0", "serverinfo.appversion"),
        ("<PairStatus>0", "<PairStatus>1", "serverinfo.paired-over-http"),
        ("<mac>00", "<mac>02", "serverinfo.mac-over-http"),
        ("Support>1<", "Support>256<", "serverinfo.codec-support"),
        ("HEVC>0", "HEVC>1869449984", "serverinfo.hevc"),
        ("_FREE", "_MJOLNIR", "serverinfo.state"),
        ("<uniqueid>1F2E", "<uniqueid>", "serverinfo.missing"),
    ],
)
def test_server_info_rules(violations, old, new, rule):
    info = ServerInfo.parse(ElementTree.fromstring(INFO.replace(old, new)))
    check_server_info(info, False, None, violations)
    assert rule in violations.counts


def test_unique_id_must_not_change(violations):
    before = ServerInfo.parse(ElementTree.fromstring(INFO))
    check_server_info(ServerInfo.parse(ElementTree.fromstring(INFO.replace("1F2E", "1F2F"))), False, before, violations)
    assert set(violations.counts) == {"serverinfo.uniqueid-changed"}


def test_running_app_counts_only_when_busy():
    text = INFO.replace("<currentgame>0", "<currentgame>7")
    assert ServerInfo.parse(ElementTree.fromstring(text)).current_game == 0
    assert ServerInfo.parse(ElementTree.fromstring(text.replace("_FREE", "_BUSY"))).current_game == 7


def test_apps(violations):
    assert parse_apps(Response(200, {}, APPS.encode()), violations) == [App(881448767, "Desktop", False)]
    assert not violations


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("><App>", ">\n<App>", "applist.white-space"),
        ("Desktop", "", "applist.element"),
        ("881448767", "0", "applist.id"),
        ("881448767", "4000000000", "applist.id"),
        ("<IsHdrSupported>0</IsHdrSupported>", "", "applist.hdr"),
    ],
)
def test_app_list_rules(violations, old, new, rule):
    parse_apps(Response(200, {}, APPS.replace(old, new).encode()), violations)
    assert rule in violations.counts


def test_error_document(violations):
    body = b'<root status_code="401" status_message="no"/>'
    with pytest.raises(HttpFailed) as caught:
        parse_root("/applist", Response(200, {}, body), violations)
    assert (caught.value.status, caught.value.message) == (401, "no")
    assert not violations


def test_launch_query():
    query = launch_query(7, StreamOptions(hdr=True, channels=6, launch_overrides={"sops": None, "mode": "0x0x0"}),
                         bytes(16), -5)  # fmt: skip
    assert (query["mode"], query["rikeyid"], query["surroundAudioInfo"], query["hdrMode"]) == (
        "0x0x0", "-5", "4128774", "1",
    )  # fmt: skip
    assert "sops" not in query
