"""The control envelope and its messages beyond the known answers."""

import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.gamestream.control import (
    ControlError,
    HdrMode,
    LossStatistics,
    RequestIdr,
    Unknown,
    encode_feedback,
    encode_hdr,
    encode_termination,
    parse,
)
from punktfunk.gamestream.control_cipher import REPLAY_WINDOW, ControlCipher, EnvelopeError
from punktfunk.input.events import PlayerLedsChanged, TriggerEffect

KEY = bytes(range(16))


def client_envelope(sequence, kind=0x0302, payload=b"\0\0", *, v2=True, key=KEY, inner=None):
    nonce = struct.pack("<I6x2s", sequence, b"CC") if v2 else bytes([sequence & 0xFF]) + bytes(15)
    inner = struct.pack("<HH", kind, len(payload)) + payload if inner is None else inner
    sealed = AESGCM(key).encrypt(nonce, inner, None)
    return struct.pack("<HHI", 1, 4 + len(sealed), sequence) + sealed[-16:] + sealed[:-16]


@pytest.fixture
def cipher():
    return ControlCipher(KEY, v2=True)


def test_sequence_numbers_may_come_in_any_order(cipher):
    for sequence in (5, 3, 4, 0, 9):
        assert cipher.open(client_envelope(sequence))[0] == sequence


def test_replayed_envelope_is_refused(cipher):
    envelope = client_envelope(3)
    cipher.open(envelope)
    with pytest.raises(EnvelopeError, match="used before"):
        cipher.open(envelope)


def test_envelope_older_than_the_window_is_refused(cipher):
    cipher.open(client_envelope(REPLAY_WINDOW))
    cipher.open(client_envelope(1))
    with pytest.raises(EnvelopeError, match="used before"):
        cipher.open(client_envelope(0))


def test_forged_sequence_number_does_not_move_the_window(cipher):
    forged = bytearray(client_envelope(1))
    forged[4:8] = b"\xff\xff\xff\xff"
    with pytest.raises(EnvelopeError, match="tag"):
        cipher.open(bytes(forged))
    assert cipher.open(client_envelope(1))[0] == 1


def test_asking_for_authenticity_takes_nothing(cipher):
    envelope = client_envelope(0)
    assert cipher.is_authentic(envelope)
    cipher.open(envelope)
    assert not cipher.is_authentic(envelope)
    assert not cipher.is_authentic(client_envelope(1, key=bytes(16)))


def test_old_mode_opens_the_same_sequence_number_again():
    cipher = ControlCipher(KEY, v2=False)
    for sequence in (0, 256, 0):
        assert cipher.open(client_envelope(sequence, v2=False)) == (sequence, 0x0302, b"\0\0")


@pytest.mark.parametrize("v2", [True, False])
def test_a_hosts_own_v2_envelope_is_not_a_clients(v2):
    cipher = ControlCipher(KEY, v2=v2)
    envelope = cipher.seal(0x0109, bytes(4))
    assert cipher.is_authentic(envelope) == (not v2)


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        bytes(27),
        b"\x02" + client_envelope(0)[1:],
        client_envelope(0) + b"\0",
        client_envelope(0)[:-1],
        client_envelope(0, key=bytes(16)),
        client_envelope(0, v2=False),
        client_envelope(0, inner=b"\x02\x03\x01\x00"),
        client_envelope(0, inner=b"\x02\x03\x00\x00\x00"),
    ],
    ids=["empty", "short", "plain", "longer", "cut", "key", "mode", "inner longer", "inner shorter"],
)
def test_bad_envelope(cipher, envelope):
    with pytest.raises(EnvelopeError):
        cipher.open(envelope)


def test_envelopes_are_numbered(cipher):
    sequences = [struct.unpack_from("<I", cipher.seal(0x0109, bytes(4)), 4)[0] for _ in range(3)]
    assert sequences == [0, 1, 2]


def test_key_length_is_checked():
    with pytest.raises(ValueError, match="16 bytes"):
        ControlCipher(bytes(32), v2=True)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (0x0301, bytes(23)),
        (0x0301, struct.pack("<QQQ", 5, 4, 0)),
        (0x0301, struct.pack("<QQQ", 0, 1 << 32, 0)),
        (0x0350, bytes(4)),
        (0x5502, bytes(20)),
        (0x0201, bytes(33)),
    ],
    ids=["range size", "range order", "range end", "LTR size", "FEC status size", "loss size"],
)
def test_bad_message(kind, payload):
    with pytest.raises(ControlError):
        parse(kind, payload)


def test_messages_without_content_may_carry_anything():
    assert parse(0x0302, b"") == parse(0x0302, bytes(99)) == RequestIdr()


def test_loss_statistics():
    payload = struct.pack("<IIIQIII", 3, 50, 1000, 1234, 0, 0, 0x14)
    assert parse(0x0201, payload) == LossStatistics(3, 50, 1234)


def test_unknown_type_is_kept_as_such():
    assert parse(0x3000, bytes(4)) == Unknown(0x3000)


def test_hdr_without_metadata():
    assert encode_hdr(HdrMode(enabled=False)) == (0x010E, bytes(27))


def test_termination_is_big_endian():
    assert encode_termination(0x800E9403) == (0x0109, bytes.fromhex("800e9403"))


def test_player_leds_have_no_message():
    assert encode_feedback(PlayerLedsChanged(0, 1)) is None


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (0, "0200 08 21 00 01020304050607080900 00000000000000000000"),
        (1, "0200 04 00 21 " + "00" * 10 + "01020304050607080900"),
    ],
    ids=["left", "right"],
)
def test_trigger_effect_changes_one_side(side, expected):
    effect = TriggerEffect(2, side, 0x21, bytes(range(1, 10)))
    assert encode_feedback(effect) == (0x5503, bytes.fromhex(expected))
