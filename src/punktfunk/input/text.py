"""What counts as text: everything that Unicode has, joiners and direction marks among it, but no control characters."""

from __future__ import annotations

import unicodedata

_NO_TEXT = ("Cc", "Cs")


def is_text(character: str) -> bool:
    """Whether a character can be typed. Emoji of several code points hold invisible ones, which belong to them."""
    return unicodedata.category(character) not in _NO_TEXT
