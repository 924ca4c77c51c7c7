"""Pages over WebTransport: HTTP/3 by aioquic, streams for video, datagrams for sound and positions.

The page opens one bidirectional stream for everything reliable; each message stands behind its u32 length, there and
everywhere. Video has a unidirectional stream of its own until frames have to be dropped: that one is reset, and the
next keyframe begins another. A stream for each frame would gain nothing: each frame needs the one before it.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import QuicServer, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DatagramReceived, H3Event, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamDataReceived

from punktfunk.browser.certificate import RENEW_AFTER_S, PageCertificate, make_certificate
from punktfunk.browser.transport import PageListener, PageTransport
from punktfunk.browser.wire import MAX_MESSAGE_BYTES
from punktfunk.discovery.network import plain_address

log = logging.getLogger(__name__)

PATH = "/play"
IDLE_TIMEOUT_S = 15.0
MAX_CONNECTIONS = 64
MAX_STRANGERS_PER_ADDRESS = 16
"""Connections that no page has spoken on yet."""
OPENING_DEADLINE_S = 10.0
"""From the handshake to the page's first word; what it has to say then has a deadline of its own."""
MAX_OVERHEAD_BYTES = 64 << 10
"""All that a connection may send outside of the page's stream, its request and the settings of HTTP/3. aioquic keeps an
unfinished HTTP/3 frame whatever length it claims, and looks at all of it again whenever a packet comes."""
STREAM_OVERHEAD_BYTES = 64
"""Charged for each piece of a stream, empty ones too: aioquic remembers every stream that there ever was."""
MAX_FRAMES_UNDER_WAY = 600
"""Ten seconds at 60 Hz; frames are dropped long before."""
_LENGTH_BYTES = 4
_LATE = 0x10
_RENEWAL_CHECK_S = 3600.0

Connect = Callable[[PageTransport], PageListener | None]


class _SentFrame(NamedTuple):
    """A frame on the video stream: where it ends, and when it was sent."""

    end: int
    at: float
    keyframe: bool


class WebTransportPage(QuicConnectionProtocol):
    """One QUIC connection with at most one WebTransport session in it; a ``PageTransport``."""

    name = "webtransport"

    def __init__(self, *args: Any, connect: Connect, gone: Callable[[WebTransportPage], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connect = connect
        self._gone = gone
        self._http: H3Connection | None = None
        self._session: int | None = None
        self._control: int | None = None
        self._buffer = bytearray()
        self._listener: PageListener | None = None
        self._video: int | None = None
        self._sent: deque[_SentFrame] = deque()
        self._finishing: list[int] = []
        self._overhead_bytes = 0
        self._opening = asyncio.get_running_loop().call_later(OPENING_DEADLINE_S, self._close_unopened)
        self._ended = False

    @property
    def stranger_at(self) -> str | None:
        """The address of a connection that no page has spoken on yet."""
        paths = self._quic._network_paths
        return plain_address(paths[0].addr[0]) if self._control is None and not self._ended and paths else None

    def quic_event_received(self, event: QuicEvent) -> None:
        """Something arrived."""
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic, enable_webtransport=True)
        elif isinstance(event, StreamDataReceived) and event.stream_id != self._control:
            self._overhead_bytes += len(event.data) + STREAM_OVERHEAD_BYTES
            if self._overhead_bytes > MAX_OVERHEAD_BYTES:
                self.refuse()
                return
        elif isinstance(event, ConnectionTerminated):
            self._ended = True
            listener, self._listener = self._listener, None
            if listener is not None:
                listener.lost()
            self._opening.cancel()
            self._gone(self)
        if self._http is not None and not self._ended:
            for http_event in self._http.handle_event(event):
                self._http_event(http_event)

    @property
    def backlog_bytes(self) -> int:
        """Bytes of frames that the page has not acknowledged yet."""
        self._finishing = [stream for stream in self._finishing if self._unacknowledged(stream)]
        return sum(map(self._unacknowledged, self._finishing)) + self._unacknowledged(self._video)

    @property
    def backlog_s(self) -> float:
        """How long the oldest of them has been under way, beyond the round trip that an acknowledgement takes."""
        stream = self._quic._streams.get(self._video) if self._video is not None else None
        while self._sent and stream is not None and self._sent[0].end <= stream.sender._buffer_start:
            self._sent.popleft()
        if not self._sent:
            return 0.0
        round_trip_s: float = self._quic._loss._rtt_smoothed
        return max(0.0, time.monotonic() - self._sent[0].at - round_trip_s)

    def _unacknowledged(self, stream_id: int | None) -> int:
        # aioquic forgets a stream once all of it is acknowledged, and offers no other way to see that.
        stream = self._quic._streams.get(stream_id) if stream_id is not None else None
        if stream is None or stream.sender.is_finished or stream.sender._reset_error_code is not None:
            return 0
        return stream.sender._buffer_stop - stream.sender._buffer_start

    def send(self, message: bytes) -> None:
        """Send on the control stream."""
        if self._control is not None and not self._ended:
            self._quic.send_stream_data(self._control, len(message).to_bytes(_LENGTH_BYTES, "big") + message)
            self.transmit()

    def send_video(self, message: bytes, *, keyframe: bool) -> None:
        """Send a frame behind the one before it."""
        if self._http is None or self._session is None or self._ended or len(self._sent) >= MAX_FRAMES_UNDER_WAY:
            return
        if self._video is None:
            self._video = self._http.create_webtransport_stream(self._session, is_unidirectional=True)
        self._quic.send_stream_data(self._video, len(message).to_bytes(_LENGTH_BYTES, "big") + message)
        end = self._quic._streams[self._video].sender._buffer_stop
        self._sent.append(_SentFrame(end, time.monotonic(), keyframe))
        self.transmit()

    def drop_video(self) -> None:
        """Take back what is still under way: it would come too late. A keyframe goes on to its end: over a way that
        takes longer for one than the backlog may last, nothing would ever be seen otherwise."""
        if self._video is None or self._ended:
            return
        _ = self.backlog_s  # forgets what has arrived
        if any(frame.keyframe for frame in self._sent):
            self._quic.send_stream_data(self._video, b"", end_stream=True)
            self._finishing.append(self._video)
        else:
            self._quic.reset_stream(self._video, _LATE)
        self._video = None
        self._sent.clear()
        self.transmit()

    def send_audio(self, message: bytes) -> None:
        """Send a datagram."""
        if self._http is not None and self._session is not None and not self._ended:
            self._http.send_datagram(self._session, message)
            self.transmit()

    @property
    def unread_bytes(self) -> int:
        """Bytes of the control stream that the page has not acknowledged yet."""
        return self._unacknowledged(self._control)

    def keep_alive(self) -> None:
        """A PING, which the page's browser answers even where its scripts sleep."""
        if not self._ended:
            self._quic.send_ping(0)
            self.transmit()

    def close_page(self) -> None:
        """End the connection after what was sent."""
        if not self._ended:
            if self._control is not None:
                self._quic.send_stream_data(self._control, b"", end_stream=True)
                self.transmit()
            asyncio.get_running_loop().call_later(0.2, self._close_quic)

    def refuse(self) -> None:
        """End the connection at once."""
        self._close_quic()

    def _close_unopened(self) -> None:
        if self._control is None:
            self._close_quic()

    def _close_quic(self) -> None:
        if not self._ended:
            super().close()

    def _http_event(self, event: H3Event) -> None:
        match event:
            case HeadersReceived():
                self._request(event)
            case WebTransportStreamDataReceived() if event.session_id == self._session:
                self._stream_data(event.stream_id, event.data)
            case DatagramReceived() if event.stream_id == self._session and len(event.data) <= MAX_MESSAGE_BYTES:
                if self._listener is not None:
                    self._listener.received(event.data)

    def _request(self, event: HeadersReceived) -> None:
        assert self._http is not None
        headers = dict(event.headers)
        wanted = headers.get(b":method") == b"CONNECT" and headers.get(b":protocol") == b"webtransport"
        status = b"200" if wanted and headers.get(b":path") == PATH.encode() and self._session is None else b"404"
        reply = [(b":status", status), (b"sec-webtransport-http3-draft", b"draft02")]
        self._http.send_headers(event.stream_id, reply, end_stream=status != b"200")
        if status == b"200":
            self._session = event.stream_id
        self.transmit()

    def _stream_data(self, stream: int, data: bytes) -> None:
        if self._control is None and stream & 2 == 0:
            self._control = stream
            self._listener = self._connect(_Face(self))
            if self._listener is None:
                self.close_page()
        if stream != self._control:
            return
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if length > MAX_MESSAGE_BYTES:
                self.refuse()
                return
            if len(self._buffer) < _LENGTH_BYTES + length:
                return
            message = bytes(self._buffer[_LENGTH_BYTES : _LENGTH_BYTES + length])
            del self._buffer[: _LENGTH_BYTES + length]
            if self._listener is not None:
                self._listener.received(message)


class _Face:
    """A page's connection without the QUIC methods whose names it shares."""

    name = WebTransportPage.name

    def __init__(self, page: WebTransportPage) -> None:
        self._page = page
        self.send = page.send
        self.send_video = page.send_video
        self.drop_video = page.drop_video
        self.send_audio = page.send_audio
        self.keep_alive = page.keep_alive
        self.close = page.close_page

    @property
    def backlog_s(self) -> float:
        """See WebTransportPage."""
        return self._page.backlog_s

    @property
    def unread_bytes(self) -> int:
        """See WebTransportPage."""
        return self._page.unread_bytes

    @property
    def backlog_bytes(self) -> int:
        """See WebTransportPage."""
        return self._page.backlog_bytes


class WebTransportServer:
    """The UDP port. The certificate is renewed by itself; open connections keep theirs."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._configuration = QuicConfiguration(
            is_client=False, alpn_protocols=H3_ALPN, max_datagram_frame_size=65536, idle_timeout=IDLE_TIMEOUT_S
        )
        self._certificate: PageCertificate
        self._made_at = 0.0
        self._pages: set[WebTransportPage] = set()
        self._server: QuicServer | None = None
        self._renewing: asyncio.Task[None] | None = None
        self.port = 0
        self._renew()

    @property
    def certificate_sha256(self) -> str:
        """What pages pin, in hex."""
        return self._certificate.sha256

    async def start(self, address: str, port: int) -> None:
        """Listen; raises OSError."""
        everywhere = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
        self._server = await serve(
            address or everywhere, port, configuration=self._configuration, create_protocol=self._make, retry=True
        )
        self.port = port
        self._renewing = asyncio.create_task(self._keep_fresh())

    async def close(self) -> None:
        """End every connection."""
        if self._renewing is not None:
            self._renewing.cancel()
        if self._server is not None:
            self._server.close()

    def _make(self, *args: Any, **kwargs: Any) -> WebTransportPage:
        page = WebTransportPage(*args, connect=self._connect, gone=self._pages.discard, **kwargs)
        self._pages.add(page)
        # Its address is known once it has its first packet.
        asyncio.get_running_loop().call_soon(self._judge, page)
        return page

    def _judge(self, page: WebTransportPage) -> None:
        strangers = Counter(other.stranger_at for other in self._pages)
        if len(self._pages) > MAX_CONNECTIONS or strangers[page.stranger_at] > MAX_STRANGERS_PER_ADDRESS:
            page.refuse()

    def _renew(self) -> None:
        self._certificate, self._made_at = make_certificate(datetime.datetime.now(datetime.UTC)), time.monotonic()
        self._configuration.certificate = self._certificate.certificate
        self._configuration.private_key = self._certificate.key

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(_RENEWAL_CHECK_S)
            if time.monotonic() - self._made_at >= RENEW_AFTER_S:
                self._renew()
