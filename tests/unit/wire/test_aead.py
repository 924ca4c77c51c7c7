from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.wire.aead import NONCE_BYTES, TAG_BYTES, BatchSealer

KEY = bytes(range(16))


def test_each_packet_is_sealed_with_its_own_nonce_into_place() -> None:
    plaintexts = [bytes([i]) * 50 for i in range(3)]
    nonces = [bytes([i]) * NONCE_BYTES for i in range(3)]
    out = bytearray(3 * (50 + TAG_BYTES))
    views = [memoryview(out)[i * 66 : (i + 1) * 66] for i in range(3)]
    BatchSealer(KEY).seal_each(nonces, [memoryview(plaintext) for plaintext in plaintexts], views)
    expected = [
        AESGCM(KEY).encrypt(nonce, plaintext, None) for nonce, plaintext in zip(nonces, plaintexts, strict=True)
    ]
    assert bytes(out) == b"".join(expected)


def test_an_output_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer must be"):
        BatchSealer(KEY).seal_each([bytes(12)], [memoryview(bytes(50))], [memoryview(bytearray(65))])


@pytest.mark.parametrize("size", [0, 15, 24, 32])
def test_only_aes_128(size: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        BatchSealer(bytes(size))
