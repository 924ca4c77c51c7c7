"""The compatibility rules of punktfunk1.md §4.7: cut tails, longer tails, odd fields; clipboard transfer streams."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.wire.native_table import CONTROL, FROM_CLIENT, FROM_HOST, HELLOS, WELCOMES

from punktfunk.wire.punktfunk1.caps import ClientCaps, HostCaps2
from punktfunk.wire.punktfunk1.clipstream import FetchReader, TransferReader, encode_fetch, encode_fetch_header
from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.datagrams import UnknownDatagram, decode_from_client, decode_from_host
from punktfunk.wire.punktfunk1.enums import Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.extension import MAX_BLOCK_BYTES, MAX_ENTRIES, Extension, encode_extensions
from punktfunk.wire.punktfunk1.framing import FrameDecoder
from punktfunk.wire.punktfunk1.hdr import GENERIC_HDR10
from punktfunk.wire.punktfunk1.hello import Hello, decode_hello, encode_hello
from punktfunk.wire.punktfunk1.messages import (
    ClipFetch,
    ClipFetchHeader,
    CursorShape,
    LaunchOutcome,
    PhaseReport,
    Unknown,
)
from punktfunk.wire.punktfunk1.pad_feedback import Rumble
from punktfunk.wire.punktfunk1.welcome import decode_start, decode_welcome, encode_welcome


def test_hello_cut_anywhere_decodes_to_something_older() -> None:
    for _, raw, full in HELLOS:
        for size in range(20, len(raw)):
            cut = decode_hello(raw[:size])
            assert (cut.width, cut.height, cut.refresh_hz) == (full.width, full.height, full.refresh_hz)
        for size in range(20):
            with pytest.raises(MalformedError, match="hello"):
                decode_hello(raw[:size])


def test_welcome_cut_at_a_field_decodes_to_something_older() -> None:
    _, raw, full = WELCOMES[1]
    for size in range(53, len(raw)):
        assert decode_welcome(raw[:size]).key == full.key
    oldest = decode_welcome(raw[:53])
    assert (oldest.codec, oldest.bit_depth, oldest.bitrate_kbps) == (VideoCodec.HEVC, 8, 0)
    with pytest.raises(MalformedError, match="welcome"):
        decode_welcome(raw[:52])


def test_longer_messages_are_read_as_far_as_known() -> None:
    _, raw, _ = HELLOS[3]
    assert decode_hello(raw + b"future") == decode_hello(raw)
    assert decode_start(bytes.fromhex("504b4631409c") + bytes(2) + b"future").udp_port == 40_000


@pytest.mark.parametrize(
    ("name", "launch"),
    [(b"\x41" + b"x" * 65, b"\x03abc"), (b"\x02\xff\xfe", b"\x03abc"), (b"\x00", b"\x03abc")],
    ids=["too long", "not UTF-8", "empty"],
)
def test_a_bad_name_is_absent_and_keeps_its_place(name: bytes, launch: bytes) -> None:
    hello = decode_hello(encode_hello(Hello(1, 2, 3)) + name + launch + b"\x08")
    assert (hello.name, hello.launch_id, hello.video_caps) == (None, "abc", 8)


def test_display_hdr_is_found_by_length_alone() -> None:
    hello = Hello(1, 2, 3, client_caps=ClientCaps.CURSOR, audio_bits=24, video_fit=1)
    assert decode_hello(encode_hello(hello)).display_hdr is None
    with_hdr = replace(hello, display_hdr=GENERIC_HDR10)
    assert len(encode_hello(with_hdr)) == len(encode_hello(hello)) + 28
    assert decode_hello(encode_hello(with_hdr)) == with_hdr


def test_unknown_enumerations_mean_auto() -> None:
    raw = bytearray(HELLOS[0][1])
    raw[20:22] = b"\xc8\xc9"
    assert (decode_hello(bytes(raw)).compositor, decode_hello(bytes(raw)).gamepad) == (Compositor.AUTO, Gamepad.AUTO)


def test_odd_welcome_fields_read_as_a_client_would() -> None:
    raw = bytearray(WELCOMES[0][1])
    raw[64:67] = b"\x02\x05\x40"
    welcome = decode_welcome(bytes(raw))
    assert (welcome.chroma_format, welcome.audio_channels, welcome.codec) == (1, 2, VideoCodec.HEVC)
    with pytest.raises(MalformedError, match="cipher"):
        decode_welcome(bytes(raw) + b"\x02")
    with pytest.raises(MalformedError, match="chacha_key"):
        decode_welcome(bytes(raw) + b"\x01" + bytes(31))


def test_late_welcome_fields_force_the_earlier_ones() -> None:
    welcome = replace(WELCOMES[0][2], host_caps2=HostCaps2.EXT, extensions=(Extension(1, b"\7"),))
    raw = encode_welcome(welcome)
    assert len(raw) == 69 + 18 + 1 + 1 + 7
    assert decode_welcome(raw) == welcome


def test_extension_limits() -> None:
    for entries in (
        tuple(Extension(tag, b"") for tag in range(MAX_ENTRIES + 1)),
        (Extension(2, bytes(MAX_BLOCK_BYTES)),),
        (Extension(2, b""), Extension(2, b"")),
    ):
        with pytest.raises(MalformedError):
            encode_extensions(entries)
    for block in (b"\xff\xff", b"\x03\x00\x01\x00\x00", b"\x04\x00\x01\x00\x01\x00", b"\x08\x00" + b"\1\0\0\0" * 2):
        with pytest.raises(MalformedError, match="extensions"):
            decode_start(bytes.fromhex("504b4631409c") + block)


@pytest.mark.parametrize(("name", "raw", "value"), CONTROL, ids=[row[0] for row in CONTROL])
def test_control_messages_of_a_wrong_length_are_malformed(name: str, raw: bytes, value: object) -> None:
    both_lengths = ("BitrateChanged", "ProbeResult", "PhaseReport", "CursorShape", "PairRequest")
    for wrong in (raw[:-1], raw + b"\0"):
        if name.startswith(both_lengths) or len(wrong) < 5:
            continue
        with pytest.raises(MalformedError):
            decode_control(wrong)


def test_unknown_messages_are_values() -> None:
    assert decode_control(b"PKFc\xee123") == Unknown(0xEE)
    assert decode_control(b"") == decode_control(b"PKFc") == decode_control(b"XXXX\x01") == Unknown(None)
    assert decode_from_client(b"\xc9" + bytes(20)) == UnknownDatagram(0xC9)
    assert decode_from_host(b"") == UnknownDatagram(None)


@pytest.mark.parametrize(("name", "raw", "value"), FROM_HOST + FROM_CLIENT, ids=[r[0] for r in FROM_HOST + FROM_CLIENT])
def test_datagrams_may_grow_and_short_ones_are_malformed(name: str, raw: bytes, value: object) -> None:
    decode = decode_from_client if raw[0] in (0xC8, 0xCB, 0xCC) else decode_from_host
    with pytest.raises(MalformedError):
        decode(raw[:2] if raw[:2] == b"\xcd\x05" else raw[: min(6, len(raw) - 1)] if raw[0] != 0xCD else raw[:2])
    decode(raw + b"\0" * 3)


def test_rumble_between_two_forms_reads_as_the_shorter() -> None:
    assert decode_from_host(bytes.fromhex("ca010001000200" + "0000")) == Rumble(1, 1, 2)
    assert decode_from_host(bytes.fromhex("ca010001000200" + "076400" + "0101")) == Rumble(1, 1, 2, 7, 100)


def test_coherence_may_be_unknown() -> None:
    raw = encode_control(PhaseReport(1, 2, 3, 4, 0xFFFF))
    assert decode_control(raw) == PhaseReport(1, 2, 3, 4, None)


def test_cursor_shapes_are_bounded() -> None:
    assert decode_control(encode_control(CursorShape(1, 120, 120, 0, 0, bytes(57_600))))
    for width, height, size in ((0, 1, 0), (121, 1, 484), (2, 2, 15)):
        with pytest.raises(MalformedError, match="CursorShape"):
            encode_control(CursorShape(1, width, height, 0, 0, bytes(size)))


def test_texts_are_cut_at_a_character() -> None:
    raw = encode_control(LaunchOutcome(0, "é" * 150))
    assert decode_control(raw) == LaunchOutcome(0, "é" * 100)


def test_values_that_do_not_fit_name_the_message() -> None:
    with pytest.raises(MalformedError, match="PhaseReport"):
        encode_control(PhaseReport(2**64, 0, 0, 0))


def test_a_frame_over_the_limit_is_refused_before_it_is_stored() -> None:
    decoder = FrameDecoder(limit=10)
    with pytest.raises(MalformedError, match="frame"):
        list(decoder.feed(b"\x0b\x00" + bytes(11)))
    assert decoder.buffered <= 2


def test_clipboard_transfer() -> None:
    fetch = ClipFetch(7, "image/png")
    reader = FetchReader()
    stream = encode_fetch(fetch)
    assert [reader.feed(stream[i : i + 1]) for i in range(len(stream))] == [None] * (len(stream) - 1) + [fetch]
    transfer = TransferReader(0.0)
    for byte in encode_fetch_header(ClipFetchHeader(0, 5)) + b"hello":
        transfer.feed(bytes([byte]), 10.0)
    assert transfer.finish() == b"hello"
    assert transfer.deadline == 70.0


@pytest.mark.parametrize("preface", [b"PKFs\x02", b"PKFx", b"X"])
def test_other_streams_are_refused(preface: bytes) -> None:
    with pytest.raises(MalformedError, match="preface"):
        FetchReader().feed(preface)


def test_transfers_are_bounded_and_must_be_whole() -> None:
    header = encode_fetch_header(ClipFetchHeader(0, 0))
    transfer = TransferReader(0.0, limit=10)
    transfer.feed(header + bytes(10), 0.0)
    with pytest.raises(MalformedError, match="transfer"):
        transfer.feed(b"x", 0.0)
    for data in (b"", encode_fetch_header(ClipFetchHeader(0, 5)) + b"hell"):
        short = TransferReader(0.0)
        short.feed(data, 0.0)
        with pytest.raises(MalformedError, match="ended"):
            short.finish()
    denied = TransferReader(0.0)
    denied.feed(encode_fetch_header(ClipFetchHeader(3, 0)), 0.0)
    assert denied.finish() == b""
    with pytest.raises(MalformedError):
        denied.feed(b"x", 0.0)
