"""The page's microphone: its packets into the session's virtual one."""

from __future__ import annotations

import logging

from punktfunk.browser.wire import Voice
from punktfunk.media.opus import OpusError
from punktfunk.session.microphone_feed import MicrophoneFeed
from punktfunk.session.microphone_player import MicrophonePlayer
from punktfunk.session.session import Session

log = logging.getLogger(__name__)

MAX_PACKET_BYTES = 1500
"""Twice what 60 ms of the best voice take."""


class PageVoice:
    """Opens the session's microphone with the first packet. Runs on the event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._feed: MicrophoneFeed | None = None
        self._player: MicrophonePlayer | None = None
        self._tried = False

    def receive(self, voice: Voice) -> None:
        """One packet; dropped where there is no microphone."""
        if not self._tried:
            self._tried = True
            self._open()
        if self._player is not None and len(voice.data) <= MAX_PACKET_BYTES:
            self._player.receive(voice.seq, voice.data)

    async def close(self) -> None:
        """Stop playing."""
        if self._player is not None:
            self._player.close()
        if self._feed is not None:
            await self._feed.close()

    def _open(self) -> None:
        self._feed = self._session.open_microphone()
        if self._feed is None:
            log.info("a page speaks, but the session has no microphone")
            return
        try:
            self._player = MicrophonePlayer(self._feed.write)
        except OpusError as error:
            log.warning("a page's microphone cannot be heard: %s", error)
