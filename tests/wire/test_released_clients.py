"""Bytes that released punktfunk clients sent, taken down on the host: facts of the wire beside the description's own.

``probe`` is punktfunk-probe with ``--name Kühl --launch nothing:1 --gamepad dualsense --compositor mutter
--audio-channels 6 --bitrate 12345 --codec h264 --mode 1280x720x60``; the others came of its ``--input-test``,
``--touch-test``, ``--rich-input-test`` and ``--mic-test``, which 0.7.0 and 0.31.0 send alike.
"""

from __future__ import annotations

import pytest

from punktfunk.wire.punktfunk1.audio import MicrophoneFrame
from punktfunk.wire.punktfunk1.caps import ClientCaps, VideoCaps
from punktfunk.wire.punktfunk1.control import decode_control
from punktfunk.wire.punktfunk1.datagrams import decode_from_client
from punktfunk.wire.punktfunk1.enums import Compositor, Gamepad, VideoCodec
from punktfunk.wire.punktfunk1.hello import Hello, decode_hello, encode_hello
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, PadAxis
from punktfunk.wire.punktfunk1.messages import PairRequest
from punktfunk.wire.punktfunk1.rich_input import Motion, Touchpad
from punktfunk.wire.punktfunk1.welcome import decode_start

ALL_CODECS = VideoCodec.H264 | VideoCodec.HEVC | VideoCodec.AV1
PROBE_0_7_0 = Hello(
    width=1280,
    height=720,
    refresh_hz=60,
    compositor=Compositor.MUTTER,
    gamepad=Gamepad.DUALSENSE,
    bitrate_kbps=12_345,
    name="Kühl",
    launch_id="nothing:1",
    video_caps=VideoCaps.HOST_TIMING,
    audio_channels=6,
    video_codecs=ALL_CODECS,
    preferred_codec=VideoCodec.H264,
)
SURFACE = 1280 << 16 | 720

HELLOS = {
    "probe 0.7.0": (
        "504b46310200000000050000d00200003c000000030239300000054bc3bc686c096e6f7468696e673a3108060701",
        PROBE_0_7_0,
    ),
    "probe 0.31.0": (
        "504b46310200000000050000d00200003c000000030239300000054bc3bc686c096e6f7468696e673a313806070100c023",
        Hello(
            width=1280,
            height=720,
            refresh_hz=60,
            compositor=Compositor.MUTTER,
            gamepad=Gamepad.DUALSENSE,
            bitrate_kbps=12_345,
            name="Kühl",
            launch_id="nothing:1",
            video_caps=VideoCaps.HOST_TIMING | VideoCaps.PROBE_SEQ | VideoCaps.STREAMED_AU,
            audio_channels=6,
            video_codecs=ALL_CODECS,
            preferred_codec=VideoCodec.H264,
            client_caps=ClientCaps.NONE,
            max_shard_payload=9152,
        ),
    ),
    "punktfunk-session 0.31.0 with a software decoder": (
        "504b46310200000080070000380400001e00000000000000000002766d0a32303830363131373239bb0201000cc023",
        Hello(
            width=1920,
            height=1080,
            refresh_hz=30,
            name="vm",
            launch_id="2080611729",
            video_caps=VideoCaps(0xBB),
            video_codecs=VideoCodec.H264,
            client_caps=ClientCaps.AUDIO_RED | ClientCaps.PAD_AUDIO,
            max_shard_payload=9152,
        ),
    ),
    "punktfunk speed-test 0.31.0, which decodes nothing": (
        "504b46310200000000050000d00200003c00000000000000000002766d003802000004c023",
        Hello(
            width=1280,
            height=720,
            refresh_hz=60,
            name="vm",
            video_caps=VideoCaps.HOST_TIMING | VideoCaps.PROBE_SEQ | VideoCaps.STREAMED_AU,
            client_caps=ClientCaps.AUDIO_RED,
            max_shard_payload=9152,
        ),
    ),
}

DATAGRAMS = [
    ("c802000000000c0000000000000000000000", InputEvent(InputKind.MOUSE_MOVE, x=12)),
    ("c803000000000800000004000000d0020005", InputEvent(InputKind.MOUSE_MOVE_ABS, x=8, y=4, flags=SURFACE)),
    ("c80041000000000000000000000000000000", InputEvent(InputKind.KEY_DOWN, code=0x41)),
    ("c80141000000000000000000000000000000", InputEvent(InputKind.KEY_UP, code=0x41)),
    ("c80700100000010000000000000000000000", InputEvent(InputKind.GAMEPAD_BUTTON, code=0x1000, x=1)),
    ("c808000000000080ffff0000000000000000", InputEvent(InputKind.GAMEPAD_AXIS, code=PadAxis.LEFT_X, x=-32_768)),
    ("c809000000003403000068010000d0020005", InputEvent(InputKind.TOUCH_DOWN, x=820, y=360, flags=SURFACE)),
    ("c80a00000000330300007a010000d0020005", InputEvent(InputKind.TOUCH_MOVE, x=819, y=378, flags=SURFACE)),
    ("c80b000000003403000068010000d0020005", InputEvent(InputKind.TOUCH_UP, x=820, y=360, flags=SURFACE)),
    ("cc0100000100000080", Touchpad(pad=0, finger=0, active=True, x=0, y=0x8000)),
    ("cc02006cee00000000000000001027", Motion(pad=0, gyro=(-4500, 0, 0), acceleration=(0, 0, 10_000))),
]


@pytest.mark.parametrize(("raw", "hello"), HELLOS.values(), ids=HELLOS)
def test_hello(raw: str, hello: Hello) -> None:
    assert decode_hello(bytes.fromhex(raw)) == hello
    assert encode_hello(hello).hex() == raw


@pytest.mark.parametrize(("raw", "value"), DATAGRAMS, ids=[type(v).__name__ + r[2:4] for r, v in DATAGRAMS])
def test_input(raw: str, value: object) -> None:
    assert decode_from_client(bytes.fromhex(raw)) == value


def test_start() -> None:
    assert decode_start(bytes.fromhex("504b46311d8e")).udp_port == 36_381


def test_pairing() -> None:
    """The name and the client's share of the ceremony by PIN, by 0.31.0; 0.7.0 sends the same form."""
    share = "41b4b359286ca5f266b187631d918db6a7100b2968934488ec58d38a0a1e1730fd"
    request = decode_control(bytes.fromhex(f"504b4663100546c3bc6e662100{share}"))
    assert request == PairRequest("Fünf", bytes.fromhex(share))


def test_microphone() -> None:
    raw = bytes.fromhex("cb000000003acd0c6e4c0eec18") + bytes.fromhex("ec70225600f403")
    assert decode_from_client(raw) == MicrophoneFrame(0, 0x18EC0E4C6E0CCD3A, bytes.fromhex("ec70225600f403"))
