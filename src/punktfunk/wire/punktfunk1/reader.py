"""A bounds-checked cursor over one message."""

from __future__ import annotations

from punktfunk.wire.punktfunk1.errors import MalformedError


class Reader:
    """Takes fields off ``data`` in order; every method names its field in the error when the bytes run out."""

    __slots__ = ("_data", "_offset", "_what")

    def __init__(self, data: bytes, what: str, offset: int = 0) -> None:
        self._data = data
        self._what = what
        self._offset = offset

    @property
    def remaining(self) -> int:
        """Bytes not yet taken."""
        return len(self._data) - self._offset

    def take(self, size: int, field: str) -> bytes:
        """Exactly ``size`` bytes."""
        if size > self.remaining:
            raise MalformedError(f"{self._what}.{field}", f"needs {size} bytes, {self.remaining} left")
        start = self._offset
        self._offset = start + size
        return self._data[start : self._offset]

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.remaining, "rest")

    def unsigned(self, size: int, field: str) -> int:
        """A little-endian unsigned integer of ``size`` bytes."""
        return int.from_bytes(self.take(size, field), "little")

    def text(self, size: int, limit: int, field: str) -> str:
        """UTF-8 text of ``size`` bytes, at most ``limit``."""
        if size > limit:
            raise MalformedError(f"{self._what}.{field}", f"{size} bytes, at most {limit} allowed")
        try:
            return self.take(size, field).decode()
        except UnicodeDecodeError:
            raise MalformedError(f"{self._what}.{field}", "not UTF-8") from None

    def end(self) -> None:
        """Fail unless every byte was taken."""
        if self.remaining:
            raise MalformedError(self._what, f"{self.remaining} bytes too many")


def bounded_text(text: str, limit: int, field: str) -> bytes:
    """UTF-8 of ``text``; for encoders, which never cut silently."""
    raw = text.encode()
    if len(raw) > limit:
        raise MalformedError(field, f"{len(raw)} bytes, at most {limit} allowed")
    return raw


def cut_text(text: str, limit: int) -> bytes:
    """UTF-8 of ``text``, cut at a character boundary to at most ``limit`` bytes."""
    raw = text.encode(errors="replace")
    return raw if len(raw) <= limit else raw[:limit].decode(errors="ignore").encode()
