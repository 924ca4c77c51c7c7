"""What a page's connection is to the rest of the plane, whatever carries it."""

from __future__ import annotations

from typing import Protocol


class PageTransport(Protocol):
    """One page's connection. Nothing blocks and nothing raises: a connection that is gone swallows what is sent."""

    name: str
    """For people: websocket or webtransport."""

    @property
    def backlog_bytes(self) -> int:
        """Video that the page has not taken yet."""
        ...

    @property
    def backlog_s(self) -> float:
        """How long the oldest of it has been waiting."""
        ...

    def send(self, message: bytes) -> None:
        """Send reliably and in order."""
        ...

    def send_video(self, message: bytes, *, keyframe: bool) -> None:
        """Send one frame."""
        ...

    def drop_video(self) -> None:
        """Take back the frames that are still under way, where the carrier can; not keyframes, which show something by
        themselves."""
        ...

    def send_audio(self, message: bytes) -> None:
        """Send one packet; it may be lost."""
        ...

    @property
    def unread_bytes(self) -> int:
        """Messages of ``send`` that the page has not taken yet."""
        ...

    def keep_alive(self) -> None:
        """Have the carrier show that both ends are there, while nothing else is sent."""
        ...

    def close(self) -> None:
        """Send what waits and end."""
        ...


class PageListener(Protocol):
    """Who hears what a page sends; called on the event loop."""

    def received(self, message: bytes) -> None:
        """One message."""
        ...

    def lost(self) -> None:
        """The connection is over; called once."""
        ...
