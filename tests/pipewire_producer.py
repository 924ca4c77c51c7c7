"""A PipeWire node with a moving picture, as a compositor's screen cast has one: BGRx in shared memory, of one size or
of the size that its consumer asks for.

Through libpipewire's C interface (its documentation, "Streams" and "SPA POD"). The picture is `PICTURE_COLOR` with the
stamp of frame number and clock in the left top corner and a bar that moves.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p

import numpy as np

from punktfunk.media.stamp import HEIGHT as STAMP_HEIGHT
from punktfunk.media.stamp import WIDTH as STAMP_WIDTH
from punktfunk.media.stamp import stamp_pixels

PICTURE_COLOR = (40, 90, 200)
"""Red, green and blue."""
RATE_HZ = 60
MAX_RATE_HZ = 1000
_NODE_TIMEOUT_S = 5.0

_OUTPUT, _ANY = 1, 0xFFFFFFFF
_DRIVER, _ALLOC_BUFFERS = 1 << 3, 1 << 8
_FORMAT, _ENUM_FORMAT, _BUFFERS = 4, 3, 5
_META, _META_HEADER = 6, 1
_OBJECT_FORMAT, _OBJECT_BUFFERS, _OBJECT_META = 0x40003, 0x40004, 0x40005
_VIDEO, _RAW, _BGRX = 2, 1, 8
_MEMFD, _READABLE, _WRITABLE = 2, 1, 2
_ID, _INT, _RECTANGLE, _FRACTION, _OBJECT, _CHOICE = 3, 4, 10, 11, 15, 19
_RANGE, _FLAGS = 1, 4
_SIZE, _MAX_RATE = 0x20003, 0x20005


class _Chunk(Structure):
    _fields_ = [("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32)]


class _Data(Structure):
    _fields_ = [
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("mapoffset", c_uint32),
        ("maxsize", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(_Chunk)),
    ]


class _Header(Structure):
    _fields_ = [("flags", c_uint32), ("offset", c_uint32), ("pts", c_int64), ("dts_offset", c_int64), ("seq", c_uint64)]


class _Meta(Structure):
    _fields_ = [("type", c_uint32), ("size", c_uint32), ("data", c_void_p)]


class _SpaBuffer(Structure):
    _fields_ = [("n_metas", c_uint32), ("n_datas", c_uint32), ("metas", POINTER(_Meta)), ("datas", POINTER(_Data))]


class _Buffer(Structure):
    _fields_ = [("buffer", POINTER(_SpaBuffer)), ("user_data", c_void_p), ("size", c_uint64), ("requested", c_uint64)]


_EVENT = CFUNCTYPE(None, c_void_p)
_STATE = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
_PARAM = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
_ON_BUFFER = CFUNCTYPE(None, c_void_p, POINTER(_Buffer))


class _Events(Structure):
    _fields_ = [
        ("version", c_uint32),
        ("destroy", c_void_p),
        ("state_changed", _STATE),
        ("control_info", c_void_p),
        ("io_changed", c_void_p),
        ("param_changed", _PARAM),
        ("add_buffer", _ON_BUFFER),
        ("remove_buffer", _ON_BUFFER),
        ("process", _EVENT),
        ("drained", c_void_p),
        ("command", c_void_p),
        ("trigger_done", c_void_p),
    ]


def _pod(kind: int, body: bytes) -> bytes:
    return struct.pack("=II", len(body), kind) + body + bytes(-len(body) % 8)


def _choice(kind: int, value_kind: int, *values: bytes) -> bytes:
    return _pod(_CHOICE, struct.pack("=IIII", kind, 0, len(values[0]), value_kind) + b"".join(values))


def _object(kind: int, number: int, *properties: tuple[int, bytes]) -> bytes:
    body = struct.pack("=II", kind, number)
    return _pod(_OBJECT, body + b"".join(struct.pack("=II", key, 0) + value for key, value in properties))


def _uint(value: int) -> bytes:
    return struct.pack("=I", value)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libpipewire-0.3.so.0")
    for name, result, arguments in (
        ("pw_init", None, [c_void_p, c_void_p]),
        ("pw_thread_loop_new", c_void_p, [c_char_p, c_void_p]),
        ("pw_thread_loop_get_loop", c_void_p, [c_void_p]),
        ("pw_thread_loop_start", c_int, [c_void_p]),
        ("pw_thread_loop_stop", None, [c_void_p]),
        ("pw_thread_loop_lock", None, [c_void_p]),
        ("pw_thread_loop_unlock", None, [c_void_p]),
        ("pw_thread_loop_destroy", None, [c_void_p]),
        ("pw_properties_new_string", c_void_p, [c_char_p]),
        ("pw_stream_new_simple", c_void_p, [c_void_p, c_char_p, c_void_p, POINTER(_Events), c_void_p]),
        ("pw_stream_connect", c_int, [c_void_p, c_int, c_uint32, c_int, POINTER(c_void_p), c_uint32]),
        ("pw_stream_update_params", c_int, [c_void_p, POINTER(c_void_p), c_uint32]),
        ("pw_stream_get_node_id", c_uint32, [c_void_p]),
        ("pw_stream_dequeue_buffer", POINTER(_Buffer), [c_void_p]),
        ("pw_stream_queue_buffer", c_int, [c_void_p, POINTER(_Buffer)]),
        ("pw_stream_trigger_process", c_int, [c_void_p]),
        ("pw_stream_destroy", None, [c_void_p]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.pw_init(None, None)
    return library


class Producer:
    """One node, on threads of its own; PIPEWIRE_REMOTE and XDG_RUNTIME_DIR say where. ``node`` is its id.

    A ``negotiable`` one has any size and rate, as mutter's virtual monitors do, with these and 60 Hz as its own wish;
    ``negotiated`` is told what was agreed on: width, height and the rate in Hz.
    """

    def __init__(
        self,
        width: int,
        height: int,
        *,
        negotiable: bool = False,
        negotiated: Callable[[int, int, float], None] = lambda *_: None,
    ) -> None:
        self._pw = _library()
        self._negotiated = negotiated
        self._resize(width, height)
        self._frame = 0
        self._streaming = threading.Event()
        self._over = threading.Event()
        self._error = ""
        self._memory: dict[int, mmap.mmap] = {}
        # Kept: C calls them.
        self._events = _Events(
            version=2,
            state_changed=_STATE(self._state_changed),
            param_changed=_PARAM(self._param_changed),
            add_buffer=_ON_BUFFER(self._add_buffer),
            remove_buffer=_ON_BUFFER(self._remove_buffer),
            process=_EVENT(self._process),
        )
        pw = self._pw
        self._loop = pw.pw_thread_loop_new(b"producer", None)
        properties = pw.pw_properties_new_string(b"media.class=Video/Source node.name=stand-in")
        self._stream = pw.pw_stream_new_simple(
            pw.pw_thread_loop_get_loop(self._loop), b"stand-in", properties, ctypes.byref(self._events), None
        )
        assert self._stream, "no PipeWire"
        formats = _object(
            _OBJECT_FORMAT,
            _ENUM_FORMAT,
            (1, _pod(_ID, _uint(_VIDEO))),
            (2, _pod(_ID, _uint(_RAW))),
            (0x20001, _pod(_ID, _uint(_BGRX))),
            (_SIZE, _sizes(width, height) if negotiable else _pod(_RECTANGLE, struct.pack("=II", width, height))),
            (0x20004, _pod(_FRACTION, struct.pack("=II", 0, 1))),
            (
                _MAX_RATE,
                _choice(
                    _RANGE,
                    _FRACTION,
                    *(struct.pack("=II", hz, 1) for hz in (RATE_HZ, 1, MAX_RATE_HZ if negotiable else RATE_HZ)),
                ),
            ),
        )
        result = pw.pw_stream_connect(self._stream, _OUTPUT, _ANY, _DRIVER | _ALLOC_BUFFERS, _params(formats), 1)
        assert result == 0, result
        pw.pw_thread_loop_start(self._loop)
        self.node = self._await_node()
        self._pacer = threading.Thread(target=self._pace, daemon=True)
        self._pacer.start()

    def close(self) -> None:
        """Take it away."""
        self._over.set()
        self._pacer.join()
        self._pw.pw_thread_loop_stop(self._loop)
        self._pw.pw_stream_destroy(self._stream)
        self._pw.pw_thread_loop_destroy(self._loop)

    def _resize(self, width: int, height: int) -> None:
        self._size = width, height
        self._background = np.zeros((height, width, 4), np.uint8)
        self._background[:, :, :3] = PICTURE_COLOR[::-1]

    def _await_node(self) -> int:
        deadline = time.monotonic() + _NODE_TIMEOUT_S
        while time.monotonic() < deadline and not self._error:
            self._pw.pw_thread_loop_lock(self._loop)
            node = int(self._pw.pw_stream_get_node_id(self._stream))
            self._pw.pw_thread_loop_unlock(self._loop)
            if node != _ANY:
                return node
            time.sleep(0.01)
        raise RuntimeError(self._error or "PipeWire gives no node")

    def _pace(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / RATE_HZ, time.monotonic() - 1 / RATE_HZ)
            if self._streaming.is_set():
                self._pw.pw_thread_loop_lock(self._loop)
                self._pw.pw_stream_trigger_process(self._stream)
                self._pw.pw_thread_loop_unlock(self._loop)

    def _state_changed(self, _data: object, _old: int, new: int, error: bytes | None) -> None:
        if error:
            self._error = error.decode(errors="replace")
        (self._streaming.set if new == 3 else self._streaming.clear)()

    def _param_changed(self, _data: object, number: int, param: int | None) -> None:
        if number != _FORMAT or not param:
            return
        agreed = ctypes.string_at(param, 8 + ctypes.cast(param, POINTER(c_uint32))[0])
        width, height = _values(agreed, _SIZE)
        numerator, denominator = _values(agreed, _MAX_RATE)
        self._resize(width, height)
        self._negotiated(width, height, numerator / denominator)
        buffers = _object(
            _OBJECT_BUFFERS,
            _BUFFERS,
            (1, _choice(_RANGE, _INT, _uint(4), _uint(2), _uint(8))),
            (2, _pod(_INT, _uint(1))),
            (3, _pod(_INT, _uint(width * height * 4))),
            (4, _pod(_INT, _uint(width * 4))),
            (6, _choice(_FLAGS, _INT, _uint(1 << _MEMFD))),
        )
        header = _object(
            _OBJECT_META, _META, (1, _pod(_ID, _uint(_META_HEADER))), (2, _pod(_INT, _uint(ctypes.sizeof(_Header))))
        )
        self._pw.pw_stream_update_params(self._stream, _params(buffers, header), 2)

    def _add_buffer(self, _data: object, buffer: ctypes._Pointer[_Buffer]) -> None:
        """Each buffer is memory of its own, as compositors make them."""
        width, height = self._size
        fd = os.memfd_create("picture", os.MFD_CLOEXEC)
        os.ftruncate(fd, width * height * 4)
        memory = mmap.mmap(fd, width * height * 4)
        data = buffer.contents.buffer.contents.datas[0]
        data.type, data.flags, data.fd, data.mapoffset = _MEMFD, _READABLE | _WRITABLE, fd, 0
        data.maxsize = width * height * 4
        data.data = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self._memory[fd] = memory

    def _remove_buffer(self, _data: object, buffer: ctypes._Pointer[_Buffer]) -> None:
        fd = buffer.contents.buffer.contents.datas[0].fd
        self._memory.pop(fd, None)
        os.close(fd)

    def _process(self, _data: object) -> None:
        buffer = self._pw.pw_stream_dequeue_buffer(self._stream)
        if not buffer:
            return
        data = buffer.contents.buffer.contents.datas[0]
        width, height = self._size
        if data.data and data.maxsize >= width * height * 4:
            memory = (ctypes.c_uint8 * (width * height * 4)).from_address(data.data)
            self._draw(np.frombuffer(memory, np.uint8).reshape(height, width, 4))
            chunk = data.chunk.contents
            chunk.offset, chunk.size, chunk.stride, chunk.flags = 0, width * height * 4, width * 4, 0
        spa = buffer.contents.buffer.contents
        for meta in spa.metas[: spa.n_metas]:
            if meta.type == _META_HEADER and meta.data:
                ctypes.cast(meta.data, POINTER(_Header)).contents.pts = time.monotonic_ns()
                ctypes.cast(meta.data, POINTER(_Header)).contents.seq = self._frame
        self._pw.pw_stream_queue_buffer(self._stream, buffer)

    def _draw(self, picture: np.ndarray) -> None:  # type: ignore[type-arg]
        picture[:] = self._background
        height, width, _ = picture.shape
        left = self._frame * 4 % (width - 32)
        picture[height - 32 :, left : left + 32, :3] = 255
        picture[:STAMP_HEIGHT, :STAMP_WIDTH, :3] = stamp_pixels(self._frame, time.monotonic_ns())[:, :, None]
        self._frame += 1


def _sizes(width: int, height: int) -> bytes:
    sizes = ((width, height), (1, 1), (16384, 16384))
    return _choice(_RANGE, _RECTANGLE, *(struct.pack("=II", *size) for size in sizes))


def _values(pod: bytes, key: int) -> tuple[int, int]:
    """The two numbers of a property of an agreed format: a plain value, or a choice that is none any more."""
    at = next(at for at in range(16, len(pod), 8) if struct.unpack_from("=I", pod, at)[0] == key) + 8
    kind = struct.unpack_from("=I", pod, at + 4)[0]
    first, second = struct.unpack_from("=II", pod, at + (24 if kind == _CHOICE else 8))
    return int(first), int(second)


def _params(*pods: bytes) -> ctypes.Array[c_void_p]:
    kept = [ctypes.create_string_buffer(pod, len(pod)) for pod in pods]
    array = (c_void_p * len(pods))(*map(ctypes.addressof, kept))
    array.kept = kept  # type: ignore[attr-defined]
    return array


def main() -> None:
    import sys

    producer = Producer(int(sys.argv[1]), int(sys.argv[2]))
    print(producer.node, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
