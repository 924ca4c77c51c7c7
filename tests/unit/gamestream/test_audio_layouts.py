"""Opus layouts against the recorded lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from punktfunk.gamestream.audio_layouts import (
    MAX_PACKET_BYTES,
    audio_plan,
    describe_lines,
    parse_surround_params,
    rotate_as_client,
    rotate_for_client,
)

VECTORS = json.loads((Path(__file__).parents[2] / "wire" / "vectors" / "gamestream.json").read_text())


def test_describe_lines() -> None:
    assert describe_lines("") == ["21101", "21101", "642012453", "660012345", "85301245673", "88001234567"]


@pytest.mark.parametrize("row", VECTORS["surround_params"], ids=lambda row: row["line_value"])
def test_encoder_uses_what_the_client_decodes_with(row: dict) -> None:
    expected = row["client_decodes_with"]
    plan = audio_plan(expected["channels"], high_quality=row["quality"] == "high", packet_ms=5)
    assert row["line_value"] in describe_lines("")
    assert (plan.streams, plan.coupled, list(plan.mapping)) == (
        expected["streams"],
        expected["coupled"],
        expected["mapping"],
    )


def test_rotations_undo_each_other() -> None:
    for size in (2, 6, 8):
        mapping = tuple(range(size))
        assert rotate_as_client(rotate_for_client(mapping)) == mapping


def test_custom_layout_leads_and_is_encoded_as_the_client_decodes_it() -> None:
    custom = "642014235"
    assert describe_lines(custom)[:2] == [custom, custom]
    assert audio_plan(6, high_quality=True, packet_ms=5, custom=custom).mapping == (0, 1, 4, 2, 3, 5)
    assert audio_plan(6, high_quality=False, packet_ms=5, custom=custom).mapping == (0, 1, 4, 5, 2, 3)
    assert audio_plan(8, high_quality=False, packet_ms=5, custom=custom).streams == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "21101",
        "6420124",
        "642012456",
        "6330123456",
        "624012345",
        "661012345",
        "641012345",
        "abcdefghi",
        "٦42012453",
    ],
)
def test_unusable_custom_layouts_are_ignored(text: str) -> None:
    assert parse_surround_params(text) is None
    assert describe_lines(text) == describe_lines("")


@pytest.mark.parametrize("channels", [2, 6, 8])
@pytest.mark.parametrize("packet_ms", [5, 10])
@pytest.mark.parametrize("high_quality", [False, True])
def test_packets_fit_the_clients_buffer(channels: int, packet_ms: int, high_quality: bool) -> None:
    plan = audio_plan(channels, high_quality=high_quality, packet_ms=packet_ms)
    assert plan.bitrate_bps * packet_ms / 8000 <= MAX_PACKET_BYTES
