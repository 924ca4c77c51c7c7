"""A small ENet client without sockets, written from gamestream.md §6.1–6.3 independently of the host's code."""

import struct

NO_PEER = 0xFFF


class EnetClient:
    """Speaks to one host. ``outbox`` holds datagrams to deliver, ``received`` what the host said per channel."""

    def __init__(self, connect_data=7, connect_id=b"\x01\x02\x03\x04", channels=48, resend_ms=300):
        self.connect_data = connect_data
        self.connect_id = connect_id
        self.channels = channels
        self.resend_ms = resend_ms
        self.slot = NO_PEER
        self.session = 0
        self.outbox = []
        self.received = {}
        self.disconnected = False
        self.acknowledged = []
        self._sequences = {}
        self._unreliable = {}
        self._group = 0
        self._unacknowledged = {}
        self._expected = {}
        self._early = {}

    @property
    def is_connected(self):
        return self.slot != NO_PEER

    @property
    def is_idle(self):
        return not self._unacknowledged

    def connect(self, now):
        fields = (0, 0xFF, 0xFF, 900, 65536, self.channels, 0, 0, 5000, 2, 2, self.connect_id, self.connect_data)
        self._reliable(2, 0xFF, struct.pack(">HBBIIIIIIII4sI", *fields), now)

    def send(self, channel, data, now):
        if len(data) <= 872:
            self._reliable(6, channel, struct.pack(">H", len(data)) + data, now)
            return
        pieces = [data[i : i + 872] for i in range(0, len(data), 872)]
        start = (self._sequences.get(channel, 0) + 1) & 0xFFFF
        for index, piece in enumerate(pieces):
            head = struct.pack(">HHIIII", start, len(piece), len(pieces), index, len(data), index * 872)
            self._reliable(8, channel, head + piece, now)

    def send_unreliable(self, channel, data):
        sequence = self._sequences.get(channel, 0)
        counter = self._unreliable.get(channel, 0) + 1
        self._unreliable[channel] = counter
        self._emit(struct.pack(">BBHHH", 7, channel, sequence, counter, len(data)) + data)

    def send_unsequenced(self, channel, data):
        self._group = (self._group + 1) & 0xFFFF
        self._emit(struct.pack(">BBHHH", 0x49, channel, 0, self._group, len(data)) + data)

    def ping(self, now):
        self._reliable(5, 0xFF, b"", now)

    def limit_bandwidth(self, now):
        self._reliable(10, 0xFF, bytes(8), now)

    def disconnect(self, now):
        self._reliable(4, 0xFF, bytes(4), now)

    def disconnect_now(self):
        self._emit(struct.pack(">BBHI", 0x44, 0xFF, 0, 0))

    def poll(self, now):
        for key, (command, due) in list(self._unacknowledged.items()):
            if now >= due:
                self._unacknowledged[key] = (command, now + self.resend_ms)
                self._emit(command, now)

    def receive(self, datagram, now):
        (first,) = struct.unpack_from(">H", datagram)
        assert first & 0xFFF == 0, "the host must use the client's slot"
        assert not first & 0x4000
        offset, sent_time = 2, None
        if first & 0x8000:
            (sent_time,) = struct.unpack_from(">H", datagram, 2)
            offset = 4
        assert len(datagram) <= 900
        count = 0
        while offset < len(datagram):
            offset = self._command(datagram, offset, sent_time, now)
            count += 1
        assert count <= 32

    def _command(self, datagram, offset, sent_time, now):
        first, channel, sequence = struct.unpack_from(">BBH", datagram, offset)
        number, body = first & 0x0F, offset + 4
        assert first & 0x80 or number in (1, 4)
        if first & 0x80:
            assert sent_time is not None
            self._emit(struct.pack(">BBHHH", 1, channel, sequence, sequence, sent_time))
        if number == 1:
            acknowledged, _ = struct.unpack_from(">HH", datagram, body)
            self._unacknowledged.pop((channel, acknowledged), None)
            self.acknowledged.append((channel, acknowledged))
            return body + 4
        if number == 3:
            slot, _incoming, outgoing, mtu, window, channels, *rest, connect_id = struct.unpack_from(
                ">HBBIIIIIIII4s", datagram, body
            )
            assert (mtu, window, channels, rest) == (900, 65536, self.channels, [0, 0, 5000, 2, 2])
            assert connect_id == self.connect_id
            self.slot, self.session = slot, outgoing
            # This answers CONNECT; the acknowledgement written above used no slot yet.
            self.outbox[-1] = self._header(None) + self.outbox[-1][2:]
            self._unacknowledged.pop((0xFF, 1), None)
            return body + 40
        if number == 4:
            self.disconnected = True
            return body + 4
        if number == 5:
            return body
        if number == 6:
            (size,) = struct.unpack_from(">H", datagram, body)
            self._take(channel, sequence, 1, datagram[body + 2 : body + 2 + size])
            return body + 2 + size
        assert number == 8, f"unexpected command {number}"
        start, size, pieces, index, total, position = struct.unpack_from(">HHIIII", datagram, body)
        data = datagram[body + 20 : body + 20 + size]
        assert (sequence, position) == ((start + index) & 0xFFFF, index * 872)
        self._take_fragment(channel, start, pieces, index, total, data)
        return body + 20 + size

    def _take_fragment(self, channel, start, pieces, index, total, data):
        parts = self._early.setdefault((channel, "parts", start), {})
        parts[index] = data
        if len(parts) == pieces:
            whole = b"".join(parts[i] for i in range(pieces))
            assert len(whole) == total
            self._take(channel, start, pieces, whole)

    def _take(self, channel, sequence, span, data):
        self._early[channel, sequence] = (span, data)
        while (item := self._early.pop((channel, self._expected.get(channel, 0) + 1), None)) is not None:
            self._expected[channel] = self._expected.get(channel, 0) + item[0]
            self.received.setdefault(channel, []).append(item[1])

    def _reliable(self, number, channel, body, now):
        sequence = (self._sequences.get(channel, 0) + 1) & 0xFFFF
        self._sequences[channel] = sequence
        if number in (6, 8):
            self._unreliable[channel] = 0
        command = struct.pack(">BBH", number | 0x80, channel, sequence) + body
        self._unacknowledged[channel, sequence] = (command, now + self.resend_ms)
        self._emit(command, now)

    def _header(self, now):
        first = self.slot | self.session << 12
        return struct.pack(">H", first) if now is None else struct.pack(">HH", first | 0x8000, now & 0xFFFF)

    def _emit(self, command, now=None):
        self.outbox.append(self._header(now) + command)


def connected_pair(host, now=0, client=None, address=("192.0.2.1", 5000)):
    """Connect a client to the host without loss; returns it and the host's handle."""
    client = client or EnetClient()
    client.connect(now)
    exchange(host, client, now, address)
    assert client.is_connected
    (event,) = host.events()
    return client, event.peer


def exchange(host, client, now, address=("192.0.2.1", 5000)):
    """Carry datagrams both ways, without loss, until both are silent."""
    while True:
        outbox, client.outbox = client.outbox, []
        for datagram in outbox:
            host.receive(datagram, address, now)
        answers = [datagram for datagram, to in host.datagrams_to_send(now) if to == address]
        for datagram in answers:
            client.receive(datagram, now)
        if not outbox and not answers:
            return
