"""A bad network between the client's sockets and its decoder: seeded, so that a failing run can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

Packet = TypeVar("Packet")


@dataclass(frozen=True, kw_only=True)
class Impairment:
    """What happens to each packet of a flow. Probabilities are 0 to 1; the same seed gives the same fates."""

    seed: int = 0
    loss: float = 0.0
    """Probability that a loss begins at a packet."""
    burst: int = 1
    """Packets lost each time a loss begins."""
    reorder: float = 0.0
    reorder_distance: int = 3
    """How many later packets overtake a reordered one."""
    duplicate: float = 0.0
    clean_first: int = 0
    """Packets let through untouched at the start of the flow."""
    drop: Callable[[str, Any], bool] | None = None
    """Asked first, with the flow's name and the packet: a Shard, an AudioDatagram, or bytes for control.

    True loses exactly this packet."""
    flows: frozenset[str] = frozenset({"video", "audio"})
    """Which of ``video``, ``audio``, ``control-in``, ``control-out`` suffer."""


@dataclass
class Fate:
    passed: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0


class Impairer(Generic[Packet]):
    """Applies an :class:`Impairment` to one flow. Holds at most ``reorder_distance`` packets."""

    def __init__(self, flow: str, impairment: Impairment | None) -> None:
        active = impairment if impairment is not None and flow in impairment.flows else Impairment()
        self.flow, self._how, self.fate = flow, active, Fate()
        self._random = Random(f"{active.seed}/{flow}")
        self._seen = 0
        self._burst_left = 0
        self._held: list[tuple[int, Packet]] = []

    def feed(self, packet: Packet) -> list[Packet]:
        """The packets that come out when this one goes in."""
        self._seen += 1
        out = self._fate_of(packet)
        if self._held:
            due = [held for release, held in self._held if release <= self._seen]
            self._held = [entry for entry in self._held if entry[0] > self._seen]
            out += due
        self.fate.passed += len(out)
        return out

    def flush(self) -> list[Packet]:
        """Whatever is still held back."""
        held, self._held = [packet for _, packet in self._held], []
        return held

    def _fate_of(self, packet: Packet) -> list[Packet]:
        how, draw = self._how, self._random.random
        if how.drop is not None and how.drop(self.flow, packet):
            self.fate.lost += 1
            return []
        if self._seen <= how.clean_first:
            return [packet]
        if self._burst_left or (how.loss and draw() < how.loss):
            self._burst_left = (self._burst_left or how.burst) - 1
            self.fate.lost += 1
            return []
        if how.reorder and draw() < how.reorder:
            self.fate.reordered += 1
            self._held.append((self._seen + how.reorder_distance, packet))
            return []
        if how.duplicate and draw() < how.duplicate:
            self.fate.duplicated += 1
            return [packet, packet]
        return [packet]
