"""Connecting and streaming against a small host on loopback."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace

import pytest
from tests.unit.client.fake_host import IDENTITY, FakeHost, fake_host

from punktfunk.client.clipboard import TEXT, ClipboardError
from punktfunk.client.connection import Mode
from punktfunk.client.errors import (
    AccessDeniedError,
    ConnectionClosedError,
    FingerprintMismatchError,
    HostBusyError,
    NotApprovedError,
    ProtocolError,
    SessionEndedError,
    SetupFailedError,
    UnreachableError,
    WrongPinError,
)
from punktfunk.client.identity import ClientIdentity
from punktfunk.client.microphone import Microphone
from punktfunk.client.pad_board import PadState
from punktfunk.client.pairing import pair
from punktfunk.client.session import Options, connect
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.audio import AudioFrame, MicrophoneFrame
from punktfunk.wire.punktfunk1.clipstream import encode_fetch, encode_fetch_header
from punktfunk.wire.punktfunk1.datagrams import CursorState
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind
from punktfunk.wire.punktfunk1.video import FrameFlags

UNITS = Options(decode=False, bitrate_kbps=10_000, dial_budget_s=5.0)
KEYFRAME = FrameFlags.PICTURE | FrameFlags.KEYFRAME


async def punched(host: FakeHost) -> None:
    await host.until(lambda: host.punched_from)


async def test_a_session_from_hello_to_quit(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        options = replace(UNITS, name="test", mode=Mode(800, 600, 30))
        async with connect("127.0.0.1", identity, options, port=host.port) as s:
            assert host.hello is not None
            assert (host.hello.name, host.hello.width, host.hello.refresh_hz) == ("test", 800, 30)
            assert host.hello.max_shard_payload == 9152
            assert s.host_fingerprint == IDENTITY.fingerprint
            await punched(host)
            frames = s.frames()
            first = asyncio.create_task(anext(frames))
            await asyncio.sleep(0)
            host.frame(b"k" * 20_000, KEYFRAME, lose=3)
            unit = await first
            assert unit.show
            assert unit.arrival.unit.data == b"k" * 20_000
            assert s.statistics.video.recovered == 3
        await host.until(lambda: host.closed)
        assert host.closed == (CloseCode.USER_QUIT, "")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (0x42, HostBusyError),
        (0x64, AccessDeniedError),
        (0x67, SetupFailedError),
        (0x68, SetupFailedError),
        (0x69, AccessDeniedError),
        (0x6A, AccessDeniedError),
        (0x7F, ConnectionClosedError),
    ],
)
async def test_refusals_are_typed(identity: ClientIdentity, code: int, error: type[ConnectionClosedError]) -> None:
    async with fake_host() as host:
        host.refuse = code
        with pytest.raises(error, match="said the test") as caught:
            async with connect("127.0.0.1", identity, UNITS, port=host.port):
                pass
        assert caught.value.code == code


async def test_a_pinned_host_must_show_its_certificate(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        with pytest.raises(FingerprintMismatchError):
            async with connect("127.0.0.1", identity, replace(UNITS, pin=bytes(32)), port=host.port):
                pass
        assert host.hello is None
        async with connect("127.0.0.1", identity, replace(UNITS, pin=IDENTITY.fingerprint), port=host.port):
            pass


async def test_nobody_there(identity: ClientIdentity) -> None:
    with pytest.raises(UnreachableError):
        async with connect("127.0.0.1", identity, replace(UNITS, dial_budget_s=0.2), port=1):
            pass


async def test_nobody_approves(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        host.raw_welcome = b""
        with pytest.raises(NotApprovedError):
            async with connect("127.0.0.1", identity, replace(UNITS, approval_timeout_s=0.1), port=host.port):
                pass


@pytest.mark.parametrize("reply", [b"\x05\x00nope!", b"\x00\x00"])
async def test_a_welcome_that_is_none(identity: ClientIdentity, reply: bytes) -> None:
    async with fake_host() as host:
        host.raw_welcome = reply
        with pytest.raises(ProtocolError):
            async with connect("127.0.0.1", identity, UNITS, port=host.port):
                pass


async def test_the_host_ends_it(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        host.connection.close(CloseCode.APP_EXITED)
        assert isinstance(await s.wait_closed(), SessionEndedError)
        assert [unit async for unit in s.frames()] == []
        assert [event async for event in s.events()] == []
        with pytest.raises(SessionEndedError):
            await s.reconfigure(Mode(640, 480, 60))


async def test_a_flood_of_control_messages_before_anybody_reads(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        host.raw_welcome = b"\x00\x00" * 1000
        with pytest.raises(ProtocolError):
            async with connect("127.0.0.1", identity, UNITS, port=host.port):
                pass


async def test_it_asks_for_another_mode(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        assert (await s.reconfigure(Mode(1920, 1080, 60))).accepted
        assert s.mode == Mode(1920, 1080, 60)


async def test_events_arrive_in_order(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        await host.received(m.ClockProbe)
        host.say(m.CursorShape(1, 1, 1, 0, 0, bytes(4)), m.AudioState(True))
        events = s.events()
        assert [await anext(events), await anext(events)] == [
            m.CursorShape(1, 1, 1, 0, 0, bytes(4)),
            m.AudioState(True),
        ]
        host.tell(CursorState(1, True, False, 3, 4))
        assert await anext(events) == CursorState(1, True, False, 3, 4)


async def test_sound(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        await host.received(m.ClockProbe)
        host.tell(AudioFrame(7, 1, b"opus"))
        packet = await anext(s.audio())
        assert (packet.seq, packet.payload) == (7, b"opus")


async def test_every_kind_of_input(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        s.input.key(0x41, True)
        s.input.move(-3, 4)
        s.input.scroll(vertical=120)
        s.input.text("é\n")
        s.input.pad(0, PadState(buttons=1), 0.0)
        await host.until(lambda: len(host.datagrams) >= 5)
        assert host.datagrams[:4] == [
            InputEvent(InputKind.KEY_DOWN, 0x41),
            InputEvent(InputKind.MOUSE_MOVE, 0, -3, 4),
            InputEvent(InputKind.MOUSE_SCROLL, 0, 120),
            InputEvent(InputKind.TEXT_INPUT, ord("é")),
        ]


async def test_the_microphone(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        microphone = Microphone(s.send_datagram)
        microphone.write(struct.pack("=1000h", *range(1000)), 1_000_000_000)
        await host.until(lambda: len(host.datagrams) == 2)
        first, second = host.datagrams
        assert isinstance(first, MicrophoneFrame)
        assert isinstance(second, MicrophoneFrame)
        assert (first.seq, second.seq, second.pts_ns - first.pts_ns) == (0, 1, 10_000_000)
        microphone.close()


async def test_a_speed_test(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        await punched(host)

        def burst(request: m.ProbeRequest) -> list[m.ControlMessage]:
            host.filler(100)
            return [m.ProbeResult(120_000, 100, request.duration_ms, 200, 0)]

        host.answers[m.ProbeRequest] = burst
        outcome = await s.speed_test(50_000, 100)
        assert outcome.received_packets == 200
        assert outcome.loss == 0
        assert s.statistics.feedback.frames == 0


async def test_the_clipboard_in_both_directions(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        await host.received(m.ClockProbe)
        s.clipboard.enable()
        assert await host.received(m.ClipControl) == m.ClipControl(True)
        host.say(m.ClipOffer(3, (m.ClipFormat(TEXT, 5),)))
        await anext(s.events())
        host.stream_answer = encode_fetch_header(m.ClipFetchHeader(0, 5)) + b"hello"
        assert await s.clipboard.fetch(TEXT) == b"hello"
        host.stream_answer = encode_fetch_header(m.ClipFetchHeader(1, 0))
        with pytest.raises(ClipboardError, match="stale"):
            await s.clipboard.fetch(TEXT)
        s.clipboard.offer({TEXT: b"from the client"})
        offer = await host.received(m.ClipOffer)
        stream = host.connection.open(encode_fetch(m.ClipFetch(offer.seq, TEXT)))
        expected = encode_fetch_header(m.ClipFetchHeader(0, 15)) + b"from the client"
        await host.until(lambda: host.streams.get(stream) == expected)
        stale = host.connection.open(encode_fetch(m.ClipFetch(offer.seq + 1, TEXT)))
        await host.until(lambda: host.streams.get(stale) == encode_fetch_header(m.ClipFetchHeader(1, 0)))


async def test_pairing(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        host.client_fingerprint = identity.fingerprint
        assert await pair("127.0.0.1", host.port, "0042", identity, name="test") == IDENTITY.fingerprint
        await host.until(lambda: host.closed)
        assert host.closed == (CloseCode.DONE, "")


async def test_a_wrong_pin_tells_the_host_nothing(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        host.client_fingerprint = identity.fingerprint
        with pytest.raises(WrongPinError):
            await pair("127.0.0.1", host.port, "1234", identity)
        await host.until(lambda: host.closed)
        assert [type(message) for message in host.messages] == [m.PairRequest]


async def test_a_man_in_the_middle_is_found_by_the_pin(identity: ClientIdentity) -> None:
    async with fake_host() as host:
        host.client_fingerprint = bytes(32)
        with pytest.raises(WrongPinError):
            await pair("127.0.0.1", host.port, "0042", identity)


@pytest.mark.parametrize("pin", ["", "12", "12345", "12a4", "١٢٣٤"])
async def test_pins_are_four_digits(identity: ClientIdentity, pin: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        await pair("127.0.0.1", 1, pin, identity)


async def test_pictures_are_decoded(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, Options(bitrate_kbps=1000), port=host.port) as s:
        await punched(host)
        pictures = s.pictures()
        host.frame(b"\x00\x00\x01\x09 no picture", KEYFRAME)
        for unit, key in h264_units(3):
            host.frame(unit, KEYFRAME if key else FrameFlags.PICTURE)
        picture = await anext(pictures)
        assert (picture.frame.width, picture.frame.height) == (320, 192)
        await host.received(m.RequestKeyframe)
        assert s.statistics.decoder_failures == 1


def h264_units(count: int) -> list[tuple[bytes, bool]]:
    """Access units of a grey picture."""
    from punktfunk.media.displays.synthetic import Pattern, open_encoder
    from punktfunk.media.frames import Codec
    from punktfunk.media.plan import Mode as PlannedMode
    from punktfunk.media.plan import VideoPlan

    plan = VideoPlan(PlannedMode(320, 192, 60_000), codec=Codec.H264, bitrate_kbps=1000)
    encoder, pattern = open_encoder(plan), Pattern(plan)
    units = []
    for number in range(count):
        frame = pattern.draw(number, number)
        frame.pts = number * 16_667
        units += [(bytes(packet), number == 0) for packet in encoder.encode(frame)]
    return units


async def test_a_session_that_nobody_reads_stays_bounded(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        await punched(host)
        host.say(*[m.AudioState(True)] * 2000)
        for _ in range(300):
            host.frame(b"x" * 100, KEYFRAME)
        await host.connection.ping()
        await s.reconfigure(Mode(640, 480, 60))
        assert len(s._events) <= 256
        assert s.statistics.unread >= 1700


async def test_closing_twice_at_once(identity: ClientIdentity) -> None:
    async with fake_host() as host, connect("127.0.0.1", identity, UNITS, port=host.port) as s:
        await asyncio.gather(s.close(), s.close())
        await host.until(lambda: host.closed)
