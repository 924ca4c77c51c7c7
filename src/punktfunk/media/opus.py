"""Opus multistream encoding through libopus itself, because no wheel lets the caller choose the layout.

GameStream's layouts (gamestream.md §5.1) couple channels in the order FL+FR, FC+LFE, …; pcmflux and FFmpeg only offer
the order of RFC 7845, which couples the rear pair. The library is the one in PyAV's wheel, else the system's.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
from pathlib import Path

from punktfunk.media.plan import AudioPlan

SAMPLE_RATE_HZ = 48_000
MAX_PACKET_BYTES = 4000
_APPLICATION_RESTRICTED_LOWDELAY = 2051
_SET_BITRATE = 4002
_SET_VBR = 4006


class OpusError(Exception):
    """libopus is missing, or refused a layout or a packet."""


def bundled_library(package: str, pattern: str) -> str | None:
    """Path of a shared library that a wheel carries beside its package (``PACKAGE.libs``), if there is one."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    site = origin.parent.parent if origin.name.startswith("__init__") else origin.parent
    return next((str(path) for path in sorted(site.glob(f"{package}.libs/{pattern}"))), None)


@functools.cache
def libopus() -> ctypes.CDLL:
    """The library with its functions declared; raises OpusError when there is none. Stays loaded."""
    path = bundled_library("av", "libopus-*.so*") or ctypes.util.find_library("opus")
    if path is None:
        raise OpusError("libopus is missing; install libopus0")
    library = ctypes.CDLL(path)
    library.opus_multistream_encoder_create.restype = ctypes.c_void_p
    library.opus_multistream_encoder_create.argtypes = [
        ctypes.c_int32,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.POINTER(ctypes.c_int),
    ]
    library.opus_multistream_encoder_destroy.argtypes = [ctypes.c_void_p]
    library.opus_multistream_encoder_destroy.restype = None
    library.opus_multistream_encode_float.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int32,
    ]
    library.opus_multistream_encode_float.restype = ctypes.c_int32
    library.opus_strerror.restype = ctypes.c_char_p
    library.opus_decoder_create.restype = ctypes.c_void_p
    library.opus_decoder_create.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]
    library.opus_decode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
    library.opus_decoder_destroy.restype = None
    return library


class OpusEncoder:
    """Float samples in, one packet of the plan's duration out: restricted low delay, hard CBR, constant length."""

    def __init__(self, plan: AudioPlan) -> None:
        """Raises OpusError when the layout is not one that Opus has."""
        if len(plan.mapping) != plan.channels or not all(0 <= entry <= 255 for entry in plan.mapping):
            raise OpusError(f"mapping {plan.mapping} does not fit {plan.channels} channels")
        self._lib = libopus()
        self._handle: int | None = None
        error = ctypes.c_int()
        self._handle = self._lib.opus_multistream_encoder_create(
            SAMPLE_RATE_HZ,
            plan.channels,
            plan.streams,
            plan.coupled,
            bytes(plan.mapping),
            _APPLICATION_RESTRICTED_LOWDELAY,
            ctypes.byref(error),
        )
        if not self._handle:
            raise OpusError(f"no such layout {plan}: {self._text(error.value)}")
        self._control(_SET_BITRATE, plan.bitrate_bps)
        self._control(_SET_VBR, 0)
        self.samples_per_packet = SAMPLE_RATE_HZ * plan.packet_ms // 1000
        self.input_bytes = self.samples_per_packet * plan.channels * 4
        self._output = ctypes.create_string_buffer(MAX_PACKET_BYTES)

    def encode(self, samples: bytes | bytearray) -> bytes:
        """Encode exactly ``input_bytes`` of interleaved native float samples. Raises OpusError."""
        if len(samples) != self.input_bytes:
            raise OpusError(f"a packet takes {self.input_bytes} bytes of samples, not {len(samples)}")
        source = (ctypes.c_char * len(samples)).from_buffer_copy(samples)
        length = self._lib.opus_multistream_encode_float(
            self._handle, source, self.samples_per_packet, self._output, MAX_PACKET_BYTES
        )
        if length < 0:
            raise OpusError(f"encoding failed: {self._text(length)}")
        return ctypes.string_at(self._output, length)

    def close(self) -> None:
        """Free the encoder; safe to repeat."""
        if self._handle:
            self._lib.opus_multistream_encoder_destroy(self._handle)
            self._handle = None

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def _control(self, request: int, value: int) -> None:
        status = self._lib.opus_multistream_encoder_ctl(
            ctypes.c_void_p(self._handle), ctypes.c_int(request), ctypes.c_int32(value)
        )
        if status != 0:
            raise OpusError(f"setting {request} to {value} failed: {self._text(status)}")

    def _text(self, status: int) -> str:
        text: bytes = self._lib.opus_strerror(status)
        return text.decode()
