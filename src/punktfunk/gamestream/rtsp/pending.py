"""The launches that wait for their RTSP handshake, and which one a connection is for (gamestream.md §3.1, §3.3)."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from punktfunk.gamestream.launch import StreamRefused
from punktfunk.gamestream.rtsp.crypto import Envelope, Unauthentic
from punktfunk.gamestream.rtsp.handshake import RtspHandshake
from punktfunk.gamestream.rtsp.message import RtspRequest
from punktfunk.gamestream.stream_plan import StreamPlan

MAX_PENDING = 16
MAX_PENDING_PER_ADDRESS = 4
IDLE_LIFETIME_S = 10.0
TOTAL_LIFETIME_S = 60.0


@dataclass(eq=False, slots=True)
class PendingLaunch:
    """A launch until its handshake is over.

    ``envelope`` is None for plain RTSP. ``start`` begins the announced stream or raises StreamRefused. ``abandoned``
    is called once when the handshake is over without a stream.
    """

    address: str
    handshake: RtspHandshake
    envelope: Envelope | None
    start: Callable[[StreamPlan], Awaitable[None]]
    abandoned: Callable[[], None]
    created: float = field(default=0.0, init=False)
    deadline: float = field(default=0.0, init=False)


class PendingLaunches:
    """The pending launches of all clients, newest last."""

    def __init__(self) -> None:
        self._launches: list[PendingLaunch] = []

    def __len__(self) -> int:
        return len(self._launches)

    def add(self, launch: PendingLaunch, now: float) -> None:
        """Expect the handshake of ``launch``; raises StreamRefused when too many are pending."""
        same_address = sum(1 for other in self._launches if other.address == launch.address)
        if len(self._launches) >= MAX_PENDING or same_address >= MAX_PENDING_PER_ADDRESS:
            raise StreamRefused(503, "Too many streams are starting; try again in a moment")
        launch.created = now
        self.touch(launch, now)
        self._launches.append(launch)

    def remove(self, launch: PendingLaunch) -> None:
        """Stop expecting ``launch``; nothing happens when it is not pending."""
        if launch in self._launches:
            self._launches.remove(launch)

    def touch(self, launch: PendingLaunch, now: float) -> None:
        """The handshake made a step: it may take some more seconds."""
        launch.deadline = min(now + IDLE_LIFETIME_S, launch.created + TOTAL_LIFETIME_S)

    def hold(self, launch: PendingLaunch) -> None:
        """The host itself is at work for ``launch``: keep it until the next ``touch``."""
        launch.deadline = math.inf

    def settle(self, launch: PendingLaunch) -> None:
        """The handshake of ``launch`` is over."""
        if launch in self._launches:
            self._launches.remove(launch)
            if not launch.handshake.stream_started:
                launch.abandoned()

    def expire(self, now: float) -> None:
        """Settle the launches whose client has not come in time."""
        for launch in [launch for launch in self._launches if now >= launch.deadline]:
            self.settle(launch)

    def open(self, frame: bytes, address: str) -> tuple[PendingLaunch, bytes] | None:
        """The launch whose key made ``frame``, and the text inside. Clients that changed address are found last."""
        for launch in sorted(self._launches, key=lambda other: other.address != address):
            if launch.envelope is None:
                continue
            try:
                return launch, launch.envelope.open(frame)
            except Unauthentic:
                continue
        return None

    def match_plain(self, request: RtspRequest, address: str) -> PendingLaunch | None:
        """The plain launch from ``address`` with the request's session, else the newest; never an encrypted one."""
        plain = [launch for launch in self._launches if launch.envelope is None and launch.address == address]
        session = request.headers.get("session", "").partition(";")[0]
        named = [launch for launch in plain if launch.handshake.session == session]
        candidates = named or plain
        return candidates[-1] if candidates else None
