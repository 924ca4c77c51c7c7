"""Putting the host's ENet commands back in order (gamestream.md §6.3)."""

from dataclasses import dataclass, field

from .enet_wire import Command, Fragment, Kind, Message, parse_fragment
from .violations import Violations

WINDOW = 7 * 4096
MAX_BUFFERED = 1024
MAX_MESSAGE_BYTES = 1 << 20
MAX_REMEMBERED_GROUPS = 1024


@dataclass
class _Channel:
    reliable: int = 0
    unreliable: int = 0
    waiting: dict[int, Command] = field(default_factory=dict)
    """Reliable commands ahead of the next one, by sequence number."""
    held: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Unreliable messages that follow a reliable command not here yet."""
    fragments: list[Fragment] = field(default_factory=list)


class Delivery:
    """Commands in, messages in delivery order out. Buffers are bounded; what does not fit is a violation."""

    def __init__(self, violations: Violations) -> None:
        self._channels: dict[int, _Channel] = {}
        self._groups: dict[int, None] = {}
        self._violations = violations

    def on_command(self, command: Command) -> list[Message]:
        channel = self._channels.setdefault(command.channel, _Channel())
        match command.kind:
            case Kind.SEND_RELIABLE | Kind.SEND_FRAGMENT:
                return self._reliable(channel, command)
            case Kind.SEND_UNRELIABLE:
                return self._unreliable(channel, command)
            case Kind.SEND_UNSEQUENCED:
                return self._unsequenced(command)
            case _:
                return []

    def _reliable(self, channel: _Channel, command: Command) -> list[Message]:
        ahead = (command.sequence - channel.reliable) & 0xFFFF
        if ahead == 0 or ahead >= 0x8000:
            return []
        if ahead > WINDOW or len(channel.waiting) >= MAX_BUFFERED:
            self._violations.add("enet.window", f"channel {command.channel}: {ahead} ahead")
            return []
        channel.waiting.setdefault(command.sequence, command)
        messages: list[Message] = []
        while (ready := channel.waiting.pop((channel.reliable + 1) & 0xFFFF, None)) is not None:
            channel.reliable, channel.unreliable = ready.sequence, 0
            messages += self._in_order(channel, ready)
            messages += self._release(channel, command.channel)
        return messages

    def _in_order(self, channel: _Channel, command: Command) -> list[Message]:
        if command.kind is Kind.SEND_RELIABLE:
            return [Message(command.channel, command.body[2:], True)]
        fragment = parse_fragment(command.body)
        expected = channel.fragments[-1].number + 1 if channel.fragments else 0
        start = (command.sequence - fragment.number) & 0xFFFF
        if fragment.number != expected or fragment.start != start or fragment.total > MAX_MESSAGE_BYTES:
            self._violations.add("enet.fragment", fragment._replace(data=b""))
            channel.fragments.clear()
            return []
        channel.fragments.append(fragment)
        if fragment.number + 1 < fragment.fragments:
            return []
        data = b"".join(part.data for part in channel.fragments)
        channel.fragments.clear()
        if len(data) != fragment.total:
            self._violations.add("enet.fragment-total", f"{len(data)} bytes, announced {fragment.total}")
        return [Message(command.channel, data, True)]

    def _unreliable(self, channel: _Channel, command: Command) -> list[Message]:
        counter = int.from_bytes(command.body[:2])
        behind = (channel.reliable - command.sequence) & 0xFFFF
        if behind >= 0x8000:
            if len(channel.held) < MAX_BUFFERED:
                channel.held.append((command.sequence, counter, command.body[4:]))
            return []
        if behind or counter <= channel.unreliable:
            return []
        channel.unreliable = counter
        return [Message(command.channel, command.body[4:], False)]

    def _release(self, channel: _Channel, number: int) -> list[Message]:
        due = [held for held in channel.held if held[0] == channel.reliable]
        channel.held = [held for held in channel.held if held[0] != channel.reliable]
        messages = []
        for _, counter, data in sorted(due):
            channel.unreliable = counter
            messages.append(Message(number, data, False))
        return messages

    def _unsequenced(self, command: Command) -> list[Message]:
        group = int.from_bytes(command.body[:2])
        if group in self._groups:
            return []
        self._groups[group] = None
        if len(self._groups) > MAX_REMEMBERED_GROUPS:
            del self._groups[next(iter(self._groups))]
        return [Message(command.channel, command.body[4:], False)]
