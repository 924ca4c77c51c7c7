"""Small real streams for the tests: x264, x265, SVT-AV1 and Opus through PyAV."""

import fractions
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import av
import numpy as np
from tests.conformance.moonlight.options import Codec

ENCODERS = {
    Codec.H264: ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "ref=1:keyint=1000"}),
    Codec.HEVC: (
        "libx265",
        {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x265-params": "repeat-headers=1:bframes=0:ref=1:info=0:log-level=none:keyint=1000",
        },
    ),
    Codec.AV1: ("libsvtav1", {"preset": "12", "svtav1-params": "pred-struct=1:lookahead=0"}),
}
LEFT = (200, 30, 30)


@contextmanager
def usual_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does to a caller that is root: its thread goes before all others, in real time, which every
    later test and each program that it starts would inherit."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


@lru_cache
def access_units(codec: Codec, width: int = 320, height: int = 180, count: int = 8) -> tuple[bytes, ...]:
    """One IDR and P frames of a picture whose left half is :data:`LEFT`."""
    name, options = ENCODERS[codec]
    context: Any = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = fractions.Fraction(60), fractions.Fraction(1, 60)
    context.options = options
    context.thread_count = 1
    units = []
    with usual_priority():
        for number in range(count):
            picture = np.full((height, width, 3), number * 10 % 255, np.uint8)
            picture[:, : width // 2] = LEFT
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            units += [bytes(packet) for packet in context.encode(frame)]
        units += [bytes(packet) for packet in context.encode(None)]
    return tuple(units)


@lru_cache
def surround_tones(channels: int, count: int = 60) -> tuple[bytes, ...]:
    """Packets of uncoupled streams; channel n carries a sine of 400 * (n + 1) Hz."""
    layout = {6: "5.1", 8: "7.1"}[channels]
    context: Any = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format, context.bit_rate = 48000, layout, "flt", 128000 * channels
    context.options = {"application": "lowdelay", "frame_duration": "5", "vbr": "off", "mapping_family": "255"}
    packets = []
    for number in range(count):
        at = np.arange(number * 240, (number + 1) * 240)
        waves = [0.3 * np.sin(2 * np.pi * 400 * (channel + 1) * at / 48000) for channel in range(channels)]
        samples = np.stack(waves, 1).astype(np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=layout)
        frame.sample_rate, frame.pts = 48000, number * 240
        packets += [bytes(packet) for packet in context.encode(frame)]
    return tuple(packets)


@lru_cache
def opus_tone(frequency_hz: float = 1000, packet_ms: int = 5, count: int = 200) -> tuple[bytes, ...]:
    """Stereo CBR packets of a sine at half of full scale."""
    context: Any = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format, context.bit_rate = 48000, "stereo", "flt", 96000
    context.options = {"application": "lowdelay", "frame_duration": str(packet_ms), "vbr": "off"}
    samples = 48 * packet_ms
    packets = []
    for number in range(count):
        at = np.arange(number * samples, (number + 1) * samples)
        wave = (0.5 * np.sin(2 * np.pi * frequency_hz * at / 48000)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="flt", layout="stereo")
        frame.sample_rate, frame.pts = 48000, number * samples
        packets += [bytes(packet) for packet in context.encode(frame)]
    return tuple(packets)
