from __future__ import annotations

import socket
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.audio import (
    MAX_PAYLOAD_BYTES,
    PARITY_MATRIX,
    AudioCipher,
    AudioPacketizer,
    AudioPacketTooLarge,
    audio_iv,
)
from punktfunk.gamestream.audio_sender import AudioSender
from punktfunk.gamestream.numbers import AudioNumbers
from punktfunk.media.frames import OpusPacket
from punktfunk.wire.gf256 import ErasureCode

KEY = bytes(range(16))


def numbers_at(index: int) -> AudioNumbers:
    return AudioNumbers(bytearray(struct.pack("=Q", index)))


def decrypt(ciphertext: bytes, rikeyid: int, sequence: int) -> bytes:
    decryptor = Cipher(AES128(KEY), CBC(audio_iv(rikeyid, sequence))).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()


def test_parity_follows_every_fourth_packet() -> None:
    packetizer = AudioPacketizer(5, None, AudioNumbers())
    assert [len(packetizer.packetize(bytes(60))) for _ in range(8)] == [1, 1, 1, 3, 1, 1, 1, 3]


@pytest.mark.parametrize("packet_ms", [5, 10])
def test_sequence_and_timestamp_wrap(packet_ms: int) -> None:
    packetizer = AudioPacketizer(packet_ms, None, numbers_at(0xFFFC))
    sent = [datagram for _ in range(8) for datagram in packetizer.packetize(bytes(60))]
    data = [struct.unpack_from(">HI", datagram, 2) for datagram in sent if datagram[1] == 97]
    assert [sequence for sequence, _ in data] == [0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0, 1, 2, 3]
    assert [stamp for _, stamp in data] == [(0xFFFC + i) * packet_ms for i in range(8)]
    parity = [struct.unpack_from(">HIIBBHI", datagram, 2) for datagram in sent if datagram[1] == 127]
    assert parity == [
        (0, 0, 0, 0, 97, 0xFFFC, 0xFFFC * packet_ms),
        (1, 0, 0, 1, 97, 0xFFFC, 0xFFFC * packet_ms),
        (4, 0, 0, 0, 97, 0, 0x10000 * packet_ms),
        (5, 0, 0, 1, 97, 0, 0x10000 * packet_ms),
    ]


@given(
    st.integers(1, 300).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=4, max_size=4)),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 2**20).map(lambda block: 4 * block),
    st.sets(st.integers(0, 5), min_size=4, max_size=4),
)
def test_any_four_of_six_restore_the_block(
    packets: list[bytes], sealed: bool, rikeyid: int, base: int, present: set[int]
) -> None:
    packetizer = AudioPacketizer(5, AudioCipher(KEY, rikeyid) if sealed else None, numbers_at(base))
    sent = [datagram for packet in packets for datagram in packetizer.packetize(packet)]
    shards = np.zeros((6, len(sent[0]) - 12), np.uint8)
    for index in present:
        shards[index] = np.frombuffer(sent[index][12 if index < 4 else 24 :], np.uint8)
    ErasureCode(PARITY_MATRIX).decode(shards, present)
    restored = [shards[index].tobytes() for index in range(4)]
    if sealed:
        restored = [decrypt(payload, rikeyid, base + i & 0xFFFF) for i, payload in enumerate(restored)]
    assert restored == packets


def test_a_block_of_unequal_lengths_goes_without_parity() -> None:
    packetizer = AudioPacketizer(5, None, AudioNumbers())
    sent = [len(packetizer.packetize(bytes(size))) for size in (60, 60, 61, 60, 60, 60, 60, 60)]
    assert sent == [1, 1, 1, 1, 1, 1, 1, 3]
    assert packetizer.blocks_without_parity == 1


def test_so_does_the_block_of_a_takeover() -> None:
    packetizer = AudioPacketizer(5, None, numbers_at(2))
    assert [len(packetizer.packetize(bytes(60))) for _ in range(6)] == [1, 1, 1, 1, 1, 3]
    assert packetizer.blocks_without_parity == 1


def test_packets_beyond_the_clients_buffer_use_no_number() -> None:
    for cipher, largest in ((None, MAX_PAYLOAD_BYTES), (AudioCipher(KEY, 0), MAX_PAYLOAD_BYTES - 1)):
        packetizer = AudioPacketizer(5, cipher, AudioNumbers())
        with pytest.raises(AudioPacketTooLarge):
            packetizer.packetize(bytes(largest + 1))
        (datagram,) = packetizer.packetize(bytes(largest))
        assert len(datagram) == 12 + MAX_PAYLOAD_BYTES
        assert datagram[2:4] == b"\0\0"


@pytest.mark.parametrize("packet_ms", [0, 2, 20, -5])
def test_packet_durations(packet_ms: int) -> None:
    with pytest.raises(ValueError, match="5 or 10"):
        AudioPacketizer(packet_ms, None, AudioNumbers())


def test_the_sender_waits_for_an_endpoint_and_counts() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.bind(("127.0.0.1", 0))
        client.settimeout(5)
        sender = AudioSender(sock, AudioPacketizer(5, None, AudioNumbers()))
        assert not sender.send(OpusPacket(bytes(60), 0))
        sender.set_endpoint(client.getsockname())
        assert all(sender.send(OpusPacket(bytes(60), 0)) for _ in range(4))
        assert not sender.send(OpusPacket(bytes(2000), 0))
        assert [client.recv(200)[1] for _ in range(6)] == [97, 97, 97, 97, 127, 127]
        assert (sender.statistics.packets_sent, sender.statistics.packets_dropped) == (4, 2)
        assert sender.statistics.datagrams.packets == 6
