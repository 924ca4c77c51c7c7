"""The receiving half of one connection: order, duplicates and fragments of each channel (gamestream.md §6.3)."""

from __future__ import annotations

from punktfunk.gamestream.enet.limits import (
    BUFFERED_OVERHEAD_BYTES,
    MAX_BUFFERED_BYTES,
    MAX_FRAGMENTS,
    MAX_MESSAGE_BYTES,
    SEQUENCE_WINDOW,
    UNSEQUENCED_WINDOW,
)
from punktfunk.gamestream.enet.wire import SendFragment
from punktfunk.wire.replay import ReplayWindow


class Budget:
    """Bytes that one peer may make the host hold for later, over all its channels."""

    def __init__(self, limit_bytes: int = MAX_BUFFERED_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self.used_bytes = 0

    def take(self, data_bytes: int) -> bool:
        """Charge an item of that size; False, and nothing charged, when it does not fit."""
        cost = data_bytes + BUFFERED_OVERHEAD_BYTES
        if self.used_bytes + cost > self._limit_bytes:
            return False
        self.used_bytes += cost
        return True

    def give_back(self, data_bytes: int) -> None:
        """Undo :meth:`take`."""
        self.used_bytes -= data_bytes + BUFFERED_OVERHEAD_BYTES


class _Assembly:
    """A message of which some fragments arrived."""

    def __init__(self, count: int, total_bytes: int) -> None:
        self.count = count
        self.data = bytearray(total_bytes)
        self.missing = set(range(count))

    def add(self, fragment: SendFragment) -> None:
        if fragment.index in self.missing:
            self.missing.remove(fragment.index)
            self.data[fragment.offset : fragment.offset + len(fragment.data)] = fragment.data


class IncomingChannel:
    """One channel's order. Methods return None for a command that must not be acknowledged, else what is now
    deliverable, oldest first (nothing, for duplicates and early messages)."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._delivered = 0
        self._delivered_unreliable = 0
        self._early: dict[int, bytes | _Assembly] = {}
        self._held: dict[int, dict[int, bytes]] = {}

    def reliable(self, sequence: int, data: bytes) -> list[bytes] | None:
        """A whole reliable message."""
        ahead = (sequence - self._delivered) & 0xFFFF
        if _is_old(ahead) or sequence in self._early:
            return []
        if ahead > SEQUENCE_WINDOW:
            return None
        if ahead == 1:
            return [*self._advance(sequence, data), *self._release()]
        if not self._budget.take(len(data)):
            return None
        self._early[sequence] = data
        return []

    def fragment(self, fragment: SendFragment) -> list[bytes] | None:
        """A piece of a reliable message."""
        ahead = (fragment.start - self._delivered) & 0xFFFF
        if _is_old(ahead):
            return []
        if not _is_sound(fragment) or ahead + fragment.count > SEQUENCE_WINDOW:
            return None
        assembly = self._early.get(fragment.start)
        if assembly is None:
            if not self._budget.take(fragment.total_bytes):
                return None
            assembly = self._early[fragment.start] = _Assembly(fragment.count, fragment.total_bytes)
        if not isinstance(assembly, _Assembly):
            return None
        if (assembly.count, len(assembly.data)) != (fragment.count, fragment.total_bytes):
            return None
        assembly.add(fragment)
        return self._release()

    def unreliable(self, sequence: int, unreliable_sequence: int, data: bytes) -> list[bytes]:
        """An unreliable message, sent after reliable message ``sequence``."""
        ahead = (sequence - self._delivered) & 0xFFFF
        if ahead == 0:
            if unreliable_sequence <= self._delivered_unreliable:
                return []
            self._delivered_unreliable = unreliable_sequence
            return [data]
        if ahead <= SEQUENCE_WINDOW:
            held = self._held.setdefault(sequence, {})
            if unreliable_sequence not in held and self._budget.take(len(data)):
                held[unreliable_sequence] = data
            if not held:
                del self._held[sequence]
        return []

    def _release(self) -> list[bytes]:
        """Everything that follows the last delivered message without a gap."""
        messages: list[bytes] = []
        while (early := self._early.get(self._next)) is not None:
            start = self._next
            if isinstance(early, bytes):
                last, data = start, early
            elif not early.missing:
                last, data = (start + early.count - 1) & 0xFFFF, bytes(early.data)
            else:
                break
            del self._early[start]
            self._budget.give_back(len(data))
            messages += self._advance(last, data)
        return messages

    @property
    def _next(self) -> int:
        return (self._delivered + 1) & 0xFFFF

    def _advance(self, sequence: int, data: bytes) -> list[bytes]:
        """Deliver a reliable message and the unreliable ones that waited for exactly this one."""
        self._delivered = sequence
        self._delivered_unreliable = 0
        messages = [data]
        for unreliable_sequence, held in sorted(self._held.pop(sequence, {}).items()):
            self._budget.give_back(len(held))
            self._delivered_unreliable = unreliable_sequence
            messages.append(held)
        return messages


class UnsequencedWindow:
    """Drops duplicates of unsequenced messages; groups are 16-bit and wrap."""

    def __init__(self) -> None:
        # Starting one round up lets the first groups lie before the first one seen.
        self._highest = 0x10000
        self._seen = ReplayWindow(UNSEQUENCED_WINDOW)

    def accept(self, group: int) -> bool:
        """Whether this group is new; remembers it."""
        step = (group - self._highest) & 0xFFFF
        number = self._highest + (step if step < 0x8000 else step - 0x10000)
        if not self._seen.accept(number):
            return False
        self._highest = max(self._highest, number)
        return True


def _is_old(ahead: int) -> bool:
    return ahead == 0 or ahead >= 0x8000


def _is_sound(fragment: SendFragment) -> bool:
    return (
        0 < fragment.count <= MAX_FRAGMENTS
        and fragment.index < fragment.count
        and fragment.sequence == (fragment.start + fragment.index) & 0xFFFF
        and fragment.total_bytes <= MAX_MESSAGE_BYTES
        and fragment.offset + len(fragment.data) <= fragment.total_bytes
    )
