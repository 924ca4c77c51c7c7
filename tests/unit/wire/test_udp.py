from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from punktfunk.wire.udp import (
    MAX_BATCH_BYTES,
    MAX_BATCH_DATAGRAMS,
    BatchSender,
    TrafficClass,
    mark_traffic,
    size_buffers,
)

SINK = ("127.0.0.1", 9)


@pytest.fixture
def sink() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        size_buffers(sock, receive_bytes=1 << 20)
        sock.settimeout(5)
        yield sock


def payload(datagrams: int, size: int) -> memoryview:
    return memoryview(b"".join(i.to_bytes(2, "big") + bytes(size - 2) for i in range(datagrams)))


class RefusingSocket:
    """A socket double whose calls fail with the given errors, in order; None lets a call pass."""

    def __init__(self, *errors: int | None) -> None:
        self.errors = list(errors)
        self.calls: list[str] = []

    def sendmsg(self, *_: Any) -> None:
        self._call("sendmsg")

    def sendto(self, *_: Any) -> None:
        self._call("sendto")

    def send(self, *_: Any) -> None:
        self._call("send")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if (error := self.errors.pop(0) if self.errors else None) is not None:
            raise OSError(error, "refused")


def sender(double: RefusingSocket, *, segmentation: bool = True) -> BatchSender:
    return BatchSender(double, segmentation=segmentation)  # type: ignore[arg-type]


@pytest.mark.parametrize("segmentation", [True, False])
@pytest.mark.parametrize("tail", [0, 17])
def test_both_paths_deliver_the_same_datagrams(sink: socket.socket, segmentation: bool, tail: int) -> None:
    data = payload(50, 1408)
    data = data[: len(data) - tail]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        out = BatchSender(sock, segmentation=segmentation)
        assert out.send(data, 1408, sink.getsockname()) == 50
    received = [sink.recv(4096) for _ in range(50)]
    assert received == [bytes(data[start : start + 1408]) for start in range(0, len(data), 1408)]
    assert (out.statistics.packets, out.statistics.bytes, out.statistics.lost) == (50, len(data), 0)
    assert out.statistics.calls == (2 if out.segmenting else 50 + segmentation)


def test_a_dual_stack_socket_reaches_both_families() -> None:
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as v4,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as v6,
    ):
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        v4.bind(("127.0.0.1", 0))
        v6.bind(("::1", 0))
        out = BatchSender(sock)
        assert out.send(payload(10, 200), 200, ("::ffff:127.0.0.1", v4.getsockname()[1], 0, 0)) == 10
        assert out.send(payload(10, 200), 200, v6.getsockname()) == 10
        for receiver in (v4, v6):
            receiver.settimeout(5)
            assert [receiver.recv(500)[:2] for _ in range(10)] == [i.to_bytes(2, "big") for i in range(10)]


def test_a_connected_socket_needs_no_address(sink: socket.socket) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(sink.getsockname())
        assert BatchSender(sock).send(payload(3, 100), 100) == 3
        assert BatchSender(sock, segmentation=False).send(payload(1, 100), 100) == 1
    assert [sink.recv(500)[1] for _ in range(4)] == [0, 1, 2, 0]


def test_batches_stay_within_the_kernels_limits() -> None:
    double = RefusingSocket()
    assert sender(double).send(payload(200, 1408), 1408, SINK) == 200
    assert len(double.calls) == -(-200 // MAX_BATCH_DATAGRAMS)
    double = RefusingSocket()
    assert sender(double).send(payload(20, 9000), 9000, SINK) == 20
    assert len(double.calls) == -(-20 // (MAX_BATCH_BYTES // 9000))


@pytest.mark.parametrize("refusal", [errno.EINVAL, errno.EIO, errno.EOPNOTSUPP, errno.EMSGSIZE])
def test_a_refusal_is_remembered_for_the_route(refusal: int) -> None:
    double = RefusingSocket(refusal)
    out = sender(double)
    assert out.send(payload(3, 100), 100, SINK) == 3
    assert out.send(payload(3, 100), 100, SINK) == 3
    assert double.calls == ["sendmsg", *["sendto"] * 6]
    assert not out.segmenting
    assert out.send(payload(3, 100), 100, ("127.0.0.2", 9)) == 3
    assert double.calls[-1] == "sendmsg"
    assert out.statistics.packets == 9


@pytest.mark.parametrize(
    "error", [errno.EAGAIN, errno.ENOBUFS, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM]
)
def test_what_a_network_does_is_a_loss(error: int) -> None:
    out = sender(RefusingSocket(error))
    assert out.send(payload(50, 1408), 1408, SINK) == 50 - MAX_BATCH_DATAGRAMS
    assert (out.statistics.packets, out.statistics.lost) == (50 - MAX_BATCH_DATAGRAMS, MAX_BATCH_DATAGRAMS)
    assert out.segmenting
    plain = sender(RefusingSocket(error, None), segmentation=False)
    assert plain.send(payload(2, 100), 100, SINK) == 1
    assert plain.statistics.lost == 1


def test_a_broken_socket_is_an_error() -> None:
    with pytest.raises(OSError, match="refused"):
        sender(RefusingSocket(errno.EBADF)).send(payload(2, 100), 100, SINK)
    with pytest.raises(OSError, match="refused"):
        sender(RefusingSocket(errno.EBADF)).send(payload(1, 100), 100, SINK)


def test_a_full_socket_loses_packets_and_never_blocks() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        out = BatchSender(left, segmentation=False)
        sent = out.send(payload(2000, 1408), 1408)
    assert 0 < sent < 2000
    assert out.statistics.lost == 2000 - sent


def test_refused_connections_are_losses() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        out = BatchSender(sock)
        for _ in range(4):
            out.send(payload(2, 100), 100)
    assert out.statistics.lost > 0
    assert out.statistics.packets + out.statistics.lost == 8


def test_datagrams_have_a_size(sink: socket.socket) -> None:
    out = BatchSender(sink)
    with pytest.raises(ValueError, match="datagram_bytes"):
        out.send(payload(1, 100), 0, SINK)
    assert out.send(memoryview(b""), 100, SINK) == 0


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_traffic_is_marked(family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        assert mark_traffic(sock, TrafficClass.AUDIO)
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 6
        if family == socket.AF_INET6:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 46 << 2


def test_marking_what_is_not_a_network_socket_is_refused_quietly() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        assert not mark_traffic(left, TrafficClass.VIDEO)


def test_buffer_sizes() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        before = size_buffers(sock)
        assert size_buffers(sock, send_bytes=4608)[0] != before[0]
        assert size_buffers(sock)[1] == before[1]
