"""Recording from a PulseAudio source with the lowest latency: a thin typed face over libpulse.

The main loop is turned by the reading thread and states are polled after each turn, so that no callback of ours ever
runs inside libpulse and every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import time
from types import TracebackType

from punktfunk.media.opus import SAMPLE_RATE_HZ, bundled_library

_CONTEXT_NOAUTOSPAWN = 1
_CONTEXT_READY, _CONTEXT_FAILED = 4, 5
_STREAM_READY, _STREAM_FAILED = 2, 3
_STREAM_DONT_MOVE = 0x0200
_STREAM_ADJUST_LATENCY = 0x2000
_FORMAT_FLOAT32LE = 5
_UNSET = 0xFFFFFFFF
# FL FR FC LFE RL RR SL SR, the order of AudioPlan.
_POSITIONS = (1, 2, 3, 7, 5, 6, 10, 11)
_MAX_CHANNELS = 32
_SETUP_TIMEOUT_S = 1.0


class PulseError(Exception):
    """The sound server or the source cannot be reached, or went away."""


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


class _ChannelMap(ctypes.Structure):
    _fields_ = (("channels", ctypes.c_uint8), ("map", ctypes.c_int * _MAX_CHANNELS))


class _BufferAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


@functools.cache
def libpulse() -> ctypes.CDLL:
    """The library with its functions declared; raises PulseError when there is none. Stays loaded."""
    path = bundled_library("pcmflux", "libpulse-*.so*") or ctypes.util.find_library("pulse")
    if path is None:
        raise PulseError("libpulse is missing; install libpulse0")
    library = ctypes.CDLL(path)
    pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("pa_mainloop_new", pointer, ()),
        ("pa_mainloop_free", None, (pointer,)),
        ("pa_mainloop_get_api", pointer, (pointer,)),
        ("pa_mainloop_prepare", integer, (pointer, integer)),
        ("pa_mainloop_poll", integer, (pointer,)),
        ("pa_mainloop_dispatch", integer, (pointer,)),
        ("pa_context_new", pointer, (pointer, text)),
        ("pa_context_connect", integer, (pointer, text, integer, pointer)),
        ("pa_context_get_state", integer, (pointer,)),
        ("pa_context_errno", integer, (pointer,)),
        ("pa_context_disconnect", None, (pointer,)),
        ("pa_context_unref", None, (pointer,)),
        ("pa_stream_new", pointer, (pointer, text, ctypes.POINTER(_SampleSpec), ctypes.POINTER(_ChannelMap))),
        ("pa_stream_connect_record", integer, (pointer, text, ctypes.POINTER(_BufferAttr), integer)),
        ("pa_stream_get_state", integer, (pointer,)),
        ("pa_stream_get_device_name", text, (pointer,)),
        ("pa_stream_readable_size", ctypes.c_size_t, (pointer,)),
        ("pa_stream_peek", integer, (pointer, ctypes.POINTER(pointer), ctypes.POINTER(ctypes.c_size_t))),
        ("pa_stream_drop", integer, (pointer,)),
        ("pa_stream_disconnect", integer, (pointer,)),
        ("pa_stream_unref", None, (pointer,)),
        ("pa_strerror", text, (integer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class PulseRecorder:
    """An open recording of ``source``. Use as a context manager, in one thread."""

    def __init__(self, server: str, source: str, channels: int, fragment_us: int) -> None:
        """Connect within a second, or raise PulseError. ``channels`` is 2, 6 or 8, in the order of AudioPlan."""
        self._lib = libpulse()
        self._frame_bytes = 4 * channels
        self._stream: int | None = None
        self._loop = self._lib.pa_mainloop_new()
        self._context = self._lib.pa_context_new(self._lib.pa_mainloop_get_api(self._loop), b"punktfunk")
        try:
            self._connect(server)
            self._record(source, channels, fragment_us)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PulseRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, timeout_s: float) -> bytes:
        """The samples that have arrived, b"" when none did in ``timeout_s``. Raises PulseError at the source's end."""
        deadline = time.monotonic() + timeout_s
        data = self._take()
        while not data and (left_s := deadline - time.monotonic()) > 0:
            self._turn(left_s)
            if self._lib.pa_stream_get_state(self._stream) != _STREAM_READY:
                raise self._error("the source ended")
            data = self._take()
        return data

    def close(self) -> None:
        """Disconnect and free everything; safe to repeat."""
        if self._stream:
            self._lib.pa_stream_disconnect(self._stream)
            self._lib.pa_stream_unref(self._stream)
            self._stream = None
        if self._loop:
            self._lib.pa_context_disconnect(self._context)
            self._lib.pa_context_unref(self._context)
            self._lib.pa_mainloop_free(self._loop)
            self._loop = None

    def _connect(self, server: str) -> None:
        if self._lib.pa_context_connect(self._context, server.encode(), _CONTEXT_NOAUTOSPAWN, None) < 0:
            raise self._error(f"cannot connect to {server}")
        self._settle(self._lib.pa_context_get_state, self._context, _CONTEXT_READY, f"cannot connect to {server}")

    def _record(self, source: str, channels: int, fragment_us: int) -> None:
        spec = _SampleSpec(_FORMAT_FLOAT32LE, SAMPLE_RATE_HZ, channels)
        positions = _ChannelMap(channels, (ctypes.c_int * _MAX_CHANNELS)(*_POSITIONS[:channels]))
        self._stream = self._lib.pa_stream_new(self._context, b"session", ctypes.byref(spec), ctypes.byref(positions))
        if not self._stream:
            raise self._error("no stream")
        fragment = SAMPLE_RATE_HZ * fragment_us // 1_000_000 * self._frame_bytes
        attributes = _BufferAttr(_UNSET, _UNSET, _UNSET, _UNSET, fragment)
        flags = _STREAM_DONT_MOVE | _STREAM_ADJUST_LATENCY
        if self._lib.pa_stream_connect_record(self._stream, source.encode(), ctypes.byref(attributes), flags) < 0:
            raise self._error(f"cannot record {source}")
        self._settle(self._lib.pa_stream_get_state, self._stream, _STREAM_READY, f"cannot record {source}")
        # pipewire-pulse falls back to another source when this one is missing: that would be another session's sound.
        actual = (self._lib.pa_stream_get_device_name(self._stream) or b"").decode(errors="replace")
        if actual != source:
            raise PulseError(f"the server offered {actual} in place of {source}")

    def _settle(self, get_state: ctypes._NamedFuncPointer, target: int, wanted: int, problem: str) -> None:
        deadline = time.monotonic() + _SETUP_TIMEOUT_S
        while (state := get_state(target)) != wanted:
            left_s = deadline - time.monotonic()
            if state > wanted or left_s <= 0:
                raise self._error(problem)
            self._turn(left_s)

    def _turn(self, timeout_s: float) -> None:
        timeout_us = max(0, int(timeout_s * 1_000_000))
        if self._lib.pa_mainloop_prepare(self._loop, timeout_us) < 0 or self._lib.pa_mainloop_poll(self._loop) < 0:
            raise PulseError("the main loop ended")
        self._lib.pa_mainloop_dispatch(self._loop)

    def _take(self) -> bytes:
        chunks = []
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        while self._lib.pa_stream_readable_size(self._stream) not in (0, ctypes.c_size_t(-1).value):
            if self._lib.pa_stream_peek(self._stream, ctypes.byref(data), ctypes.byref(size)) < 0 or not size.value:
                break
            # A hole in the recording has a length but no data: silence.
            chunks.append(ctypes.string_at(data.value, size.value) if data.value else bytes(size.value))
            self._lib.pa_stream_drop(self._stream)
        return b"".join(chunks)

    def _error(self, problem: str) -> PulseError:
        with contextlib.suppress(UnicodeDecodeError):
            reason = self._lib.pa_strerror(self._lib.pa_context_errno(self._context)) or b""
            return PulseError(f"{problem}: {reason.decode()}")
        return PulseError(problem)
