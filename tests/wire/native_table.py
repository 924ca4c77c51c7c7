"""One table of punktfunk/1 messages: (name, bytes, value). Decoded, encoded, and the fuzzers' seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from punktfunk.wire.punktfunk1 import audio
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1 import pad_feedback as f
from punktfunk.wire.punktfunk1 import rich_input as r
from punktfunk.wire.punktfunk1.caps import ClientCaps, Grants, HostCaps, VideoCaps
from punktfunk.wire.punktfunk1.datagrams import CursorState, HostTiming
from punktfunk.wire.punktfunk1.enums import Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.hdr import GENERIC_HDR10
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, PadSnapshot
from punktfunk.wire.punktfunk1.welcome import PcmAudio, Start, Welcome

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "punktfunk1.json").read_text())

_CONTROL_VALUES: list[m.ControlMessage] = [
    m.Reconfigure(1920, 1080, 120),
    m.Reconfigured(True, 1920, 1080, 120),
    m.RequestKeyframe(),
    m.LossReport(0x01020304),
    m.SetBitrate(50_000),
    m.BitrateChanged(50_000),
    m.BitrateChanged(50_000, 2),
    m.RfiRequest(10, 12),
    m.ShardPayloadChanged(1200),
    m.ShardPayloadAck(1200),
    m.PipelineGap(250),
    m.DeliveryReport(0x0102030405060708),
    m.LinkReport(0x0A0B0C0D),
    m.ProbeRequest(100_000, 500),
    m.ProbeResult(0x1122334455667788, 1, 2, 3, 4),
    m.ClockProbe(0x0102030405060708),
    m.ClockEcho(1, 2, 3),
    m.PhaseReport(0x0102030405060708, 0x007F2815, 16, 32, 900),
    m.ClipControl(True, 1),
    m.ClipState(True, 3, 4),
    m.ClipOffer(7, (m.ClipFormat("text/plain", 5),)),
    m.ClipFetch(7, "text/plain"),
    m.ClipFetchHeader(0, 5),
    m.CursorShape(9, 1, 1, 0, 0, b"\1\2\3\4"),
    m.CursorRender(True),
    m.AccessUpdate(0x1F, 3600),
    m.AudioState(True),
    m.LaunchOutcome(4, "gone"),
    m.PadSlots(5),
]

_MORE_CONTROL: list[tuple[str, str, m.ControlMessage]] = [
    ("SetDelivery smooth", "0d02", m.SetDelivery(2)),
    ("DeliveryChanged burst, forced", "0e0001", m.DeliveryChanged(0, True)),
    ("HostFacts", "0f01e8030000d0070000ff", m.HostFacts(1, 1000, 2000, 0xFF)),
    ("ProbeResult of the first release", "21" + "0100000000000000" + "02000000" + "03000000", m.ProbeResult(1, 2, 3)),
    ("ProbeShaped", "22" + "01000000" + "02000000" + "0300" + "04000000" + "05000000", m.ProbeShaped(1, 2, 3, 4, 5)),
    ("PhaseReport without coherence", "32" + "01" + "00" * 7 + "02000000" * 3, m.PhaseReport(1, 2, 2, 2)),
    ("PairRequest Deck", "1004" + b"Deck".hex() + "2100" + "41" * 33, m.PairRequest("Deck", b"A" * 33)),
    (
        "PairRequest of a browser",
        "1000" + "2100" + "41" * 33 + "0200" + "0102",
        m.PairRequest("", b"A" * 33, b"\1\2"),
    ),
    ("PairChallenge", "11" + "2100" + "42" * 33 + "07" * 32, m.PairChallenge(b"B" * 33, b"\7" * 32)),
    ("PairProof", "12" + "08" * 32, m.PairProof(b"\x08" * 32)),
    ("PairResult ok", "1301", m.PairResult(True)),
    ("Refused", "16" + "64000000" + "0400" + b"nope".hex(), m.Refused(0x64, "nope")),
    ("InputEdge", "5c" + "c800" + "41000000" + "00" * 12, m.InputEdge(bytes.fromhex("c80041000000" + "00" * 12))),
]

CONTROL: list[tuple[str, bytes, m.ControlMessage]] = [
    (entry["name"], bytes.fromhex(entry["payload"]), value)
    for entry, value in zip(VECTORS["control"], _CONTROL_VALUES, strict=True)
] + [(name, b"PKFc" + bytes.fromhex(raw), value) for name, raw, value in _MORE_CONTROL]

_TAIL = bytes.fromhex(VECTORS["datagrams"]["payload_tail"])
_SEQ, _PTS = 0x01020304, 0x1122334455667788

FROM_HOST: list[tuple[str, bytes, Any]] = [
    ("audio", b"\xc9" + _TAIL, audio.AudioFrame(_SEQ, _PTS, b"\xaa\xbb")),
    ("audio, silence", b"\xc9" + _TAIL[:12], audio.AudioFrame(_SEQ, _PTS, b"")),
    ("pcm audio", b"\xd3" + _TAIL, audio.PcmAudioFrame(_SEQ, _PTS, b"\xaa\xbb")),
    (
        "redundant audio",
        b"\xd2" + _TAIL[:12] + bytes.fromhex("0200aabbcc"),
        audio.RedundantAudioFrame(_SEQ, _PTS, b"\xaa\xbb", b"\xcc"),
    ),
    ("pad audio", b"\xd1\x03\x01" + _TAIL, audio.PadAudioFrame(3, 1, _SEQ, _PTS, b"\xaa\xbb")),
    ("rumble v1", bytes.fromhex("ca010000400080"), f.Rumble(1, 0x4000, 0x8000)),
    (
        "rumble v3",
        bytes.fromhex("ca010000400080" + "09" + "9001" + VECTORS["datagrams"]["rumble_v3_tail"]),
        f.Rumble(1, 0x4000, 0x8000, 9, 400, 0x1234, 0xFFFF),
    ),
    ("led", bytes.fromhex("cd0102ff8000"), f.Led(2, 255, 128, 0)),
    ("player leds", bytes.fromhex("cd02021f"), f.PlayerLeds(2, 31)),
    ("adaptive trigger", bytes.fromhex("cd0302012600ff"), f.AdaptiveTrigger(2, 1, b"\x26\x00\xff")),
    ("trackpad haptic", bytes.fromhex("cd04020100100200 0300"), f.TrackpadHaptic(2, 1, 0x1000, 2, 3)),
    ("raw output", bytes.fromhex("cd05020131aa"), f.RawOutput(2, True, b"\x31\xaa")),
    ("pad audio control", bytes.fromhex("cd06020007010203040506"), f.PadAudioControl(2, 7, b"\1\2\3\4\5\6")),
    (
        "hdr",
        bytes.fromhex("ce3421aa9b9619fc08488a0839133d4240 80969800 01000000 e803 9001"),
        GENERIC_HDR10,
    ),
    ("host timing", b"\xcf" + _TAIL[4:12] + bytes.fromhex("01000000"), HostTiming(_PTS, 1)),
    (
        "host timing, stages",
        b"\xcf" + _TAIL[4:12] + bytes.fromhex("01000000020000000300000004000000"),
        HostTiming(_PTS, 1, 2, 3, 4),
    ),
    (
        "host timing, phase",
        b"\xcf" + _TAIL[4:12] + bytes.fromhex("01000000020000000300000004000000ffffffff"),
        HostTiming(_PTS, 1, 2, 3, 4, -1),
    ),
    ("cursor", bytes.fromhex("d00900000003ffffffff10000000"), CursorState(9, True, True, -1, 16)),
]

_PEN = r.PenSample(3, 0, 0.5, 0.25, 100, r.UNKNOWN_U16, 45, 90, r.UNKNOWN_U16, 1000)

FROM_CLIENT: list[tuple[str, bytes, Any]] = [
    *(
        (kind.name.lower(), bytes([0xC8, kind]) + bytes.fromhex("0100000002000000fdffffff04000000"), event)
        for kind in InputKind
        for event in [InputEvent(kind, 1, 2, -3, 4)]
    ),
    (
        "pad snapshot",
        bytes.fromhex("c80c" + "01100000" + "feff0100" + "0300fcff" + "02800f07"),
        PadSnapshot(2, 7, 0x1001, 1, -2, -4, 3, 15, 128).event(),
    ),
    ("touchpad", bytes.fromhex("cc010201010010ff7f"), r.Touchpad(2, 1, True, 0x1000, 0x7FFF)),
    ("motion", bytes.fromhex("cc02020100fffe0300 0000 1027 ffff".replace(" ", "")), None),
    ("touchpad ex", bytes.fromhex("cc030202010301 00ffff0080"), r.TouchpadEx(2, 2, 1, True, True, 1, -1, 0x8000)),
    ("raw report", bytes.fromhex("cc04020301aabb"), r.RawReport(2, b"\x01\xaa\xbb")),
    (
        "pen",
        bytes.fromhex("cc0500010700" + "0300" + "0000003f" + "0000803e" + "6400ffff2d5a00ffffe803"),
        r.PenBatch(7, (_PEN,)),
    ),
    ("microphone", b"\xcb" + _TAIL, audio.MicrophoneFrame(_SEQ, _PTS, b"\xaa\xbb")),
]
FROM_CLIENT = [(n, b, r.Motion(2, (1, -257, 3), (0, 10000, -1)) if n == "motion" else v) for n, b, v in FROM_CLIENT]

_WELCOME = {
    "data_port": 50_000,
    "width": 1920,
    "height": 1080,
    "refresh_hz": 60,
    "shard_payload": 1408,
    "key": bytes(range(1, 17)),
    "salt": b"pkf1",
    "compositor": Compositor.KWIN,
    "gamepad": Gamepad.XBOX_360,
    "bitrate_kbps": 20_000,
}
_DECK = {
    "width": 2560,
    "height": 1440,
    "refresh_hz": 120,
    "compositor": Compositor.KWIN,
    "gamepad": Gamepad.DUALSENSE,
    "bitrate_kbps": 50_000,
    "name": "Deck",
    "video_codecs": VideoCodec(7),
}


def _handshake(name: str) -> bytes:
    return bytes.fromhex(VECTORS["handshake"][name])


HELLOS: list[tuple[str, bytes, Hello]] = [
    ("minimal", _handshake("hello_minimal"), Hello(1920, 1080, 60)),
    (
        "deck",
        _handshake("hello_deck"),
        Hello(**_DECK, launch_id="steam:570", video_caps=VideoCaps(0x38), preferred_codec=VideoCodec.HEVC),
    ),
    (
        "modern",
        _handshake("hello_modern"),
        Hello(
            **_DECK,
            video_caps=VideoCaps(0x3B),
            audio_channels=6,
            client_caps=ClientCaps.CURSOR,
            max_shard_payload=9152,
        ),
    ),
    (
        "hdr and everything",
        _handshake("hello_minimal")
        + bytes.fromhex("0000000207 02".replace(" ", ""))
        + GENERIC_HDR10.encode()
        + bytes.fromhex("10c0238058010018 0101".replace(" ", "")),
        Hello(
            1920,
            1080,
            60,
            video_codecs=VideoCodec(7),
            preferred_codec=VideoCodec.HEVC,
            display_hdr=GENERIC_HDR10,
            client_caps=ClientCaps.AUDIO_HIRES,
            max_shard_payload=9152,
            audio_rate_hz=88_192,
            audio_bits=24,
            audio_layout=1,
            video_fit=1,
        ),
    ),
]

WELCOMES: list[tuple[str, bytes, Welcome]] = [
    ("host caps", _handshake("welcome_host_caps"), Welcome(**_WELCOME, host_caps=HostCaps.GAMEPAD_STATE)),
    (
        "usual",
        _handshake("welcome_usual"),
        Welcome(**_WELCOME, host_caps=HostCaps.GAMEPAD_STATE, management_port=47_990),
    ),
    (
        "view only for an hour",
        _handshake("welcome_usual") + bytes.fromhex("00000000100e0000"),
        Welcome(
            **_WELCOME,
            host_caps=HostCaps.GAMEPAD_STATE,
            management_port=47_990,
            grants=Grants.NONE,
            access_seconds=3600,
        ),
    ),
    (
        "ChaCha and PCM",
        _handshake("welcome_host_caps")
        + b"\x01"
        + b"\x05" * 32
        + bytes.fromhex("76bb3f000000000000000100770100186400"),
        Welcome(
            **_WELCOME,
            host_caps=HostCaps.GAMEPAD_STATE,
            management_port=47_990,
            chacha_key=b"\x05" * 32,
            audio=PcmAudio(96_000, 24, 100),
        ),
    ),
]

STARTS: list[tuple[str, bytes, Start]] = [("start", _handshake("start"), Start(40_000))]
