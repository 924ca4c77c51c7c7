"""The sending half of one connection: numbering, fragments, window, retransmission (gamestream.md §6.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from punktfunk.gamestream.enet.events import EnetError, QueueFull
from punktfunk.gamestream.enet.limits import MAX_BACKOFF, MAX_MESSAGE_BYTES, MAX_OUTGOING_BYTES, MAX_OUTGOING_COMMANDS
from punktfunk.gamestream.enet.rtt import RoundTripTime
from punktfunk.gamestream.enet.wire import FRAGMENT_OVERHEAD_BYTES, Acknowledge, Command, SendFragment, SendReliable

_LONG_HEADER_BYTES = 4


@dataclass(slots=True)
class _Sent:
    encoded: bytes
    data_bytes: int
    attempts: int = 0
    sent_ms: int = 0
    due_ms: int = 0


_Key = tuple[int, int]


class Outgoing:
    """Reliable commands of one peer, waiting or in flight, in the order they were queued."""

    def __init__(self, mtu: int, window_bytes: int, timeout_ms: int) -> None:
        self._fragment_bytes = mtu - _LONG_HEADER_BYTES - FRAGMENT_OVERHEAD_BYTES
        self._window_bytes = window_bytes
        self._timeout_ms = timeout_ms
        self._sequences: dict[int, int] = {}
        self._waiting: deque[tuple[_Key, _Sent]] = deque()
        self._in_flight: dict[_Key, _Sent] = {}
        self._in_flight_bytes = 0
        self._queued_bytes = 0
        self._unanswered_since_ms: int | None = None
        self._next_due_ms: int | None = None
        self.rtt = RoundTripTime()

    @property
    def is_idle(self) -> bool:
        """Everything queued was acknowledged."""
        return not self._waiting and not self._in_flight

    def next_sequence(self, channel: int) -> int:
        """Take the channel's next reliable sequence number."""
        sequence = (self._sequences.get(channel, 0) + 1) & 0xFFFF
        self._sequences[channel] = sequence
        return sequence

    def send(self, channel: int, data: bytes) -> None:
        """Queue a reliable message, in fragments when it does not fit a datagram.

        Raises :class:`QueueFull` when the peer's queue has no room for all of it.
        """
        if len(data) > MAX_MESSAGE_BYTES:
            raise EnetError(f"a message of {len(data)} bytes is longer than {MAX_MESSAGE_BYTES}")
        size = self._fragment_bytes
        count = max(1, -(-len(data) // size))
        pending = len(self._waiting) + len(self._in_flight)
        if pending + count > MAX_OUTGOING_COMMANDS or self._queued_bytes + len(data) > MAX_OUTGOING_BYTES:
            raise QueueFull(f"{pending} commands with {self._queued_bytes} bytes are unacknowledged")
        if count == 1:
            self.queue(SendReliable(channel, self.next_sequence(channel), True, data), len(data))
            return
        start = (self._sequences.get(channel, 0) + 1) & 0xFFFF
        for index in range(count):
            piece = data[index * size : (index + 1) * size]
            sequence = self.next_sequence(channel)
            self.queue(
                SendFragment(channel, sequence, True, start, count, index, len(data), index * size, piece), len(piece)
            )

    def queue(self, command: Command, data_bytes: int = 0) -> None:
        """Queue a command that wants an acknowledgement; it carries its sequence number already."""
        self._queued_bytes += data_bytes
        self._waiting.append(((command.channel, command.sequence), _Sent(command.encode(), data_bytes)))

    def commands_to_send(self, now_ms: int) -> Iterator[bytes]:
        """Encoded commands due now: retransmissions first, then new ones as far as the window allows.

        Each one yielded counts as sent.
        """
        if self._next_due_ms is not None and now_ms >= self._next_due_ms:
            for sent in self._in_flight.values():
                if now_ms >= sent.due_ms:
                    self._note_unanswered(sent)
                    yield self._stamp(sent, now_ms)
            self._next_due_ms = min((sent.due_ms for sent in self._in_flight.values()), default=None)
        while self._waiting and self._fits_window(self._waiting[0][1]):
            key, sent = self._waiting.popleft()
            self._in_flight[key] = sent
            self._in_flight_bytes += sent.data_bytes
            yield self._stamp(sent, now_ms)
            if self._next_due_ms is None or sent.due_ms < self._next_due_ms:
                self._next_due_ms = sent.due_ms

    def acknowledged(self, ack: Acknowledge, now_ms: int) -> bool:
        """Take an acknowledgement; False when it answers nothing in flight."""
        sent = self._in_flight.pop((ack.channel, ack.acknowledged), None)
        if sent is None:
            return False
        self._in_flight_bytes -= sent.data_bytes
        self._queued_bytes -= sent.data_bytes
        self._unanswered_since_ms = None
        if not self._in_flight:
            self._next_due_ms = None
        sample_ms = (now_ms - ack.sent_time) & 0xFFFF
        if sample_ms <= self._timeout_ms:
            self.rtt.add(sample_ms)
        return True

    def has_timed_out(self, now_ms: int) -> bool:
        """Whether the peer left something unanswered for too long."""
        since_ms = self._unanswered_since_ms
        return since_ms is not None and now_ms - since_ms >= self._timeout_ms

    def next_timeout_ms(self, now_ms: int) -> int | None:
        """When :meth:`commands_to_send` or :meth:`has_timed_out` has news, None if only an event can bring any."""
        times = [self._next_due_ms] if self._next_due_ms is not None else []
        if self._waiting and self._fits_window(self._waiting[0][1]):
            times.append(now_ms)
        if self._unanswered_since_ms is not None:
            times.append(self._unanswered_since_ms + self._timeout_ms)
        return min(times, default=None)

    def _fits_window(self, sent: _Sent) -> bool:
        return self._in_flight_bytes + sent.data_bytes <= self._window_bytes

    def _note_unanswered(self, sent: _Sent) -> None:
        if self._unanswered_since_ms is None or sent.sent_ms < self._unanswered_since_ms:
            self._unanswered_since_ms = sent.sent_ms

    def _stamp(self, sent: _Sent, now_ms: int) -> bytes:
        sent.attempts += 1
        sent.sent_ms = now_ms
        wait_ms = min(self.rtt.timeout_ms, self._timeout_ms // 5)
        sent.due_ms = now_ms + wait_ms * min(sent.attempts, MAX_BACKOFF)
        return sent.encoded
