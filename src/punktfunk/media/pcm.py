"""Sound as plain samples: floats to signed integers, symmetric full scale (punktfunk1.md §8.4)."""

from __future__ import annotations

import numpy as np

from punktfunk.media.opus import SAMPLE_RATE_HZ
from punktfunk.media.plan import AudioPlan

FULL_SCALE = {16: 32_767, 24: 8_388_607}


class PcmEncoder:
    """Float samples in, one packet of the plan's duration out: interleaved, little-endian, two or three bytes each."""

    def __init__(self, plan: AudioPlan) -> None:
        """Raises ValueError for a format that is none."""
        if plan.pcm_bits not in FULL_SCALE:
            raise ValueError(f"samples of {plan.pcm_bits} bits")
        self.samples_per_packet = SAMPLE_RATE_HZ * plan.packet_us // 1_000_000
        self.input_bytes = self.samples_per_packet * plan.channels * 4
        self._bits = plan.pcm_bits

    def encode(self, samples: bytes | bytearray) -> bytes:
        """Encode interleaved native float samples; what is louder than full scale is cut."""
        floats = np.clip(np.frombuffer(samples, np.float32), -1.0, 1.0)
        scaled = np.rint(floats.astype(np.float64) * FULL_SCALE[self._bits]).astype("<i4")
        if self._bits == 16:
            return scaled.astype("<i2").tobytes()
        return scaled.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()

    def close(self) -> None:
        """Nothing to free."""
