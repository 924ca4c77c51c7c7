"""The UDP socket of punktfunk/1: packets to their connections, and who may open one (punktfunk1.md §2)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable

from aioquic._buffer import Buffer
from aioquic.quic.configuration import SMALLEST_MAX_DATAGRAM_SIZE
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler
from cryptography import x509

from punktfunk.discovery.network import plain_address
from punktfunk.native.admission import Admission, Verdict
from punktfunk.native.path_search import STANDARD_MTU, PathMemory, PathSearch
from punktfunk.native.transport import ConnectionHandler, HostQuic, QuicTransport, server_configuration
from punktfunk.trust.identity import Identity
from punktfunk.wire.punktfunk1 import ALPN_PROTOCOLS
from punktfunk.wire.udp import Address

READS_PER_WAKE = 64
MAX_PACKET_BYTES = 2048
MAX_CONNECTION_IDS = 4096
"""More than all admitted connections can have; a packet for an unknown one is dropped."""

_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 23, 3
"""linux/in.h, linux/in6.h: packets leave whole, whatever the kernel believes the path to carry."""

logging.getLogger("quic").setLevel(logging.ERROR)  # aioquic tells of every stranger's every mistake


class QuicEndpoint:
    """Serves on a bound, non-blocking socket, which it closes in the end. ``accept`` makes a connection's handler."""

    def __init__(
        self,
        sock: socket.socket,
        identity: Identity,
        accept: Callable[[QuicTransport], ConnectionHandler],
        *,
        max_mtu: int = STANDARD_MTU,
    ) -> None:
        self._socket = sock
        self._max_mtu = max_mtu
        self.paths = PathMemory()
        _forbid_fragments(sock)
        self._accept = accept
        certificate = x509.load_der_x509_certificate(identity.certificate.der)
        self._configuration = server_configuration(certificate, identity.private_key, ALPN_PROTOCOLS)
        self._retry = QuicRetryTokenHandler()
        self._by_cid: dict[bytes, QuicTransport] = {}
        self._stranger_address: dict[QuicTransport, str] = {}
        self._loop = asyncio.get_running_loop()
        self.admission = Admission()
        self._loop.add_reader(sock, self._readable)

    @property
    def connections(self) -> int:
        """Connections of any state."""
        return len(set(self._by_cid.values()))

    def known(self, transport: QuicTransport) -> None:
        """The client has shown who it is, and does not count as a stranger any more. Safe to repeat."""
        address = self._stranger_address.pop(transport, None)
        if address is not None:
            self.admission.leave(address)

    async def close(self) -> None:
        """Stop serving; connections should be closed before."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for transport in set(self._by_cid.values()):
            transport.abandon()
        self._by_cid.clear()

    def _readable(self) -> None:
        for _ in range(READS_PER_WAKE):
            try:
                data, address = self._socket.recvfrom(MAX_PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about an earlier packet
                continue
            self._receive(data, address)

    def _receive(self, data: bytes, address: Address) -> None:
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=self._configuration.connection_id_length)
        except ValueError:
            return
        transport = self._by_cid.get(header.destination_cid)
        if transport is None:
            transport = self._first_packet(header, data, address)
        if transport is not None:
            transport.receive(data, address)

    def _first_packet(self, header: QuicHeader, data: bytes, address: Address) -> QuicTransport | None:
        # Answers are never longer than what they answer, so that a forged address gains nothing.
        if len(data) < SMALLEST_MAX_DATAGRAM_SIZE or header.packet_type is QuicPacketType.VERSION_NEGOTIATION:
            return None
        if header.version is not None and header.version not in self._configuration.supported_versions:
            versions = self._configuration.supported_versions
            self._send(
                encode_quic_version_negotiation(
                    source_cid=header.destination_cid,
                    destination_cid=header.source_cid,
                    supported_versions=versions,
                ),
                address,
            )
            return None
        if header.packet_type is not QuicPacketType.INITIAL or len(self._by_cid) >= MAX_CONNECTION_IDS:
            return None
        return self._admit(header, address)

    def _admit(self, header: QuicHeader, address: Address) -> QuicTransport | None:
        original_cid, retry_cid = header.destination_cid, None
        if header.token:
            try:
                original_cid = self._retry.validate_token(
                    address=address,
                    destination_cid=header.destination_cid,
                    token=header.token,
                    now=self._loop.time(),
                )
                retry_cid = header.destination_cid
            except ValueError:
                return None
        match self.admission.judge(plain_address(address[0]), validated=retry_cid is not None):
            case Verdict.ADMIT:
                return self._open(header, original_cid, retry_cid, address)
            case Verdict.RETRY:
                self._send_retry(header, address)
        return None

    def _send_retry(self, header: QuicHeader, address: Address) -> None:
        source_cid = os.urandom(8)
        token = self._retry.create_token(
            address=address,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=source_cid,
            now=self._loop.time(),
        )
        assert header.version is not None
        self._send(
            encode_quic_retry(
                version=header.version,
                source_cid=source_cid,
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=token,
            ),
            address,
        )

    def _open(
        self, header: QuicHeader, original_cid: bytes, retry_cid: bytes | None, address: Address
    ) -> QuicTransport:
        ip = plain_address(address[0])
        quic = HostQuic(
            configuration=self._configuration,
            original_destination_connection_id=original_cid,
            retry_source_connection_id=retry_cid,
        )
        transport = QuicTransport(
            quic,
            self._accept,
            send=self._send,
            over=self._connection_over,
            cid_changed=self._cid_changed,
            handshake_over=self.admission.shook_hands,
            search=PathSearch(ipv6=":" in ip, max_mtu=self._max_mtu, remembered=self.paths[ip]),
        )
        self.admission.enter(ip)
        self._stranger_address[transport] = ip
        self._by_cid[header.destination_cid] = transport
        self._by_cid[quic.host_cid] = transport
        return transport

    def _cid_changed(self, transport: QuicTransport, cid: bytes, issued: bool) -> None:
        if issued:
            self._by_cid[cid] = transport
        else:
            self._by_cid.pop(cid, None)

    def _connection_over(self, transport: QuicTransport) -> None:
        self.known(transport)
        if transport.path_mtu is not None:
            self.paths.remember(plain_address(transport.peer[0]), transport.path_mtu)
        for cid in [cid for cid, other in self._by_cid.items() if other is transport]:
            del self._by_cid[cid]

    def _send(self, data: bytes, address: Address) -> None:
        try:
            self._socket.sendto(data, address)
        except OSError:  # no room or no route: lost like any packet
            return


def _forbid_fragments(sock: socket.socket) -> None:
    """Have probes of the path leave as they are; without it, or on another system, they may arrive in pieces."""
    levels = [(socket.IPPROTO_IP, _IP_MTU_DISCOVER)]
    if sock.family == socket.AF_INET6:
        levels.append((socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER))
    for level, option in levels:
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, _PMTUDISC_PROBE)
