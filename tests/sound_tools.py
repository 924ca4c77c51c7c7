"""For tests of sound: an Opus multistream decoder told the layout, and the strongest frequency of a channel."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from punktfunk.media.opus import libopus
from punktfunk.media.plan import AudioPlan

Samples = npt.NDArray[np.float32]


def decode(plan: AudioPlan, packets: Sequence[bytes]) -> Samples:
    """Channels x samples. libopus itself, because FFmpeg reorders the channels of a layout given by the caller."""
    library = libopus()
    library.opus_multistream_decoder_create.restype = ctypes.c_void_p
    error = ctypes.c_int()
    decoder = ctypes.c_void_p(
        library.opus_multistream_decoder_create(
            48_000, plan.channels, plan.streams, plan.coupled, bytes(plan.mapping), ctypes.byref(error)
        )
    )
    assert error.value == 0
    samples = 48 * plan.packet_ms
    output = np.zeros((samples, plan.channels), np.float32)
    decoded = []
    for packet in packets:
        count = library.opus_multistream_decode_float(
            decoder, packet, ctypes.c_int32(len(packet)), output.ctypes.data_as(ctypes.c_void_p), samples, 0
        )
        assert count == samples
        decoded.append(output.T.copy())
    library.opus_multistream_decoder_destroy(decoder)
    return np.concatenate(decoded, axis=1)


def strongest_hz(channel: Samples) -> float:
    """The frequency with the most energy, 0 when the channel is silent."""
    spectrum = np.abs(np.fft.rfft(channel * np.hanning(len(channel))))
    peak = int(np.argmax(spectrum))
    return 0.0 if math.sqrt(float(np.mean(channel**2))) < 0.005 else peak * 48_000 / len(channel)
