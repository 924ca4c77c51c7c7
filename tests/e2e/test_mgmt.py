"""The management API of a real host, as its owner and as a paired client use it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.identity import Identity
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import desktop_id
from tests.e2e.native_tools import pictures, session

from punktfunk.client.identity import ClientIdentity, new_identity
from punktfunk.client.pairing import pair
from punktfunk.client.session import Options
from punktfunk.trust.identity import load_native_identity

pytestmark = pytest.mark.e2e

API = "/api/v1"
PASSWORD = "canary-7d1f password"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("mgmt"), "--display", "synthetic", "--audio", "off") as running:
        yield running


def pinned(host: HostProcess) -> ssl.SSLContext:
    """A context that trusts the certificate of punktfunk/1 and nothing else."""
    context = ssl.create_default_context(cafile=str(host.folder / "config/native-cert.pem"))
    context.check_hostname = False
    return context


def client(host: HostProcess, **headers: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"https://127.0.0.1:{host.mgmt_port}", verify=pinned(host), headers=headers, timeout=10
    )


def machine_token(host: HostProcess) -> str:
    return (host.folder / "config/mgmt-token").read_text().strip().removeprefix("PUNKTFUNK_MGMT_TOKEN=")


def local(host: HostProcess) -> httpx.Client:
    return client(host, Authorization=f"Bearer {machine_token(host)}")


@pytest.fixture(scope="module")
def owner(host: HostProcess) -> Iterator[httpx.Client]:
    """The owner's browser: the printed link, a password, signed in."""
    found = re.search(r"https://\S+/setup#(\S+)", host.log())
    assert found, host.log()
    origin = f"https://127.0.0.1:{host.mgmt_port}"
    with client(host, Origin=origin) as browser:
        answer = browser.post(f"{API}/auth/setup", json={"secret": found[1], "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        browser.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield browser


def eventually(condition: Any, timeout_s: float = 10.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result


def test_alive_ready_and_known_by_its_certificate(host: HostProcess) -> None:
    with client(host) as anybody:
        assert anybody.get("/livez").text == "ok\n"
        assert anybody.get("/readyz").status_code == 200
        health = anybody.get(f"{API}/health").json()
        assert (health["status"], health["abi_version"]) == ("ok", 2)
        assert anybody.get(f"{API}/openapi.json").json()["openapi"].startswith("3.1")
        assert anybody.get(f"{API}/host").status_code == 401
        assert anybody.get(f"{API}/local/summary").json()["name"] == "test-host"
        assert "punktfunk_info" in anybody.get("/metrics").text
    with local(host) as mine:
        told = mine.get(f"{API}/host").json()
    printed = re.search(r"SHA-256 ([0-9A-F:]+)", host.log())
    assert printed
    assert printed[1].replace(":", "").lower() == told["fingerprint"]
    assert told["ports"]["mgmt"] == host.mgmt_port


def test_first_start_sign_in_and_a_restart(host: HostProcess, owner: httpx.Client) -> None:
    assert owner.get(f"{API}/auth/me").json()["signed_in"]
    assert owner.get(f"{API}/auth/sessions").json()[0]["current"]
    host.stop()
    host.start()
    assert host.log().count("/setup#") == 1
    assert owner.get(f"{API}/auth/me").json()["signed_in"]
    with client(host) as other:
        assert other.post(f"{API}/auth/login", json={"password": "wrong"}).status_code == 401
        assert other.post(f"{API}/auth/login", json={"password": PASSWORD}).status_code == 200


def test_a_moonlight_client_pairs_streams_and_is_steered(host: HostProcess, owner: httpx.Client) -> None:
    async def story() -> None:
        identity = Identity.load_or_create(Path(host.folder, "phone"))
        async with MoonlightClient("127.0.0.1", host.base_port, identity=identity) as phone:
            await phone.serverinfo()
            pairing = asyncio.create_task(phone.pair("4711"))
            await asyncio.to_thread(eventually, lambda: owner.get(f"{API}/pair").json()["pin_pending"])
            answer = await asyncio.to_thread(owner.post, f"{API}/pair/pin", json={"pin": "4711", "name": "My phone"})
            assert answer.status_code == 204, answer.text
            await pairing
            stream = await phone.launch(await desktop_id(phone), StreamOptions(width=640, height=360, fps=30))
            await stream.wait_for_frames(40)
            session = (await asyncio.to_thread(owner.get, f"{API}/sessions")).json()[0]
            assert (session["device_name"], session["codec"], session["streaming"]) == ("My phone", "h264", True)
            assert session["mode"] == {"width": 640, "height": 360, "refresh_mhz": 30_000}
            path = f"{API}/sessions/{session['id']}"
            assert (await asyncio.to_thread(owner.post, f"{path}/idr")).status_code == 202
            changed = await asyncio.to_thread(owner.put, f"{path}/bitrate", json={"kbps": 3000})
            assert changed.json() == {"kbps": 3000}
            await asyncio.to_thread(eventually, lambda: owner.get(path).json()["statistics"]["keyframes"] >= 2)
            assert (await asyncio.to_thread(owner.get, f"{API}/status")).json()["stream"]["bitrate_kbps"] == 3000
            started = await asyncio.to_thread(owner.post, f"{API}/stats/capture/start")
            assert started.json()["armed"]
            await asyncio.to_thread(
                eventually, lambda: owner.get(f"{API}/stats/capture/status").json()["sample_count"] >= 2
            )
            kept = (await asyncio.to_thread(owner.post, f"{API}/stats/capture/stop")).json()
            recording = f"{API}/stats/recordings/{kept['id']}"
            capture = (await asyncio.to_thread(owner.get, recording)).json()
            assert capture["samples"][-1]["session_id"] == session["id"]
            assert capture["samples"][-1]["fps"] > 5
            assert (await asyncio.to_thread(owner.delete, recording)).status_code == 204
            assert (await asyncio.to_thread(owner.delete, path)).status_code == 204
            assert (await asyncio.to_thread(owner.get, f"{API}/sessions")).json() == []
            await stream.close()

    asyncio.run(story())
    device = next(d for d in owner.get(f"{API}/devices").json() if d["name"] == "My phone")
    renamed = owner.patch(f"{API}/devices/{device['fingerprint']}", json={"name": "Telephone"})
    assert renamed.json()["name"] == "Telephone"
    assert owner.delete(f"{API}/devices/{device['fingerprint']}").status_code == 204


def test_apps_act_at_once_and_settings_after_a_restart(host: HostProcess, owner: httpx.Client) -> None:
    body = {"title": "Editor", "launch": {"value": "true"}, "environment": {"A": "1"}}
    made = owner.post(f"{API}/library/custom", json=body)
    assert made.status_code == 201, made.text
    assert "Editor" in [entry["title"] for entry in owner.get(f"{API}/library").json()]
    path = f"{API}/library/custom/{made.json()['id']}"
    assert owner.put(path, json=body | {"launch": {"value": "false"}}).json()["launch"]["value"] == "false"
    assert "Editor" in host.config.read_text()
    assert owner.delete(path).status_code == 204
    changed = owner.patch(f"{API}/settings", json={"changes": {"host.name": "renamed"}})
    assert changed.json()["restart_needed"]
    wrong = owner.patch(f"{API}/settings", json={"changes": {"network.mdns": "perhaps"}})
    assert wrong.status_code == 422
    beaten = owner.patch(f"{API}/settings", json={"changes": {"network.mgmt_port": 50000}})
    assert "--mgmt-port" in beaten.json()["error"]
    host.stop()
    host.start()
    assert owner.get(f"{API}/host").json()["hostname"] == "renamed"


def test_events_continue_where_they_stopped(host: HostProcess, owner: httpx.Client) -> None:
    def read_until(kind: str, **headers: str) -> dict[str, str]:
        with owner.stream("GET", f"{API}/events", headers=headers) as stream:
            event: dict[str, str] = {}
            for line in stream.iter_lines():
                name, _, value = line.partition(": ")
                event[name] = value
                if line == "" and event.pop("event", "") == kind:
                    return event
        raise AssertionError("the stream ended")

    owner.post(f"{API}/library/custom", json={"title": "One"})
    first = read_until("reset", **{"Last-Event-ID": "00000000-1"})
    owner.post(f"{API}/library/custom", json={"title": "Two"})
    assert json.loads(read_until("library", **{"Last-Event-ID": first["id"]})["data"]).keys() == {"changed"}


def test_a_paired_native_client_browses_with_its_certificate(host: HostProcess, owner: httpx.Client) -> None:
    folder = host.folder / "tablet"
    tablet = load_native_identity(folder)
    paired = host.folder / "config/punktfunk1-paired.json"
    paired.write_text(json.dumps({"clients": [{"name": "Tablet", "fingerprint": tablet.fingerprint}]}))
    eventually(lambda: any(d["name"] == "Tablet" for d in owner.get(f"{API}/devices").json()))
    context = pinned(host)
    context.load_cert_chain(folder / "native-cert.pem", folder / "native-key.pem")
    with httpx.Client(base_url=f"https://127.0.0.1:{host.mgmt_port}", verify=context) as browsing:
        titles = browsing.get(f"{API}/library")
        assert titles.status_code == 200
        assert titles.json()[0]["title"] == "Desktop"
        assert browsing.get(f"{API}/host").status_code == 200
        assert browsing.get(f"{API}/settings").status_code == 403
        assert owner.delete(f"{API}/devices/{tablet.fingerprint}").status_code == 204
        assert browsing.get(f"{API}/library").status_code == 401


def test_the_pairing_window_opens_and_closes(owner: httpx.Client) -> None:
    armed = owner.post(f"{API}/native/pair/arm", json={"ttl_secs": 60}).json()
    assert re.fullmatch("[0-9]{4}", armed["pin"])
    assert 55 < armed["expires_in_secs"] <= 60
    assert owner.get(f"{API}/native/pair").json()["armed"]
    assert owner.delete(f"{API}/native/pair").status_code == 204
    assert not owner.get(f"{API}/native/pair").json()["armed"]


def test_native_clients_pair_by_pin_and_by_approval(host: HostProcess, owner: httpx.Client) -> None:
    async def ask(method: str, path: str, body: object = None) -> Any:
        answer = await asyncio.to_thread(owner.request, method, f"{API}{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def story() -> None:
        deck = new_identity()
        await pair("127.0.0.1", host.native_port, (await ask("POST", "/native/pair/arm", {}))["pin"], deck, name="Deck")
        assert "Deck" in [client["name"] for client in await ask("GET", "/native/clients")]
        async with session(host, deck) as live:
            await pictures(live, 5)
            streaming = await ask("GET", "/sessions")
            assert [(s["device_name"], s["plane"], s["streaming"]) for s in streaming] == [("Deck", "native", True)]
            assert (await ask("GET", "/status"))["video_streaming"]
        stranger = new_identity()
        opening = asyncio.create_task(knock(stranger))
        waiting = await asyncio.to_thread(eventually, lambda: owner.get(f"{API}/native/pending").json())
        assert waiting[0]["fingerprint"] == stranger.fingerprint.hex()
        approval = {"name": "Guest", "grants": 1, "expires_in_secs": 3600}
        await ask("POST", f"/native/pending/{waiting[0]['id']}/approve", approval)
        await opening
        guest = next(d for d in await ask("GET", "/devices") if d["name"] == "Guest")
        assert guest["grants"] == 1
        assert 3500 < guest["expires_unix"] - time.time() <= 3600
        for device in await ask("GET", "/native/clients"):
            await ask("DELETE", f"/native/clients/{device['fingerprint']}")

    async def knock(identity: ClientIdentity) -> None:
        async with session(host, identity, Options(name="Stranger")) as live:
            await pictures(live, 1)

    asyncio.run(story())


def test_the_doctor_runs_and_its_results_grow(owner: httpx.Client) -> None:
    assert owner.post(f"{API}/doctor").status_code == 202
    assert owner.post(f"{API}/doctor").status_code == 409
    eventually(lambda: owner.get(f"{API}/doctor").json()["checks"], 20)


@pytest.mark.parametrize(
    "target",
    [
        "/../config/mgmt-token",
        "/..%2f..%2fconfig/mgmt-token",
        "/%252e%252e/mgmt-token",
        "/..\\..\\config\\mgmt-token",
        "//etc/passwd",
        "/api/v1/stats/recordings/../../mgmt-auth.json",
        "/mgmt-token%00",
    ],
)
def test_path_traversal(host: HostProcess, target: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", host.mgmt_port), 5) as plain,
        pinned(host).wrap_socket(plain) as secure,
    ):
        secure.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while more := secure.recv(65536):
            answer += more
    assert answer.split()[1] in (b"400", b"401", b"404")
    assert machine_token(host).encode() not in answer


def test_secrets_are_in_no_log_process_list_or_environment(host: HostProcess, owner: httpx.Client) -> None:
    assert host.process is not None
    cookie = next(iter(owner.cookies.jar)).value or ""
    logged = "".join(line["msg"] for line in owner.get(f"{API}/logs", params={"limit": 1000}).json()["entries"])
    seen = host.log() + logged + (host.folder / "state/audit.jsonl").read_text()
    for pid in (host.process.pid, *host.descendants()):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # one may end meanwhile
                seen += Path(f"/proc/{pid}", name).read_bytes().decode(errors="replace")
    for secret in (PASSWORD, cookie, machine_token(host), owner.headers["X-CSRF-Token"]):
        assert secret
        assert secret not in seen
    assert "setup#" not in logged
    for path in (host.folder / "config").iterdir():
        assert not os.stat(path).st_mode & 0o077, path


def test_a_taken_port_is_told_and_the_api_can_be_left_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = str(holder.getsockname()[1])
        flags = ("--display", "synthetic", "--audio", "off", "--set", f"network.mgmt_port={taken}")
        blocked = HostProcess(tmp_path / "blocked", *flags)
        with pytest.raises(AssertionError, match=f"TCP {taken} \\(management\\) is taken by"):
            blocked.start()
        with running_host(tmp_path / "without", *flags, "--set", "mgmt.enabled=false") as quiet:
            assert "console:" not in quiet.log()
            assert not (quiet.folder / "config/mgmt-token").exists()
