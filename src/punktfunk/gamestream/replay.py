"""Remembers which sequence numbers of a stream were seen: a sliding window that takes each number once."""

from __future__ import annotations

_WORD_BITS = 64


class ReplayWindow:
    """Accepts numbers in any order, each once, as far back as ``size`` below the highest (RFC 6479's ring of words).

    Checking and marking are separate, so that a number is marked only once its message proved authentic.
    """

    def __init__(self, size: int) -> None:
        if size <= 0 or size % _WORD_BITS:
            raise ValueError(f"size must be a positive multiple of {_WORD_BITS}")
        self._size = size
        # One word more than the window: the newest word is only partly used.
        self._words = [0] * (size // _WORD_BITS + 1)
        self._highest = -1

    @property
    def highest(self) -> int:
        """The highest number marked, -1 before the first."""
        return self._highest

    def is_fresh(self, number: int) -> bool:
        """Whether the number was not seen and is not too old to tell."""
        if number > self._highest:
            return True
        if number <= self._highest - self._size or number < 0:
            return False
        return not self._words[number // _WORD_BITS % len(self._words)] >> number % _WORD_BITS & 1

    def mark(self, number: int) -> None:
        """Remember a fresh number."""
        word = number // _WORD_BITS
        newest = self._highest // _WORD_BITS
        for passed in range(newest + 1, min(word, newest + len(self._words)) + 1):
            self._words[passed % len(self._words)] = 0
        self._highest = max(self._highest, number)
        self._words[word % len(self._words)] |= 1 << number % _WORD_BITS
