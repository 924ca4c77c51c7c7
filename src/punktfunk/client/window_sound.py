"""Sound through SDL: the session's to the speakers, the microphone's to the session."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

import sdl2

from punktfunk.client.audio_order import AudioPacket
from punktfunk.client.microphone import Microphone
from punktfunk.client.opus import SAMPLE_RATE_HZ
from punktfunk.client.session import Session
from punktfunk.client.sound import SoundDecoder

CUSHION_MS = 20
MAX_QUEUED_MS = 90
DEVICE_SAMPLES = 256
_FLOAT_BYTES = 4


class Speakers:
    """Plays packets; a queue that grew too long loses one, an empty one begins again with a cushion of silence."""

    def __init__(self, session: Session) -> None:
        self._decoder = SoundDecoder(session.welcome)
        self._bytes_per_ms = self._decoder.rate_hz * self._decoder.channels * _FLOAT_BYTES // 1000
        self._device = _open(self._decoder.rate_hz, self._decoder.channels, sdl2.AUDIO_F32SYS, capture=False)

    def play(self, packet: AudioPacket) -> None:
        """Queue one packet."""
        samples = self._decoder.decode(packet)
        if not self._device:
            return
        queued = sdl2.SDL_GetQueuedAudioSize(self._device)
        if queued > MAX_QUEUED_MS * self._bytes_per_ms:
            return
        if queued == 0:
            samples = bytes(CUSHION_MS * self._bytes_per_ms) + samples
        sdl2.SDL_QueueAudio(self._device, samples, len(samples))

    def close(self) -> None:
        """Fall silent."""
        if self._device:
            sdl2.SDL_CloseAudioDevice(self._device)
        self._decoder.close()


class WindowMicrophone:
    """Sends what the default recording device hears, if there is one."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._microphone = Microphone(send)
        self._device = _open(SAMPLE_RATE_HZ, 1, sdl2.AUDIO_S16SYS, capture=True)
        self._buffer = ctypes.create_string_buffer(SAMPLE_RATE_HZ)

    def pump(self) -> None:
        """Send what was recorded since the last call."""
        if self._device:
            size = sdl2.SDL_DequeueAudio(self._device, self._buffer, len(self._buffer))
            if size:
                self._microphone.write(self._buffer.raw[:size], time.time_ns())

    def close(self) -> None:
        """Stop recording."""
        if self._device:
            sdl2.SDL_CloseAudioDevice(self._device)
        self._microphone.close()


def _open(rate_hz: int, channels: int, sample_format: int, *, capture: bool) -> int:
    """A running device, 0 when there is none."""
    wanted = sdl2.SDL_AudioSpec(rate_hz, sample_format, channels, DEVICE_SAMPLES)
    device: int = sdl2.SDL_OpenAudioDevice(None, int(capture), wanted, None, 0)
    if device:
        sdl2.SDL_PauseAudioDevice(device, 0)
    return device
