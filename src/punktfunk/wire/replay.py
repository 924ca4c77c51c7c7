"""Takes each sequence number of a stream once: a sliding bitmap (RFC 6479's ring of words)."""

from __future__ import annotations

_WORD_SHIFT = 6
_WORD_BITS = 1 << _WORD_SHIFT


class ReplayWindow:
    """Accepts numbers in any order, each once, as far back as ``size`` below the highest; memory is fixed.

    Call ``accept`` only for messages that proved authentic: a forged number must not move the window.
    """

    __slots__ = ("_highest", "_size", "_words")

    def __init__(self, size: int) -> None:
        if size <= 0 or size % _WORD_BITS:
            raise ValueError(f"size must be a positive multiple of {_WORD_BITS}")
        self._size = size
        # One word more than the window, because the newest word is only partly used.
        self._words = [0] * (size // _WORD_BITS + 1)
        self._highest = -1

    @property
    def highest(self) -> int:
        """The highest number accepted, -1 before the first."""
        return self._highest

    def is_fresh(self, number: int) -> bool:
        """Whether ``accept`` would take the number, which may still prove forged: nothing is marked."""
        if number > self._highest:
            return True
        if number <= self._highest - self._size or number < 0:
            return False
        return not self._words[(number >> _WORD_SHIFT) % len(self._words)] & 1 << (number & _WORD_BITS - 1)

    def accept(self, number: int) -> bool:
        """Mark ``number`` and say whether it is new; False for a repeat and for what is too old to tell."""
        words, highest = self._words, self._highest
        word, bit = number >> _WORD_SHIFT, 1 << (number & _WORD_BITS - 1)
        if number > highest:
            newest = highest >> _WORD_SHIFT
            if word != newest:
                for passed in range(newest + 1, min(word, newest + len(words)) + 1):
                    words[passed % len(words)] = 0
            self._highest = number
        elif number <= highest - self._size or number < 0 or words[word % len(words)] & bit:
            return False
        words[word % len(words)] |= bit
        return True
