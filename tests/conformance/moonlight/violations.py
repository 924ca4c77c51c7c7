"""What a stock client could trip over, written down instead of tolerated."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

MAX_KEPT_PER_RULE = 20
"""Details kept for one rule; further breaches are only counted."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach. ``rule`` is ``area.name`` (``video.sequence-gap``); ``detail`` says what was seen."""

    rule: str
    detail: str


class Violations:
    """Collects breaches from every part of one client. Appending is safe from any thread."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._kept: list[Violation] = []

    def add(self, rule: str, detail: object = "") -> None:
        self.counts[rule] += 1
        if self.counts[rule] <= MAX_KEPT_PER_RULE:
            self._kept.append(Violation(rule, str(detail)))

    def excluding(self, *prefixes: str) -> list[Violation]:
        """Kept breaches whose rule starts with none of ``prefixes`` (``"timing."`` on a busy machine, for example)."""
        return [kept for kept in self._kept if not kept.rule.startswith(prefixes)] if prefixes else list(self._kept)

    def matching(self, prefix: str) -> list[Violation]:
        return [kept for kept in self._kept if kept.rule.startswith(prefix)]

    def __iter__(self) -> Iterator[Violation]:
        return iter(list(self._kept))

    def __len__(self) -> int:
        return self.counts.total()

    def __str__(self) -> str:
        lines = [f"{rule} x{count}" for rule, count in sorted(self.counts.items())]
        lines += [f"  {kept.rule}: {kept.detail}" for kept in self._kept]
        return "\n".join(lines) or "no violations"
