"""Known answers of the audio datagrams (gamestream.md §5)."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from punktfunk.gamestream.audio import AudioCipher, AudioPacketizer, audio_iv
from punktfunk.gamestream.numbers import AudioNumbers

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())


@pytest.mark.parametrize("case", VECTORS["rikeyid"])
def test_iv_of_the_first_packet(case: dict[str, str]) -> None:
    assert audio_iv(int(case["rikeyid_text"]), 0).hex() == case["iv"]


def test_encrypted_block() -> None:
    vector = VECTORS["audio_block"]
    numbers = AudioNumbers(bytearray(struct.pack("=Q", vector["base_seq"])))
    cipher = AudioCipher(bytes.fromhex(vector["key"]), int(vector["rikeyid_text"]))
    packetizer = AudioPacketizer(vector["packet_duration_ms"], cipher, numbers)
    sent = [
        datagram.hex()
        for packet in vector["data_packets"]
        for datagram in packetizer.packetize(bytes.fromhex(packet["opus_packet"]))
    ]
    assert sent == [packet["datagram"] for packet in vector["data_packets"]] + vector["fec_packets"]
    for packet in vector["data_packets"]:
        assert audio_iv(int(vector["rikeyid_text"]), packet["seq"]).hex() == packet["iv"]
