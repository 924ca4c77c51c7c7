"""The whole client stream against a host on the loopback."""

import asyncio
import struct
from contextlib import asynccontextmanager

import pytest
from tests.conformance.moonlight import inputs
from tests.conformance.moonlight.control import GRACEFUL, INVALIDATE_REFERENCES, REQUEST_IDR, Rumble, Termination
from tests.conformance.moonlight.decode import VideoDecoder
from tests.conformance.moonlight.errors import RtspFailed
from tests.conformance.moonlight.impair import Impairment
from tests.conformance.moonlight.options import Encryption, StreamOptions
from tests.conformance.moonlight.stream import Stream
from tests.unit.conformance.fake_host import FakeHost, inputs_of, requests_of

OPTIONS = StreamOptions(
    width=320, height=180, encryption=Encryption.NONE, core_version=0, packet_size=1024, rfi=True, audio_discard_s=0
)
DESCRIBE = "\n".join(f"a=fmtp:97 surround-params={line}" for line in ("642012453", "660012345", "85301245673",
                                                                        "88001234567"))  # fmt: skip


@asynccontextmanager
async def streaming(host, violations, options=OPTIONS, impair=None):
    async with host:
        stream = Stream("127.0.0.1", host.launch(), options, impair, violations)
        await stream.start()
        try:
            yield stream
        finally:
            await stream.vanish()


async def until(condition, timeout_s=5):
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - watches counters of another thread
            await asyncio.sleep(0.005)


async def test_frames_sound_input_and_an_orderly_end(violations):
    host = FakeHost(DESCRIBE)
    async with streaming(host, violations) as stream:
        frames = await stream.wait_for_frames(8)
        assert [frame.index for frame in frames] == list(range(1, 9))
        decoder = VideoDecoder(stream.agreement.codec)
        assert [len(decoder.decode(frame)) for frame in frames] == [1] * 8
        await until(lambda: len(stream.audio_packets) == 32)
        stream.send_key(0x41, True)
        await until(lambda: len(inputs_of(host.received)) == 4)
        assert inputs_of(host.received) == [
            packet.payload
            for packet in (
                inputs.enable_haptics(),
                inputs.mouse_move(1, 1),
                inputs.mouse_move(-1, -1),
                inputs.key(65, True),
            )
        ]
        await stream.close()
        assert (stream.result, stream.end_reason) == (0, "closed in order")
        statistics = stream.statistics()
        assert (statistics.frames_delivered, statistics.idrs_seen, statistics.audio_delivered) == (8, 1, 32)
    assert host.requests == [
        f"OPTIONS rtsp://0.0.0.0:{stream.handshake.url.port}",
        f"DESCRIBE rtsp://0.0.0.0:{stream.handshake.url.port}",
        "SETUP streamid=audio/0/0",
        "SETUP streamid=video/0/0",
        "SETUP streamid=control/13/0",
        "ANNOUNCE streamid=control/13/0",
        "PLAY /",
    ]
    assert str(violations) == "no violations"


async def test_lost_frame_without_rfi_is_followed_by_an_idr(violations):
    host = FakeHost(DESCRIBE)
    lose_third = Impairment(drop=lambda flow, packet: flow == "video" and packet.frame == 3)

    def answer(kind, payload):
        if kind == REQUEST_IDR and len(requests_of(host.received)) == 2:
            host.send_frame(2)

    host.on_message = answer
    async with streaming(host, violations, impair=lose_third) as stream:
        frames = await stream.wait_for_frames(3)
        assert [frame.index for frame in frames] == [1, 2, 9]
        assert frames[-1].idr
        assert stream.statistics().idr_requests == 1
    assert str(violations) == "no violations"


async def test_lost_frame_with_rfi_is_followed_by_type_5(violations):
    host = FakeHost(DESCRIBE + "\na=x-nv-video[0].refPicInvalidation:1", frames=4)
    lose_third = Impairment(drop=lambda flow, packet: flow == "video" and packet.frame == 3)

    def answer(kind, payload):
        if kind == INVALIDATE_REFERENCES and host._video.frame == 4:
            host.send_frame(5)

    host.on_message = answer
    async with streaming(host, violations, impair=lose_third) as stream:
        frames = await stream.wait_for_frames(3)
        assert [(frame.index, frame.type) for frame in frames] == [(1, 2), (2, 1), (5, 5)]
        await until(lambda: requests_of(host.received).count(INVALIDATE_REFERENCES) == 2)
    ranges = [struct.unpack("<IIIIII", p)[0:3:2] for kind, p in host.received if kind == INVALIDATE_REFERENCES]
    assert ranges == [(3, 3), (3, 4)]
    assert str(violations) == "no violations"


async def test_requested_idr(violations):
    host = FakeHost(DESCRIBE, frames=1)
    host.on_message = lambda kind, payload: host.send_frame(2) if kind == REQUEST_IDR and host._video.frame else None
    async with streaming(host, violations) as stream:
        await stream.wait_for_frames(1)
        stream.request_idr()
        (frame,) = await stream.wait_for_frames(1)
        assert frame.idr
        await until(lambda: stream.statistics().idr_response_s)
        assert stream.statistics().idr_response_s[0] < 0.5
    assert str(violations) == "no violations"


@pytest.mark.parametrize(("code", "result"), [(GRACEFUL, 0), (0x800E9403, -104)])
async def test_termination(violations, code, result):
    host = FakeHost(DESCRIBE)
    async with streaming(host, violations) as stream:
        await stream.wait_for_frames(8)
        host.send_control(0x010B, struct.pack("<IHHH", 0xC0FFEE, 0, 1, 2))
        host.terminate(Termination(code))
        assert await stream.wait_ended() == result
        assert list(stream.feedback) == [Rumble(0, 1, 2), Termination(code)]
        assert [frame async for frame in stream.frames()] == []
    assert str(violations) == "no violations"


async def test_disconnect_without_termination_is_a_violation(violations):
    host = FakeHost(DESCRIBE)
    async with streaming(host, violations) as stream:
        await stream.wait_for_frames(8)
        host.drop_connection()
        assert await stream.wait_ended() == -1
    assert set(violations.counts) == {"control.disconnect-without-termination"}


async def test_refused_handshake_leaves_nothing_open(violations):
    host = FakeHost(DESCRIBE)
    async with host:
        host._ports["control"].transport.close()
        stream = Stream("127.0.0.1", host.launch(), OPTIONS, None, violations)
        stream.handshake.rtsp.port = 1
        stream.handshake.rtsp._connect = refuse
        with pytest.raises(RtspFailed):
            await stream.start()
        assert not stream._reactor.is_alive()
        assert not stream._sockets


async def refuse(step):
    raise RtspFailed(step, 0, "refused")


async def test_vanished_client_may_keep_its_ports(violations):
    host = FakeHost(DESCRIBE)
    async with streaming(host, violations) as stream:
        await stream.wait_for_frames(1)
        await stream.vanish(keep_sockets=True)
        assert len(stream._sockets) == 3
        stream.release()


async def test_unread_frames_are_bounded(violations):
    host = FakeHost(DESCRIBE, frames=700)
    async with streaming(host, violations) as stream:
        await until(lambda: stream.statistics().frames_delivered == 700, 10)
        assert stream.statistics().frames_unread == 100
        frames = await stream.wait_for_frames(600)
        assert frames[0].index == 101
