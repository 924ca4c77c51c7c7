"""Who may offer and fetch what over the clipboard of one session (punktfunk1.md §6.8)."""

from __future__ import annotations

from collections.abc import Collection

from punktfunk.wire.punktfunk1.caps import ClipPolicy
from punktfunk.wire.punktfunk1.enums import ClipReason, FetchStatus
from punktfunk.wire.punktfunk1.messages import (
    NOT_A_FILE,
    ClipControl,
    ClipFetch,
    ClipFormat,
    ClipOffer,
    ClipState,
)

TEXT_PLAIN = "text/plain;charset=utf-8"
TEXT_HTML = "text/html"
IMAGE_PNG = "image/png"
FORMATS = (TEXT_PLAIN, TEXT_HTML, "text/rtf", IMAGE_PNG)

_FILES_FLAG = 1
_SEQ_HALF = 1 << 31


class Clipboard:
    """State of both directions. ``available``: the session's desktop has a clipboard and the operator allows it."""

    def __init__(self, *, available: ClipReason = ClipReason.OK, permitted: bool = True) -> None:
        self._available = available
        self._permitted = permitted
        self._wanted = False
        self._files_wanted = False
        self._own: ClipOffer | None = None
        self._next_seq = 1
        self.offered: ClipOffer | None = None
        """What the client offers, cut to the formats known here."""

    @property
    def enabled(self) -> bool:
        """Whether anything may pass."""
        return self._wanted and self._permitted and self._available is ClipReason.OK

    def control(self, message: ClipControl) -> ClipState:
        """The client switches it on or off; the answer."""
        self._wanted, self._files_wanted = message.enabled, bool(message.flags & _FILES_FLAG)
        if not self.enabled:
            self._own = self.offered = None
        return self.state()

    def permit(self, permitted: bool) -> ClipState | None:
        """The grant came or went; the message if that changes something."""
        if permitted == self._permitted:
            return None
        self._permitted = permitted
        if not permitted:
            self._own = self.offered = None
        return self.state()

    def state(self) -> ClipState:
        """The state as the client is told."""
        if not self._permitted:
            reason = ClipReason.NOT_PERMITTED
        elif self._available is not ClipReason.OK:
            reason = self._available
        else:
            reason = ClipReason.FILES_FORBIDDEN if self._files_wanted else ClipReason.OK
        return ClipState(self.enabled, ClipPolicy.TEXT if self.enabled else ClipPolicy.NONE, reason)

    def offer(self, formats: Collection[tuple[str, int]]) -> ClipOffer | None:
        """The desktop's clipboard holds these (format, size) now; the offer to send, None while switched off."""
        if not self.enabled:
            return None
        known = tuple(ClipFormat(mime, size) for mime, size in formats if mime in FORMATS)
        self._own = ClipOffer(self._next_seq, known)
        self._next_seq = self._next_seq % 0xFFFF_FFFF + 1
        return self._own

    def client_offers(self, offer: ClipOffer) -> bool:
        """The client's offer; whether it is news. The newest sequence number wins."""
        if not self.enabled:
            return False
        if self.offered and not 0 < (offer.seq - self.offered.seq) % (2 * _SEQ_HALF) < _SEQ_HALF:
            return False
        known = tuple(entry for entry in offer.formats if entry.mime in FORMATS)
        self.offered = ClipOffer(offer.seq, known)
        return True

    def client_fetches(self, fetch: ClipFetch) -> FetchStatus:
        """Whether the client may have what it asks for."""
        if not self.enabled:
            return FetchStatus.DENIED
        if self._own is None or fetch.seq != self._own.seq:
            return FetchStatus.STALE
        offered = any(entry.mime == fetch.mime for entry in self._own.formats)
        return FetchStatus.OK if offered and fetch.file_index == NOT_A_FILE else FetchStatus.UNAVAILABLE
