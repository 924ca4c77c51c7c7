"""The parameters of /launch and /resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.launch import LaunchError, LaunchRequest, parse_launch, parse_resume
from punktfunk.media.plan import Mode

VECTORS = json.loads((Path(__file__).parents[2] / "wire" / "vectors" / "gamestream.json").read_text())
KEY = "f31f130d399cb40f9fbdfda9681ad246"
REQUEST = {
    "uniqueid": "0123456789ABCDEF",
    "appid": "881448767",
    "mode": "1280x720x60",
    "additionalStates": "1",
    "sops": "0",
    "rikey": KEY,
    "rikeyid": "341794526",
    "localAudioPlayMode": "0",
    "surroundAudioInfo": "196610",
    "remoteControllersBitmap": "1",
    "gcmap": "1",
    "corever": "1",
}


def launch(**changes: str) -> LaunchRequest:
    return parse_launch(REQUEST | changes)


def test_request_of_the_client_library() -> None:
    assert launch() == LaunchRequest(
        key=bytes.fromhex(KEY),
        key_id=341794526,
        app_id=881448767,
        mode=Mode(1280, 720, 60_000),
        attached_controllers=1,
        encrypted_rtsp=True,
    )


@pytest.mark.parametrize("row", VECTORS["rikeyid"], ids=lambda row: row["rikeyid_text"])
def test_key_iv(row: dict[str, str]) -> None:
    assert launch(rikeyid=row["rikeyid_text"]).key_iv.hex() == row["iv"]
    unsigned = int(row["rikeyid_text"]) & 0xFFFF_FFFF
    assert launch(rikeyid=str(unsigned)).key_iv.hex() == row["iv"]


@pytest.mark.parametrize("name", ["appid", "rikey", "rikeyid", "localAudioPlayMode"])
def test_required_parameters(name: str) -> None:
    query = {key: value for key, value in REQUEST.items() if key != name}
    with pytest.raises(LaunchError, match=name):
        parse_launch(query)


def test_resume_requires_only_the_keys() -> None:
    request = parse_resume({"rikey": KEY, "rikeyid": "-1"})
    assert (request.app_id, request.mode, request.key_id) == (0, None, 0xFFFF_FFFF)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("1920x1080x60", Mode(1920, 1080, 60_000)),
        ("1920x1080x59.94", Mode(1920, 1080, 59_940)),
        ("1920x1080x59940", Mode(1920, 1080, 59_940)),
        ("1366x768x120", Mode(1366, 768, 120_000)),
        ("0x0x0", None),
        ("1920x1080x0", None),
    ],
)
def test_modes(text: str, mode: Mode | None) -> None:
    assert launch(mode=text).mode == mode


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mode", ""),
        ("mode", "1920x1080"),
        ("mode", "-1x1080x60"),
        ("mode", "65535x65535x60"),
        ("mode", "32x32x60"),
        ("mode", "1920x1080x0.5"),
        ("mode", "1920x1080x1000001"),
        ("mode", "1920x1080xinf"),
        ("mode", "1920x1080x1e3"),
        ("rikey", ""),
        ("rikey", KEY[:-2]),
        ("rikey", KEY + "00"),
        ("rikey", "zz" * 16),
        ("rikey", " ".join(KEY[i : i + 2] for i in range(0, 22, 2))),
        ("rikeyid", "4294967296"),
        ("rikeyid", "-2147483649"),
        ("rikeyid", "1.5"),
        ("rikeyid", ""),
        ("appid", "2147483648"),
        ("appid", "١"),
        ("surroundAudioInfo", str(0xFFFF)),
        ("surroundAudioInfo", "0x30002"),
        ("surroundParams", "642\r\nX: 1"),
        ("surroundParams", "6" * 12),
        ("corever", "99999999999"),
        ("scaleFactor", "0"),
        ("gcmap", "-1"),
    ],
)
def test_absurd_values_are_refused_by_name(name: str, value: str) -> None:
    query = REQUEST | {name: value}
    if name == "gcmap":
        del query["remoteControllersBitmap"]
    with pytest.raises(LaunchError, match=name):
        parse_launch(query)


@given(st.dictionaries(st.sampled_from(sorted(REQUEST)), st.text() | st.integers().map(str)))
def test_anything_is_refused_or_within_bounds(changes: dict[str, str]) -> None:
    try:
        request = launch(**changes)
    except LaunchError:
        return
    assert len(request.key) == 16
    assert request.audio_channels in (2, 6, 8)
    assert request.mode is None or 1000 <= request.mode.refresh_mhz <= 1_000_000


def test_key_does_not_show_in_repr() -> None:
    assert "f3" not in repr(launch())
    assert "341794526" not in repr(launch())
