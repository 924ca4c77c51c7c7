"""Opus through libopus itself: multistream decoding with concealment, and a voice encoder (punktfunk1.md §8.1, §8.6).

FFmpeg's decoders offer neither the channel order of this protocol nor concealment of a lost packet. The library is the
one in PyAV's wheel, else the system's.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools

from punktfunk.media.opus import OpusError, bundled_library

SAMPLE_RATE_HZ = 48_000
MICROPHONE_SAMPLES = 480
"""Samples of one packet, 10 ms of one channel."""
MICROPHONE_BITRATE_BPS = 48_000

LAYOUTS = {2: (1, 1), 6: (4, 2), 8: (5, 3)}
"""Channels to (streams, coupled streams); the mapping is the identity."""

_MAX_FRAME_SAMPLES = 5760
_MAX_PACKET_BYTES = 1275
_APPLICATION_VOIP = 2048
_SET_BITRATE, _SET_INBAND_FEC, _SET_PACKET_LOSS = 4002, 4012, 4014


@functools.cache
def libopus() -> ctypes.CDLL:
    path = bundled_library("av", "libopus-*.so*") or ctypes.util.find_library("opus")
    if path is None:
        raise OpusError("libopus is missing; install libopus0")
    library = ctypes.CDLL(path)
    pointer, integer, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
    error = ctypes.POINTER(ctypes.c_int)
    library.opus_multistream_decoder_create.restype = pointer
    library.opus_multistream_decoder_create.argtypes = [integer, integer, integer, integer, text, error]
    library.opus_multistream_decode_float.argtypes = [pointer, text, ctypes.c_int32, pointer, integer, integer]
    library.opus_multistream_decoder_destroy.argtypes = [pointer]
    library.opus_multistream_decoder_destroy.restype = None
    library.opus_encoder_create.restype = pointer
    library.opus_encoder_create.argtypes = [integer, integer, integer, error]
    library.opus_encode.argtypes = [pointer, text, integer, pointer, ctypes.c_int32]
    library.opus_encoder_destroy.argtypes = [pointer]
    library.opus_encoder_destroy.restype = None
    return library


class OpusDecoder:
    """Packets of one stream in, interleaved native floats at 48 kHz out."""

    def __init__(self, channels: int) -> None:
        """Raises ``OpusError`` for another number of channels than 2, 6 or 8."""
        if channels not in LAYOUTS:
            raise OpusError(f"no layout has {channels} channels")
        self.channels = channels
        self._lib = libopus()
        self._samples = 240
        self._output = (ctypes.c_float * (_MAX_FRAME_SAMPLES * channels))()
        error = ctypes.c_int()
        streams, coupled = LAYOUTS[channels]
        self._handle: int | None = self._lib.opus_multistream_decoder_create(
            SAMPLE_RATE_HZ, channels, streams, coupled, bytes(range(channels)), ctypes.byref(error)
        )
        if not self._handle:
            raise OpusError(f"libopus refused {channels} channels (error {error.value})")

    def decode(self, payload: bytes | None) -> bytes:
        """The samples of one packet; of a lost one (None) what hides the gap, as long as the packet before. Raises
        ``OpusError`` for a packet that is no Opus."""
        if payload == b"":
            return bytes(4 * self._samples * self.channels)
        wanted = _MAX_FRAME_SAMPLES if payload else self._samples
        size = len(payload) if payload else 0
        count = self._lib.opus_multistream_decode_float(self._handle, payload, size, self._output, wanted, 0)
        if count < 0:
            raise OpusError(f"not an Opus packet (error {count})")
        self._samples = count
        return ctypes.string_at(self._output, 4 * count * self.channels)

    def close(self) -> None:
        """Free the decoder; safe to repeat."""
        handle, self._handle = self._handle, None
        if handle:
            self._lib.opus_multistream_decoder_destroy(handle)


class VoiceEncoder:
    """``MICROPHONE_SAMPLES`` of mono 16-bit sound in, one packet out, with forward error correction for 10 % loss."""

    def __init__(self) -> None:
        self._lib = libopus()
        self._output = ctypes.create_string_buffer(_MAX_PACKET_BYTES)
        error = ctypes.c_int()
        self._handle: int | None = self._lib.opus_encoder_create(
            SAMPLE_RATE_HZ, 1, _APPLICATION_VOIP, ctypes.byref(error)
        )
        if not self._handle:
            raise OpusError(f"libopus refused the voice encoder (error {error.value})")
        settings = ((_SET_BITRATE, MICROPHONE_BITRATE_BPS), (_SET_INBAND_FEC, 1), (_SET_PACKET_LOSS, 10))
        for request, value in settings:
            self._lib.opus_encoder_ctl(ctypes.c_void_p(self._handle), ctypes.c_int(request), ctypes.c_int32(value))

    def encode(self, samples: bytes) -> bytes:
        """One packet of exactly ``MICROPHONE_SAMPLES`` native 16-bit samples."""
        if len(samples) != 2 * MICROPHONE_SAMPLES:
            raise OpusError(f"a packet takes {2 * MICROPHONE_SAMPLES} bytes of samples, not {len(samples)}")
        size = self._lib.opus_encode(self._handle, samples, MICROPHONE_SAMPLES, self._output, _MAX_PACKET_BYTES)
        if size < 0:
            raise OpusError(f"encoding failed (error {size})")
        return self._output.raw[:size]

    def close(self) -> None:
        """Free the encoder; safe to repeat."""
        handle, self._handle = self._handle, None
        if handle:
            self._lib.opus_encoder_destroy(handle)
