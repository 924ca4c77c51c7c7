"""The RTSP state machine, the envelope and the choice of the pending launch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.gamestream.rtsp_client import ClientEnvelope

from punktfunk.gamestream.launch import LaunchRequest, StreamRefused
from punktfunk.gamestream.rtsp import pending as p
from punktfunk.gamestream.rtsp.crypto import HEADER_BYTES, Envelope, Unauthentic, frame_length
from punktfunk.gamestream.rtsp.handshake import Announced, MediaPorts, RtspHandshake
from punktfunk.gamestream.rtsp.message import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    MAX_MESSAGE_BYTES,
    RtspError,
    RtspRequest,
    RtspResponse,
    parse_request,
)
from punktfunk.gamestream.rtsp.pending import PendingLaunch, PendingLaunches
from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.gamestream.stream_plan import StreamOffer, StreamPlan

VECTORS = json.loads((Path(__file__).parents[2] / "wire" / "vectors" / "gamestream.json").read_text())
ANNOUNCE = VECTORS["announce_captured"]["text"].partition("\r\n\r\n")[2]
EVERYTHING = StreamOffer(CodecSupport(0x30301), reference_invalidation=True)


def handshake(offer: StreamOffer = EVERYTHING) -> RtspHandshake:
    ports = MediaPorts(video=47998, control=47999, audio=48000)
    launch = LaunchRequest(bytes(16), 0)
    return RtspHandshake(launch, offer, ports, ping_payload="0F1E2D3C4B5A6978", connect_data=1211972403)


def request(command: str, target: str = "/", body: str = "", **headers: str) -> RtspRequest:
    return RtspRequest(command, target, {"cseq": "3"} | headers, body)


def announce(body: str = ANNOUNCE) -> RtspRequest:
    return request("ANNOUNCE", "streamid=control/13/0", body, host="0.0.0.0")


def answer(shake: RtspHandshake, asked: RtspRequest) -> RtspResponse:
    outcome = shake.handle(asked)
    assert isinstance(outcome, RtspResponse)
    return outcome


def test_describe_of_a_host_with_every_feature() -> None:
    assert answer(handshake(), request("DESCRIBE")).body.splitlines() == [
        "a=x-ss-general.featureFlags:3",
        "a=x-ss-general.encryptionSupported:7",
        "a=x-ss-general.encryptionRequested:1",
        "a=x-nv-video[0].refPicInvalidation:1",
        "sprop-parameter-sets=AAAAAU",
        "a=rtpmap:98 AV1/90000",
        "a=fmtp:97 surround-params=21101",
        "a=fmtp:97 surround-params=21101",
        "a=fmtp:97 surround-params=642012453",
        "a=fmtp:97 surround-params=660012345",
        "a=fmtp:97 surround-params=85301245673",
        "a=fmtp:97 surround-params=88001234567",
    ]


def test_describe_offers_nothing_that_is_missing() -> None:
    body = answer(handshake(StreamOffer(CodecSupport.H264)), request("DESCRIBE")).body
    assert "AV1" not in body
    assert "sprop" not in body
    assert "refPicInvalidation" not in body


@pytest.mark.parametrize(
    ("target", "port", "token"),
    [
        ("streamid=audio/0/0", 48000, "X-SS-Ping-Payload: 0F1E2D3C4B5A6978"),
        ("streamid=video/0/0", 47998, "X-SS-Ping-Payload: 0F1E2D3C4B5A6978"),
        ("streamid=control/13/0", 47999, "X-SS-Connect-Data: 1211972403"),
    ],
)
def test_setup(target: str, port: int, token: str) -> None:
    shake = handshake()
    assert answer(shake, request("SETUP", target)).to_bytes().decode() == (
        f"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: {shake.session};timeout = 90\r\n"
        f"Transport: server_port={port}\r\n{token}\r\n\r\n"
    )


@pytest.mark.parametrize("target", ["", "streamid=", "streamid=other/0/0", "streamid=audio/0/0\n", "/audio"])
def test_setup_of_an_unknown_stream(target: str) -> None:
    assert answer(handshake(), request("SETUP", target)).status == 404


def test_whole_handshake() -> None:
    shake = handshake()
    assert answer(shake, request("OPTIONS")).status == 200
    announced = shake.handle(announce())
    assert isinstance(announced, Announced)
    assert announced.plan.video.mode.width == 1280
    assert not shake.stream_started
    assert shake.started(announced).status == 200
    assert shake.stream_started
    assert not shake.finished
    assert answer(shake, request("PLAY", session=shake.session)).status == 200
    assert shake.finished


def test_only_one_announce_and_no_play_before_it() -> None:
    shake = handshake()
    assert answer(shake, request("PLAY")).status == 455
    announced = shake.handle(announce())
    assert isinstance(announced, Announced)
    assert answer(shake, announce()).status == 455
    assert answer(shake, request("PLAY")).status == 455
    shake.started(announced)
    assert answer(shake, announce()).status == 455
    answer(shake, request("PLAY"))
    assert answer(shake, request("PLAY")).status == 455


def test_refused_start_ends_the_handshake() -> None:
    shake = handshake()
    announced = shake.handle(announce())
    assert isinstance(announced, Announced)
    assert shake.started(announced, StreamRefused(503, "no encoder")).status == 503
    assert shake.finished
    assert not shake.stream_started


def test_unusable_announce_ends_the_handshake() -> None:
    shake = handshake()
    assert answer(shake, announce("v=0\r\n")).status == 400
    assert shake.finished


def test_announce_without_mandatory_encryption() -> None:
    shake = handshake()
    assert answer(shake, announce(ANNOUNCE.replace("encryptionEnabled:7", "encryptionEnabled:0"))).status == 403


def test_session_of_another_launch_is_not_served() -> None:
    assert answer(handshake(), request("OPTIONS", session="DEADBEEFCAFE")).status == 454


def test_unknown_command() -> None:
    assert answer(handshake(), request("TEARDOWN")).status == 404


@pytest.mark.parametrize("text", ["", "x", "-1", "1\r\nX: 1", "9" * 11, "١"])
def test_sequence_that_is_no_number_is_not_echoed(text: str) -> None:
    assert RtspRequest("OPTIONS", "/", {"cseq": text}).sequence == "0"


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS / RTSP/2.0\r\n\r\n",
        b"OPTIONS /\r\n\r\n",
        b"\r\n\r\n",
        b"OPTIONS / RTSP/1.0\r\nno colon\r\n\r\n",
        b"OPTIONS / RTSP/1.0\r\n: x\r\n\r\n",
        b"OPTIONS /\xff RTSP/1.0\r\n\r\n",
        b"OPTIONS / RTSP/1.0\r\n" + b"a: b\r\n" * 33 + b"\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: -1\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: x\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: 99999999999999999999\r\n\r\n",
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        b"ANNOUNCE / RTSP/1.0\r\nContent-length: 1\r\n\r\n\xff",
        b"a" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_malformed_requests(data: bytes) -> None:
    with pytest.raises(RtspError):
        parse_request(data)


def test_request_is_incomplete_until_its_last_byte() -> None:
    data = b"ANNOUNCE / RTSP/1.0\r\nCSeq: 1\r\nContent-length: 3\r\n\r\nabc"
    assert all(parse_request(data[:n]) is None for n in range(len(data)))
    assert parse_request(data) == RtspRequest("ANNOUNCE", "/", {"cseq": "1", "content-length": "3"}, "abc")


def test_replayed_and_foreign_frames_are_not_opened() -> None:
    client, host = ClientEnvelope(bytes(16)), Envelope(bytes(16))
    first, second = client.seal(b"1"), client.seal(b"2")
    assert host.open(second) == b"2"
    for frame in (first, second, ClientEnvelope(b"k" * 16).seal(b"3"), second[:-1] + b"\0"):
        with pytest.raises(Unauthentic):
            host.open(frame)


@pytest.mark.parametrize("length", [0, MAX_MESSAGE_BYTES + 1, 0x7FFF_FFFF])
def test_frame_length_is_bounded(length: int) -> None:
    with pytest.raises(RtspError):
        frame_length((0x8000_0000 | length).to_bytes(4, "big") + bytes(20))


def test_frame_length_needs_the_whole_header() -> None:
    assert frame_length(b"\x80" * (HEADER_BYTES - 1)) is None


async def start(_plan: StreamPlan) -> None:
    raise AssertionError


class Launches:
    """PendingLaunches, and those given up."""

    def __init__(self) -> None:
        self.pending = PendingLaunches()
        self.abandoned: list[PendingLaunch] = []

    def add(self, address: str, key: bytes | None, now: float = 0.0) -> PendingLaunch:
        envelope = Envelope(key) if key else None
        launch = PendingLaunch(address, handshake(), envelope, start, lambda: self.abandoned.append(launch))
        self.pending.add(launch, now)
        return launch


def test_key_finds_the_launch_whatever_the_address() -> None:
    launches = Launches()
    ours = launches.add("192.0.2.1", b"a" * 16)
    launches.add("192.0.2.1", b"b" * 16)
    launches.add("192.0.2.2", b"c" * 16)
    client = ClientEnvelope(b"a" * 16)
    assert launches.pending.open(client.seal(b"x"), "192.0.2.1") == (ours, b"x")
    assert launches.pending.open(client.seal(b"y"), "192.0.2.2") == (ours, b"y")
    assert launches.pending.open(ClientEnvelope(b"z" * 16).seal(b"x"), "192.0.2.1") is None


def test_plain_request_finds_its_session_or_the_newest_of_its_address() -> None:
    launches = Launches()
    older, newer = launches.add("192.0.2.1", None), launches.add("192.0.2.1", None)
    named = RtspRequest("PLAY", "/", {"session": older.handshake.session})
    assert launches.pending.match_plain(named, "192.0.2.1") is older
    assert launches.pending.match_plain(request("OPTIONS"), "192.0.2.1") is newer
    assert launches.pending.match_plain(named, "192.0.2.2") is None


def test_plain_request_never_reaches_an_encrypted_launch() -> None:
    launches = Launches()
    launches.add("192.0.2.1", b"a" * 16)
    assert launches.pending.match_plain(request("OPTIONS"), "192.0.2.1") is None


def test_launches_expire_unless_they_go_on() -> None:
    launches = Launches()
    idle, busy = launches.add("192.0.2.1", None), launches.add("192.0.2.2", None)
    launches.pending.touch(busy, 5.0)
    launches.pending.expire(p.IDLE_LIFETIME_S)
    assert launches.abandoned == [idle]
    for now in range(10, 100, 5):
        launches.pending.touch(busy, now)
    launches.pending.expire(p.TOTAL_LIFETIME_S)
    assert launches.abandoned == [idle, busy]


def test_launch_being_started_does_not_expire() -> None:
    launches = Launches()
    launch = launches.add("192.0.2.1", None)
    launches.pending.hold(launch)
    launches.pending.expire(1e9)
    assert not launches.abandoned


def test_pending_launches_are_bounded() -> None:
    launches = Launches()
    for _ in range(p.MAX_PENDING_PER_ADDRESS):
        launches.add("192.0.2.1", None)
    with pytest.raises(StreamRefused):
        launches.add("192.0.2.1", None)
    for n in range(2, 2 + p.MAX_PENDING - p.MAX_PENDING_PER_ADDRESS):
        launches.add(f"192.0.2.{n}", None)
    with pytest.raises(StreamRefused):
        launches.add("192.0.2.99", None)
    assert len(launches.pending) == p.MAX_PENDING
