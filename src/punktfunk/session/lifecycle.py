"""The life cycle of a session: which state may follow which, and when a lingering session is over. No clock, no I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class State(enum.Enum):
    """Where a session is; the order of a normal life is the order of the names."""

    REQUESTED = "requested"
    """A client asked; nothing was promised."""
    ADMITTED = "admitted"
    """Within the limits; the desktop and its app are up or coming up, no stream yet."""
    STARTING = "starting"
    """The worker opens the capture, the encoders and the sockets."""
    LIVE = "live"
    """Pictures flow."""
    RECONFIGURING = "reconfiguring"
    """The mode changes under the same client connection."""
    RECOVERING = "recovering"
    """The worker or the desktop died and is being replaced in place."""
    LINGERING = "lingering"
    """No client; the desktop and its programs go on."""
    ENDED = "ended"
    """Over; the reason says why."""


class EndReason(enum.Enum):
    """Why a session ended."""

    CANCELLED = "cancelled by the client"
    APP_EXITED = "the app exited"
    LINGER_EXPIRED = "nobody came back"
    REVOKED = "the device's pairing was removed"
    EXPIRED = "the device's access expired"
    ENDED_BY_OPERATOR = "ended on the host"
    SHUTDOWN = "the host is stopping"
    START_FAILED = "the session could not be started"
    CRASHED = "its worker or desktop kept crashing"
    CLIENT_LOST = "the client never connected"


_NEXT: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.ADMITTED, State.ENDED}),
    State.ADMITTED: frozenset({State.STARTING, State.LINGERING, State.ENDED}),
    State.STARTING: frozenset({State.LIVE, State.RECOVERING, State.LINGERING, State.ENDED}),
    State.LIVE: frozenset({State.RECONFIGURING, State.RECOVERING, State.LINGERING, State.ENDED}),
    State.RECONFIGURING: frozenset({State.LIVE, State.RECOVERING, State.LINGERING, State.ENDED}),
    State.RECOVERING: frozenset({State.LIVE, State.LINGERING, State.ENDED}),
    State.LINGERING: frozenset({State.STARTING, State.ENDED}),
    State.ENDED: frozenset(),
}


class IllegalTransition(Exception):
    """A state was asked for that cannot follow the present one: a bug in the caller, never a peer's doing."""


@dataclass
class Lifecycle:
    """The state of one session and when it got there; times are seconds of any monotonic clock."""

    now: float
    linger_s: float
    state: State = State.REQUESTED
    reason: EndReason | None = None
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.now

    def advance(self, state: State, now: float, reason: EndReason | None = None) -> None:
        """Go to ``state``; raises IllegalTransition when it cannot follow. Ending needs a reason."""
        if state not in _NEXT[self.state]:
            raise IllegalTransition(f"{self.state.value} → {state.value}")
        if (state is State.ENDED) != (reason is not None):
            raise IllegalTransition("an end needs a reason, and only an end has one")
        self.state, self.since, self.reason = state, now, reason

    def linger_deadline(self) -> float | None:
        """When a session that nobody streams is to be ended; None while it streams, or when lingering is unlimited."""
        if self.state is State.LINGERING and self.linger_s > 0:
            return self.since + self.linger_s
        return None

    @property
    def streaming(self) -> bool:
        """Whether a client is (or is about to be) connected."""
        return self.state in (State.STARTING, State.LIVE, State.RECONFIGURING, State.RECOVERING)


@dataclass
class RestartBudget:
    """How often something may be replaced: at most ``limit`` times within ``window_s`` seconds."""

    limit: int = 5
    window_s: float = 60.0
    _times: list[float] = field(default_factory=list)

    def spend(self, now: float) -> bool:
        """Take one restart; False when the budget is used up."""
        self._times = [t for t in self._times if now - t < self.window_s]
        if len(self._times) >= self.limit:
            return False
        self._times.append(now)
        return True
