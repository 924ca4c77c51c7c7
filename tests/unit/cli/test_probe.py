"""punktfunk-probe's options, output and exit codes, with the network left out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from punktfunk.cli import probe
from punktfunk.client.connection import Mode
from punktfunk.client.discovery import FoundHost
from punktfunk.client.errors import (
    ClientError,
    FingerprintMismatchError,
    NotApprovedError,
    UnreachableError,
    WrongPinError,
    closed,
)
from punktfunk.client.identity import KnownHost, KnownHosts
from punktfunk.client.session import Options
from punktfunk.wire.punktfunk1.caps import VideoCaps
from punktfunk.wire.punktfunk1.enums import VideoCodec

FINGERPRINT = "ab" * 32


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the program; its exit code, output and error output."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["punktfunk-probe", "--client-dir", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as caught:
            probe.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``connect`` was called with; ``error`` is what it raises."""
    seen: dict[str, Any] = {"error": UnreachableError("nobody")}

    @contextlib.asynccontextmanager
    async def connect(host: str, identity: object, options: Options, *, port: int) -> AsyncIterator[None]:
        seen.update(host=host, port=port, options=options)
        raise seen["error"]
        yield

    monkeypatch.setattr(probe, "connect", connect)
    return seen


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnreachableError("nobody"), 3),
        (closed(0x42), 4),
        (closed(0x60), 4),
        (NotApprovedError("nobody approved"), 4),
        (FingerprintMismatchError(FINGERPRINT, "cd" * 32), 5),
        (ClientError("other"), 1),
        (PermissionError("disk"), 1),
    ],
)
def test_errors_have_exit_codes_and_a_sentence(run: Any, asked: dict[str, Any], error: Exception, code: int) -> None:
    asked["error"] = error
    assert run("--host", "192.0.2.7") == (code, "", f"{error}\n")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7", "192.0.2.7", 9777),
        ("den:1234", "den", 1234),
        ("[2001:db8::7]", "2001:db8::7", 9777),
        ("[2001:db8::7]:99", "2001:db8::7", 99),
    ],
)
def test_addresses(run: Any, asked: dict[str, Any], text: str, host: str, port: int) -> None:
    run("--host", text)
    assert (asked["host"], asked["port"]) == (host, port)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seconds", "3"),
        ("--host", "a:b:c"),
        ("--host", "a:99999"),
        ("--host", "a", "--mode", "big"),
        ("--host", "a", "--remode", "1x1"),
        ("--host", "a", "--codec", "mpeg2"),
        ("--host", "a", "--channels", "3"),
        ("--host", "a", "--pair", "--pin", "12"),
        ("--host", "a", "--fingerprint", "zz"),
        ("--host", "a", "--seconds", "0"),
    ],
)
def test_wrong_options(run: Any, asked: dict[str, Any], arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err


def test_options_reach_the_session(run: Any, asked: dict[str, Any]) -> None:
    run(
        "--host",
        "a",
        "--mode",
        "1920x1080@120",
        "--codec",
        "av1",
        "--bitrate",
        "9000",
        "--chacha",
        "--launch",
        "steam:5",
    )
    options = asked["options"]
    assert options.mode == Mode(1920, 1080, 120)
    assert (options.codecs, options.preferred) == (VideoCodec.AV1, VideoCodec.AV1)
    assert (options.bitrate_kbps, options.launch_id) == (9000, "steam:5")
    assert VideoCaps.CHACHA20 in options.video_caps
    assert options.pin is None


def test_a_known_host_is_pinned(run: Any, asked: dict[str, Any], tmp_path: Path) -> None:
    KnownHosts(tmp_path).add(KnownHost("a", 9777, FINGERPRINT))
    run("--host", "a")
    assert asked["options"].pin == bytes.fromhex(FINGERPRINT)
    run("--host", "a", "--fingerprint", "CD" * 32)
    assert asked["options"].pin == bytes.fromhex("cd" * 32)
    assert run("--host", "a", "--forget")[0] == 0
    assert run("--host", "a", "--forget")[0] == 1
    run("--host", "a")
    assert asked["options"].pin is None


def test_pairing_pins_the_host(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def pair(host: str, port: int, pin: str, identity: object, **options: object) -> bytes:
        if pin != "1234":
            raise WrongPinError("wrong")
        return bytes.fromhex(FINGERPRINT)

    monkeypatch.setattr(probe, "pair_with", pair)
    assert run("--host", "a", "--pair", "--pin", "0000")[0] == 4
    code, out, _ = run("--host", "a", "--pair", "--pin", "1234", "--json")
    assert (code, json.loads(out)) == (0, {"paired": True, "host_fingerprint": FINGERPRINT})
    known = KnownHosts(tmp_path).find("a", 9777)
    assert known is not None
    assert known.paired


def test_discovery(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[FoundHost] = []

    async def discover(seconds: float) -> list[FoundHost]:
        return hosts

    monkeypatch.setattr(probe, "find_hosts", discover)
    assert run("--discover")[0] == 3
    hosts.append(FoundHost("Den", "192.0.2.7", 9777, FINGERPRINT, True, "7"))
    code, out, _ = run("--discover")
    assert code == 0
    assert "Den" in out
    assert "192.0.2.7:9777" in out
    assert "pairing" in out
    (entry,) = json.loads(run("--discover", "--json")[1])
    assert (entry["name"], entry["fingerprint"], entry["pairing_required"]) == ("Den", FINGERPRINT, True)


def test_help_has_examples_and_exit_codes(run: Any) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "--pair --pin 1234" in out
    assert "Exit codes" in out
