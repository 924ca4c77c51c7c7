"""What the API needs of the running host. The host implements these; nothing here knows a protocol or a file.

Every method is quick and runs on the event loop unless it says otherwise. ``Refused`` is answered to the caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from punktfunk.media.plan import Mode
from punktfunk.session.messages import WorkerStats
from punktfunk.session.path_report import PathReport
from punktfunk.session.plan import App
from punktfunk.trust.devices import Grants


class Refused(Exception):
    """The host does not do this; the message is for people. ``conflict`` is false where the wish itself is wrong."""

    def __init__(self, message: str, *, conflict: bool = True) -> None:
        super().__init__(message)
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Identity and abilities.

    ``codecs`` in words: h264, hevc, av1; ``app_version`` and ``gfe_version`` are what Moonlight clients are told.
    """

    name: str
    unique_id: str
    fingerprint: str
    local_ip: str
    version: str
    app_version: str
    gfe_version: str
    uptime_s: float
    codecs: tuple[str, ...]
    ports: Mapping[str, int]
    display: str
    display_why: str
    encoder: str
    encoder_why: str
    sound: str
    gamestream: bool
    native: bool


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session now. ``codec`` and ``encoder`` are empty and ``statistics`` zero while nothing streams."""

    id: str
    device_id: str
    device_name: str
    plane: str
    app: str
    state: str
    mode: Mode
    started_unix: float
    streaming: bool
    codec: str = ""
    encoder: str = ""
    encoder_why: str = ""
    bitrate_kbps: int = 0
    audio_channels: int = 0
    statistics: WorkerStats = field(default_factory=WorkerStats)
    path: PathReport = field(default_factory=PathReport)


class Sessions(Protocol):
    """The sessions of all planes."""

    def all(self) -> Sequence[SessionFacts]:
        """Oldest first."""

    async def end(self, session_id: str) -> bool:
        """End one; False when there is none of that id."""

    def force_keyframe(self, session_id: str) -> bool:
        """False when nothing streams in it."""

    def set_bitrate(self, session_id: str, kbps: int) -> int | None:
        """The bitrate within the host's limits that was set; None when nothing streams in it."""

    async def picture(self, session_id: str) -> bytes | None:
        """A small PNG of what its desktop shows; None where that cannot be had."""


@dataclass(frozen=True, slots=True)
class PinAttempt:
    """A Moonlight client that shows a PIN and waits for it."""

    id: int
    name: str
    address: str
    fingerprint: str
    waited_s: float


class PinEntry(Protocol):
    """Pairing of Moonlight clients: the client shows the PIN, the owner types it here."""

    def waiting(self) -> Sequence[PinAttempt]:
        """Who waits."""

    def submit(self, pin: str, attempt: int | None, name: str) -> None:
        """Use a PIN; raises Refused."""


@dataclass(frozen=True, slots=True)
class ArmedPin:
    """An open window for punktfunk/1 clients. ``expires_in_s`` None: until used."""

    pin: str = field(repr=False)
    expires_in_s: float | None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class WaitingKnock:
    """An unknown punktfunk/1 device that asks to be let in."""

    id: int
    name: str
    fingerprint: str
    address: str
    age_s: float


class NativePairing(Protocol):
    """Pairing of punktfunk/1 clients: the host shows the PIN, or the owner approves a device that knocks."""

    def armed(self) -> ArmedPin | None:
        """The open window."""

    def arm(self, window_s: float, fingerprint: str) -> ArmedPin:
        """Open a window with a new PIN, for one device only where its fingerprint is given."""

    def disarm(self) -> None:
        """Close the window."""

    def waiting(self) -> Sequence[WaitingKnock]:
        """The devices that knock, oldest first."""

    def approve(self, knock_id: int, name: str, grants: Grants, expires_unix: int) -> bool:
        """Pair a device; False when it waits no more. Raises Refused."""

    def deny(self, knock_id: int) -> bool:
        """Turn a device away; False when it waits no more."""


@dataclass(frozen=True, slots=True)
class SettingFacts:
    """One setting: its value as JSON, where that comes from, and what may stand there."""

    key: str
    value: object
    default: object
    origin: str
    origin_kind: str
    description: str
    type: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    changed: bool = False
    """The file says something else than what the host runs with; it acts after a restart."""
    acts_at_once: bool = False
    """A change acts at once, or on the next session."""


@dataclass(frozen=True, slots=True)
class SettingMistake:
    """Why a change is not taken; ``key`` may be empty where it is about all of them."""

    key: str
    message: str


class SettingsEditor(Protocol):
    """host.toml and the layers above it. Reads and writes a small file, at once."""

    def file(self) -> str:
        """Where host.toml is, or would be."""

    def all(self) -> Sequence[SettingFacts]:
        """Every setting."""

    def check(self, changes: Mapping[str, object]) -> Sequence[SettingMistake]:
        """What would be wrong with these values; None as a value means the default. Raises Refused."""

    def change(self, changes: Mapping[str, object]) -> Sequence[SettingMistake]:
        """Write them, unless there are mistakes. Raises Refused when the file cannot be written."""


class Library(Protocol):
    """The apps. Those of host.toml can be edited; changes act on the next launch."""

    def apps(self) -> Sequence[App]:
        """All, in the order that clients see."""

    def is_custom(self, app_id: int) -> bool:
        """Whether it stands in host.toml."""

    def add(self, app: App) -> App:
        """Add one; its id is chosen. Raises Refused."""

    def replace(self, app_id: int, app: App) -> App:
        """Write one anew; a new name brings a new id. Raises Refused, KeyError."""

    def remove(self, app_id: int) -> None:
        """Take one out. Raises Refused, KeyError."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the doctor; ``status`` is ok, warn, fail or skip."""

    name: str
    status: str
    message: str
    fix: str
    took_s: float


class Doctor(Protocol):
    """Proves that this machine can stream; takes seconds."""

    def run(self) -> AsyncIterator[CheckResult]:
        """Run every check, one result after the other."""


@dataclass(frozen=True, slots=True)
class DisplayFacts:
    """One way to show a desktop (punktfunk1.md §10.2, ``/compositors``)."""

    id: str
    label: str
    available: bool
    default: bool


@dataclass(frozen=True, slots=True)
class PlayTicket:
    """A ticket for a player page and where it goes; ``webtransport_port`` 0: nowhere but to the WebSocket."""

    ticket: str = field(repr=False)
    socket_path: str
    webtransport_port: int
    webtransport_path: str
    certificate_sha256: str


@dataclass(frozen=True, slots=True)
class PlayLinkFacts:
    """A share link."""

    id: str
    name: str
    grants: int
    app: int
    expires_in_s: float


class Play(Protocol):
    """Playing in the browser."""

    def ticket(self, client_id: str, name: str, app_id: int, still_good: Callable[[], bool]) -> PlayTicket:
        """A ticket with every right; ``still_good`` is asked as long as it is played."""

    def ticket_of_link(self, secret: str) -> PlayTicket:
        """A ticket with a link's rights; raises Refused."""

    def links(self) -> Sequence[PlayLinkFacts]:
        """Every good link."""

    def share(self, name: str, grants: Grants, app_id: int, lifetime_s: float) -> tuple[PlayLinkFacts, str]:
        """A new link and its secret; raises Refused."""

    def unshare(self, link_id: str) -> bool:
        """Take a link back; False when there is none of that id."""


class HostView(Protocol):
    """The host as a whole. Parts that do not run are None."""

    @property
    def sessions(self) -> Sessions:
        """Sessions."""

    @property
    def pin_entry(self) -> PinEntry | None:
        """Moonlight pairing."""

    @property
    def native_pairing(self) -> NativePairing | None:
        """punktfunk/1 pairing."""

    @property
    def settings(self) -> SettingsEditor:
        """Settings."""

    @property
    def library(self) -> Library:
        """Apps."""

    @property
    def doctor(self) -> Doctor:
        """Checks."""

    @property
    def play(self) -> Play | None:
        """Playing in the browser."""

    def facts(self) -> HostFacts:
        """Identity and abilities."""

    def displays(self) -> Sequence[DisplayFacts]:
        """Ways to show a desktop."""

    def ready(self) -> bool:
        """Whether clients can connect: started, not stopping."""

    def restart(self) -> None:
        """Stop soon, in an orderly way, and start again."""
