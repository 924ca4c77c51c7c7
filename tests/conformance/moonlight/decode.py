"""Frames to pictures and Opus packets to samples, for tests that look and listen."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from .audio import AudioPacket
from .depacketiser import Frame
from .describe import OpusLayout
from .options import Codec

SAMPLE_RATE = 48000
VORBIS_POSITIONS = {6: (0, 2, 1, 5, 3, 4), 8: (0, 2, 1, 7, 5, 6, 3, 4)}
LAYOUT_NAMES = {2: "stereo", 6: "5.1", 8: "7.1"}
DECODERS = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "libdav1d"}


class VideoDecoder:
    """Decodes the frames of one stream in order, without delay."""

    def __init__(self, codec: Codec) -> None:
        self._context: Any = av.CodecContext.create(DECODERS[codec], "r")
        self._context.flags |= av.codec.context.Flags.low_delay
        self._context.thread_count = 1

    def decode(self, frame: Frame) -> list[NDArray[np.uint8]]:
        """The pictures (height x width x RGB) that ``frame`` completes: normally one. Raises av.FFmpegError."""
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.index
        return [picture.to_ndarray(format="rgb24") for picture in self._context.decode(packet)]


def write_png(path: Path | str, rgb: NDArray[np.uint8]) -> None:
    height, width, _ = rgb.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rgb.reshape(height, width * 3)], axis=1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))

    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    Path(path).write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )


def opus_head(layout: OpusLayout) -> bytes:
    """The identification header (RFC 7845 §5.1) that makes FFmpeg's libopus decoder follow ``layout``."""
    family = 0 if layout.channels <= 2 else 255
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, layout.channels, 0, SAMPLE_RATE, 0, family)
    if family == 0:
        return head
    # This decoder takes every mapping for one in Vorbis order and permutes it; undo that beforehand.
    mapping = bytearray(layout.channels)
    for channel, position in enumerate(VORBIS_POSITIONS[layout.channels]):
        mapping[position] = layout.mapping[channel]
    return head + bytes([layout.streams, layout.coupled]) + mapping


class OpusDecoder:
    """Decodes the audio of one stream; a concealed packet gives silence of one packet's length."""

    def __init__(self, layout: OpusLayout, packet_ms: int) -> None:
        self._channels, self._samples = layout.channels, SAMPLE_RATE * packet_ms // 1000
        self._context: Any = av.CodecContext.create("libopus", "r")
        self._context.sample_rate = SAMPLE_RATE
        self._context.layout = LAYOUT_NAMES[layout.channels]
        self._context.extradata = opus_head(layout)

    def decode(self, packet: AudioPacket) -> NDArray[np.float32]:
        """Samples as channels x time, -1 to 1."""
        if packet.opus is None:
            return np.zeros((self._channels, self._samples), np.float32)
        frames = [_planar(frame) for frame in self._context.decode(av.Packet(packet.opus))]
        return np.concatenate(frames, axis=1) if frames else np.zeros((self._channels, 0), np.float32)

    def decode_all(self, packets: Iterable[AudioPacket]) -> NDArray[np.float32]:
        return np.concatenate([self.decode(packet) for packet in packets], axis=1)


def _planar(frame: Any) -> NDArray[np.float32]:
    interleaved = frame.to_ndarray().reshape(-1, frame.layout.nb_channels)
    return np.asarray(interleaved.T / 32768, np.float32)


@dataclass(frozen=True)
class Tone:
    """The strongest frequency of a signal, and the signal's level (0 dB = full-scale sine)."""

    frequency_hz: float
    level_db: float


def dominant_tone(samples: NDArray[np.float32]) -> Tone:
    """``samples``: one channel at 48 kHz, at least a few hundred of them."""
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window))
    spectrum[0] = 0
    peak = int(np.argmax(spectrum))
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return Tone(peak * SAMPLE_RATE / len(samples), 20 * float(np.log10(max(rms * 2**0.5, 1e-9))))
