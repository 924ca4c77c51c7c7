"""Known answers of the video datagrams (gamestream.md §4)."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from punktfunk.gamestream.numbers import VideoNumbers
from punktfunk.gamestream.video import DatagramBatch, FrameType, VideoPacketizer, fec_info
from punktfunk.gamestream.video_blocks import Block
from punktfunk.gamestream.video_seal import VideoEnvelope
from punktfunk.wire.aead import BatchSealer

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())


def numbers_at(*, frame_index: int = 1, sequence: int = 0) -> VideoNumbers:
    storage = bytearray(VideoNumbers.STORAGE_BYTES)
    struct.pack_into("=QQ", storage, 0, frame_index - 1, sequence)
    return VideoNumbers(storage)


def datagrams(batch: DatagramBatch) -> list[bytes]:
    size = batch.datagram_bytes
    return [bytes(batch.data[start : start + size]) for start in range(0, len(batch.data), size)]


def packetize(access_unit: bytes, packet_size: int, fec_percentage: int = 20) -> list[bytes]:
    packetizer = VideoPacketizer(packet_size, fec_percentage, 2, None, VideoNumbers())
    return datagrams(packetizer.packetize(access_unit, FrameType.PREDICTED, 0, 0))


def test_consecutive_frames() -> None:
    numbers = VideoNumbers()
    for frame in VECTORS["video_frames"]["frames"]:
        packetizer = VideoPacketizer(
            frame["packet_size"],
            frame["fec_percentage_configured"],
            frame["min_required_fec_packets"],
            None,
            numbers,
        )
        batch = packetizer.packetize(
            bytes.fromhex(frame["access_unit"]),
            FrameType(frame["frame_type"]),
            frame["latency_tenths_ms"],
            frame["rtp_timestamp"],
        )
        assert batch.frame_index == frame["frame_index"]
        assert [datagram.hex() for datagram in datagrams(batch)] == frame["datagrams"]


def test_two_blocks_with_a_sequence_wrap() -> None:
    vector = VECTORS["video_two_blocks"]
    size = vector["access_unit_length"]
    access_unit = bytes([0, 0, 0, 1, 0x41]) + bytes(((i * 7 + 16) & 255) | 1 for i in range(size - 5))
    assert hashlib.sha256(access_unit).hexdigest() == vector["access_unit_sha256"]
    numbers = numbers_at(frame_index=vector["frame_index"], sequence=vector["first_seq"])
    packetizer = VideoPacketizer(vector["packet_size"], 20, 2, None, numbers)
    batch = packetizer.packetize(access_unit, FrameType.PREDICTED, 0, vector["rtp_timestamp"])
    sent = datagrams(batch)
    assert batch.count == len(sent) == vector["datagram_count"]
    assert {index: sent[int(index)][:32].hex() for index in vector["headers_of"]} == vector["headers_of"]
    assert hashlib.sha256(batch.data).hexdigest() == vector["all_datagrams_sha256"]


def test_encrypted_shard() -> None:
    vector = VECTORS["video_encrypted_shard"]
    shard = np.frombuffer(bytes.fromhex(vector["plain_shard"]), np.uint8).reshape(1, -1)
    envelope = VideoEnvelope(BatchSealer(bytes.fromhex(vector["key"])), shard.shape[1])
    envelope.grow(shard)
    sealed = envelope.seal(1, vector["frame_index"], first_nonce=vector["counter"], generation=0)
    assert sealed.hex() == vector["datagram"]


@pytest.mark.parametrize("case", VECTORS["fec_info_packing"])
def test_fec_info(case: dict[str, Any]) -> None:
    block = Block(case["data_shards"], 0, case["percentage"])
    (packed,) = fec_info(block, np.array([case["shard_index"]], np.uint32))
    assert packed == case["value"]
    assert packed.astype("<u4").tobytes().hex() == case["bytes"]


@pytest.mark.parametrize("case", VECTORS["multi_fec_blocks_packing"])
def test_multi_fec_blocks(case: dict[str, Any]) -> None:
    blocks = case["last"] + 1
    sent = packetize(bytes(blocks * 212 * 48 - 8), 64)
    assert len(sent) == blocks * 255
    assert {datagram[27:28].hex() for datagram in sent[case["current"] * 255 :][:255]} == {case["byte"]}


@pytest.mark.parametrize("case", VECTORS["last_payload_len"])
def test_last_payload_len(case: dict[str, Any]) -> None:
    first = packetize(bytes(case["access_unit_bytes"]), case["packet_size"])[0]
    assert struct.unpack_from("<H", first, 36)[0] == case["value"]
