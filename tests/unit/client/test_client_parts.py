"""The client's small parts: channel, identity, adverts, sound order, pads, timeline, codecs."""

from __future__ import annotations

import asyncio
import math
import stat
import struct
from pathlib import Path

import numpy as np
import pytest

from punktfunk.client.audio_order import MAX_CONCEALED_FRAMES, AudioOrder, AudioPacket
from punktfunk.client.channel import Channel
from punktfunk.client.discovery import SERVICE, FoundHost, read_advert
from punktfunk.client.errors import ConnectionClosedError, closed
from punktfunk.client.identity import MAX_KNOWN_HOSTS, IdentityError, KnownHost, KnownHosts, load_identity
from punktfunk.client.inputs import MAX_TEXT_CHARACTERS, InputSender
from punktfunk.client.microphone import MAX_PENDING_BYTES, Microphone
from punktfunk.client.opus import MICROPHONE_SAMPLES, OpusDecoder, VoiceEncoder
from punktfunk.client.pad_board import REFRESH_S, PadBoard, PadState
from punktfunk.client.sound import SoundDecoder, WavWriter
from punktfunk.client.timeline import PictureTimeline
from punktfunk.media.opus import OpusError
from punktfunk.wire.punktfunk1.audio import AudioFrame, RedundantAudioFrame
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.enums import CloseCode, Gamepad
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, PadSnapshot, decode_input
from punktfunk.wire.punktfunk1.rich_input import PEN_IN_RANGE, PenBatch, PenSample, decode_rich_input
from punktfunk.wire.punktfunk1.welcome import PcmAudio, Welcome

FINGERPRINT = "ab" * 32


async def test_a_channel_drops_the_oldest_and_ends() -> None:
    channel: Channel[int] = Channel(3)
    for value in range(1000):
        channel.put(value)
    assert len(channel) == 3
    assert channel.dropped == 997
    channel.close()
    channel.put(5)
    assert [value async for value in channel] == [997, 998, 999]


async def test_a_cancelled_reader_loses_nothing() -> None:
    channel: Channel[int] = Channel(3)
    reader = asyncio.ensure_future(anext(channel))
    await asyncio.sleep(0)
    reader.cancel()
    channel.put(1)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await anext(channel) == 1


def test_the_identity_is_made_once_and_kept(tmp_path: Path) -> None:
    first = load_identity(tmp_path / "client")
    assert load_identity(tmp_path / "client").fingerprint == first.fingerprint
    assert stat.S_IMODE((tmp_path / "client/client.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(first)


def test_a_damaged_identity_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("junk")
    with pytest.raises(IdentityError, match="damaged"):
        load_identity(tmp_path)
    pem = load_identity(tmp_path / "a"), load_identity(tmp_path / "b")
    assert pem[0].fingerprint != pem[1].fingerprint
    first, second = (tmp_path / name / "client.pem" for name in "ab")
    certificate = first.read_text().partition("-----BEGIN PRIVATE")[0]
    key = second.read_text().partition("-----BEGIN PRIVATE")[2]
    first.write_text(certificate + "-----BEGIN PRIVATE" + key)
    with pytest.raises(IdentityError, match="not its certificate"):
        load_identity(tmp_path / "a")


def test_known_hosts(tmp_path: Path) -> None:
    hosts = KnownHosts(tmp_path)
    assert hosts.find("192.0.2.7", 9777) is None
    paired = KnownHost("192.0.2.7", 9777, FINGERPRINT, paired=True)
    hosts.add(paired)
    hosts.add(KnownHost("192.0.2.7", 9777, FINGERPRINT))
    assert hosts.find("192.0.2.7", 9777) == paired
    assert stat.S_IMODE((tmp_path / "hosts.json").stat().st_mode) == 0o600
    assert hosts.forget("192.0.2.7", 9777)
    assert not hosts.forget("192.0.2.7", 9777)


def test_known_hosts_are_bounded(tmp_path: Path) -> None:
    hosts = KnownHosts(tmp_path)
    hosts._write([KnownHost("192.0.2.7", port, FINGERPRINT) for port in range(1, 2 * MAX_KNOWN_HOSTS)])
    assert len(hosts.all()) == MAX_KNOWN_HOSTS


@pytest.mark.parametrize(
    "text", ["junk", "[]", '{"hosts": [{}]}', '{"hosts": [{"address": "a", "port": 1, "fingerprint": "x"}]}']
)
def test_damaged_pins_are_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts.json").write_text(text)
    with pytest.raises(IdentityError, match="damaged"):
        KnownHosts(tmp_path).all()


def test_an_advert_is_read() -> None:
    txt = {"proto": "punktfunk/1", "fp": FINGERPRINT, "pair": "required", "id": "7", "mgmt": "47990", "os": "Linux/x!"}
    host = read_advert(f"Den.{SERVICE}", ["192.0.2.7", "fe80::1"], 9777, {**txt, "mac": "aa:bb:cc:dd:ee:ff,junk"})
    macs = ("aa:bb:cc:dd:ee:ff",)
    assert host == FoundHost("Den", "192.0.2.7", 9777, FINGERPRINT, True, "7", 47990, "linux/x", macs)


@pytest.mark.parametrize(
    ("addresses", "port", "txt"),
    [([], 9777, {}), (["fe80::1"], 9777, {}), (["192.0.2.7"], 0, {}), (["192.0.2.7"], 9777, {"proto": "other/1"})],
)
def test_adverts_that_are_not_ours(addresses: list[str], port: int, txt: dict[str, str | None]) -> None:
    assert read_advert(f"Den.{SERVICE}", addresses, port, txt) is None


def test_the_address_of_an_advert_decides_among_several() -> None:
    host = read_advert(f"Den.{SERVICE}", ["192.0.2.7", "192.0.2.9"], 9777, {"addr": "192.0.2.9", "mgmt": "99999"})
    assert host is not None
    assert (host.address, host.management_port, host.fingerprint) == ("192.0.2.9", 0, None)


def test_every_close_code_is_a_sentence() -> None:
    for code in CloseCode:
        error = closed(code)
        assert isinstance(error, ConnectionClosedError)
        assert "code 0x" not in str(error)
        assert str(closed(code, "why")).endswith(": why")
        assert str(closed(code, str(error))) == str(error)
    assert "0x7f" in str(closed(0x7F))


def payloads(packets: list[AudioPacket]) -> list[bytes | None]:
    return [packet.payload for packet in packets]


def frame(seq: int) -> AudioFrame:
    return AudioFrame(seq, seq, b"%d" % seq)


def test_sound_is_put_in_order() -> None:
    order = AudioOrder()
    assert payloads(order.receive(frame(5))) == [b"5"]
    assert payloads(order.receive(frame(7))) == []
    assert payloads(order.receive(frame(6))) == [b"6", b"7"]
    assert payloads(order.receive(frame(6))) == []
    assert order.statistics.late == 1


def test_lost_sound_is_marked_after_a_while() -> None:
    order = AudioOrder()
    order.receive(frame(0))
    order.receive(frame(2))
    assert payloads(order.receive(frame(3))) == [None, b"2", b"3"]
    assert order.statistics.lost == 1


def test_a_pause_is_not_concealed_for_long() -> None:
    order = AudioOrder()
    order.receive(frame(0))
    order.receive(frame(10_000))
    assert payloads(order.receive(frame(10_001))) == [None] * MAX_CONCEALED_FRAMES + [b"10000", b"10001"]


def test_redundancy_restores_at_once() -> None:
    order = AudioOrder()
    order.receive(RedundantAudioFrame(0, 0, b"0", b""))
    assert payloads(order.receive(RedundantAudioFrame(2, 2, b"2", b"1"))) == [b"1", b"2"]
    assert order.statistics.restored == 1


def test_sound_wraps_and_stays_bounded() -> None:
    order = AudioOrder()
    order.receive(frame(0xFFFF_FFFF))
    assert payloads(order.receive(frame(0))) == [b"0"]
    for seq in range(0, 1_000_000, 997):
        order.receive(frame(seq))
    assert len(order._ahead) <= 2


def test_opus_both_ways() -> None:
    encoder, decoder = VoiceEncoder(), OpusDecoder(2)
    tone = struct.pack(f"={MICROPHONE_SAMPLES}h", *(int(9000 * math.sin(0.05 * i)) for i in range(MICROPHONE_SAMPLES)))
    for _ in range(5):
        samples = decoder.decode(encoder.encode(tone))
    assert len(samples) == MICROPHONE_SAMPLES * 2 * 4
    assert np.abs(np.frombuffer(samples, np.float32)).max() > 0.1
    assert len(decoder.decode(None)) == len(samples)
    assert decoder.decode(b"") == bytes(len(samples))
    with pytest.raises(OpusError):
        decoder.decode(b"\xff" * 3)
    with pytest.raises(OpusError):
        encoder.encode(b"short")
    with pytest.raises(OpusError):
        OpusDecoder(3)
    for part in (encoder, decoder):
        part.close()
        part.close()


@pytest.mark.parametrize(("bits", "one"), [(16, b"\xff\x7f"), (24, b"\xff\xff\x7f")])
def test_lossless_sound(bits: int, one: bytes, tmp_path: Path) -> None:
    decoder = SoundDecoder(Welcome(1, 2, 2, 60, 1408, bytes(16), bytes(4), audio=PcmAudio(48_000, bits, 1000)))
    samples = np.frombuffer(decoder.decode(AudioPacket(0, 0, one * 96)), np.float32)
    assert samples.tolist() == [1.0] * 96
    assert decoder.decode(AudioPacket(1, 0, None)) == bytes(96 * 4)
    writer = WavWriter(tmp_path / "a.wav", 2, 48_000)
    writer.write(samples.tobytes())
    writer.close()
    assert (tmp_path / "a.wav").read_bytes()[44:] == b"\xff\x7f" * 96


def test_broken_sound_is_concealed() -> None:
    decoder = SoundDecoder(Welcome(1, 2, 2, 60, 1408, bytes(16), bytes(4)))
    assert len(decoder.decode(AudioPacket(0, 0, b"\xff" * 3))) == 240 * 2 * 4
    assert decoder.failures == 1


def test_the_microphone_is_bounded_and_silent_when_muted() -> None:
    sent: list[bytes] = []
    microphone = Microphone(sent.append)
    microphone.write(bytes(10 * MAX_PENDING_BYTES), 10**12)
    assert len(sent) == 100
    microphone.muted = True
    microphone.write(bytes(MAX_PENDING_BYTES), 10**12)
    assert len(sent) == 100
    microphone.close()


def test_pads_are_refreshed_and_numbered() -> None:
    board = PadBoard(snapshots=True)
    board.arrive(1, Gamepad.DUALSENSE, 0.0, haptics=True, speaker=False)
    first = PadSnapshot.of(board.change(1, PadState(buttons=2, left_x=-5, right_trigger=9), 0.0)[0])
    assert (first.pad, first.seq, first.buttons, first.left_x, first.right_trigger) == (1, 0, 2, -5, 9)
    repeats = board.poll(REFRESH_S)
    assert [event.kind for event in repeats] == [InputKind.GAMEPAD_ARRIVAL, InputKind.GAMEPAD_STATE]
    assert repeats[0].flags == 1 | 1 << 8
    assert PadSnapshot.of(repeats[1]).seq == 1
    (removal,) = board.remove(1, 0.2)
    assert removal.flags == 2 << 24 | 1
    assert [event.kind for now in (0.3, 0.4, 0.5, 0.6) for event in board.poll(now)] == [InputKind.GAMEPAD_REMOVE] * 2
    assert board.next_deadline() is None
    assert PadSnapshot.of(board.change(1, PadState(), 1.0)[0]).seq == 3


def test_old_hosts_get_buttons_and_axes() -> None:
    board = PadBoard(snapshots=False)
    assert board.arrive(0, Gamepad.XBOX_360, 0.0, haptics=False, speaker=False) == []
    assert board.change(0, PadState(buttons=0x1000, left_y=7), 0.0) == [
        InputEvent(InputKind.GAMEPAD_BUTTON, 0x1000, 1),
        InputEvent(InputKind.GAMEPAD_AXIS, 1, 7),
    ]
    assert board.remove(0, 0.0) == [
        InputEvent(InputKind.GAMEPAD_BUTTON, 0x1000, 0),
        InputEvent(InputKind.GAMEPAD_AXIS, 1, 0),
    ]
    with pytest.raises(ValueError, match="pad 16"):
        board.change(16, PadState(), 0.0)


def test_what_a_host_cannot_take_is_refused_here() -> None:
    sender = InputSender(lambda data: None, HostCaps.NONE)
    with pytest.raises(ValueError, match="no text"):
        sender.text("a")
    with pytest.raises(ValueError, match="no pen"):
        sender.pen((PenSample(1, 0, 0.5, 0.5),), 0.0)
    with pytest.raises(ValueError, match="outside"):
        sender.key(256, True)
    with pytest.raises(ValueError, match="surface"):
        sender.move_to(1, 1, 0, 10)
    with pytest.raises(ValueError, match="characters"):
        InputSender(lambda data: None, HostCaps.TEXT_INPUT).text("x" * (MAX_TEXT_CHARACTERS + 1))


def test_touch_and_pointer_state_their_surface() -> None:
    sent: list[bytes] = []
    sender = InputSender(sent.append, HostCaps.NONE)
    sender.move_to(10, 20, 1280, 720)
    sender.touch(3, 1, 2, 640, 480, began=True)
    sender.touch(3, 2, 2, 640, 480, began=False)
    sender.touch_up(3)
    sender.button(1, True)
    assert [decode_input(data) for data in sent] == [
        InputEvent(InputKind.MOUSE_MOVE_ABS, 0, 10, 20, 1280 << 16 | 720),
        InputEvent(InputKind.TOUCH_DOWN, 3, 1, 2, 640 << 16 | 480),
        InputEvent(InputKind.TOUCH_MOVE, 3, 2, 2, 640 << 16 | 480),
        InputEvent(InputKind.TOUCH_UP, 3),
        InputEvent(InputKind.MOUSE_BUTTON_DOWN, 1),
    ]


def test_a_pen_in_range_is_repeated() -> None:
    sent: list[bytes] = []
    sender = InputSender(sent.append, HostCaps.PEN)
    sample = PenSample(PEN_IN_RANGE, 0, 0.5, 0.5, dt_us=9)
    sender.pen((sample,), 0.0)
    sender.poll(0.05)
    sender.poll(0.1)
    batches = [decode_rich_input(data) for data in sent]
    assert [batch.seq for batch in batches if isinstance(batch, PenBatch)] == [0, 1]
    sender.pen((PenSample(0, 0, 0.5, 0.5),), 0.15)
    assert sender.next_deadline() is None


def test_stalls_are_counted() -> None:
    timeline = PictureTimeline()
    for at in (0.0, 0.1, 0.2, 0.5):
        timeline.shown(at)
    timeline.end(1.5)
    assert (timeline.pictures, timeline.stalls, timeline.longest_gap_s) == (4, 2, 1.0)
    assert timeline.rate_hz() == 6.0


async def test_hosts_are_found_on_the_network() -> None:
    from punktfunk.client.discovery import discover
    from punktfunk.discovery.mdns import Advert, MdnsPublisher

    publisher = MdnsPublisher(("127.0.0.1",))
    txt = {"proto": "punktfunk/1", "fp": FINGERPRINT, "pair": "required", "id": "probe-test"}
    await publisher.publish(Advert(SERVICE, "Probe test", "probe-test", 9777, ("127.0.0.1",), txt))
    try:
        found = [host for host in await discover(1.0, interfaces=("127.0.0.1",)) if host.id == "probe-test"]
    finally:
        await publisher.close()
    assert found == [FoundHost("Probe test", "127.0.0.1", 9777, FINGERPRINT, True, "probe-test")]
