"""A host for the API's tests: everything it can be asked for, in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import msgspec

from punktfunk.media.plan import Mode
from punktfunk.mgmt.host_view import (
    ArmedPin,
    CheckResult,
    DisplayFacts,
    HostFacts,
    PinAttempt,
    PlayLinkFacts,
    PlayTicket,
    Refused,
    SessionFacts,
    SettingFacts,
    SettingMistake,
    WaitingKnock,
)
from punktfunk.session.messages import WorkerStats
from punktfunk.session.plan import App
from punktfunk.trust.devices import Grants

CANARY = "canary-5e47c0de"
LINK_SECRET = "canary-11c0ffee-link"
"""Stands in every secret place; no answer below the admin right may show it."""


class FakeSessions:
    def __init__(self) -> None:
        self.now: list[SessionFacts] = [a_session()]
        self.ended: list[str] = []
        self.keyframes: list[str] = []

    def all(self) -> Sequence[SessionFacts]:
        return list(self.now)

    async def end(self, session_id: str) -> bool:
        found = [s for s in self.now if s.id == session_id]
        self.now = [s for s in self.now if s.id != session_id]
        self.ended += [s.id for s in found]
        return bool(found)

    def force_keyframe(self, session_id: str) -> bool:
        streaming = any(s.id == session_id and s.streaming for s in self.now)
        self.keyframes += [session_id] if streaming else []
        return streaming

    def set_bitrate(self, session_id: str, kbps: int) -> int | None:
        self.now = [
            dataclasses.replace(s, bitrate_kbps=min(kbps, 50_000)) if s.id == session_id else s for s in self.now
        ]
        return next((s.bitrate_kbps for s in self.now if s.id == session_id and s.streaming), None)

    async def picture(self, session_id: str) -> bytes | None:
        return b"\x89PNG picture" if session_id == self.now[0].id else None


class FakePinEntry:
    def __init__(self) -> None:
        self.attempts = [PinAttempt(1, "Phone", "192.0.2.7", "ab" * 32, 3.0)]
        self.submitted: list[tuple[str, int | None, str]] = []

    def waiting(self) -> Sequence[PinAttempt]:
        return self.attempts

    def submit(self, pin: str, attempt: int | None, name: str) -> None:
        if attempt not in (None, 1):
            raise Refused(f"No device {attempt} is waiting.")
        self.submitted.append((pin, attempt, name))


class FakeNativePairing:
    def __init__(self) -> None:
        self.window: ArmedPin | None = None
        self.knocks = [WaitingKnock(4, "Tablet", "cd" * 32, "192.0.2.9", 5.0)]
        self.approved: list[tuple[int, str, Grants, int]] = []
        self.denied: list[int] = []

    def armed(self) -> ArmedPin | None:
        return self.window

    def arm(self, window_s: float, fingerprint: str) -> ArmedPin:
        self.window = ArmedPin("0042", window_s, fingerprint)
        return self.window

    def disarm(self) -> None:
        self.window = None

    def waiting(self) -> Sequence[WaitingKnock]:
        return self.knocks

    def approve(self, knock_id: int, name: str, grants: Grants, expires_unix: int) -> bool:
        self.approved.append((knock_id, name, grants, expires_unix))
        return self._settle(knock_id)

    def deny(self, knock_id: int) -> bool:
        self.denied.append(knock_id)
        return self._settle(knock_id)

    def _settle(self, knock_id: int) -> bool:
        before = len(self.knocks)
        self.knocks = [k for k in self.knocks if k.id != knock_id]
        return len(self.knocks) < before


class FakeSettings:
    def __init__(self) -> None:
        self.written: dict[str, object] = {}

    def file(self) -> str:
        return "/config/host.toml"

    def all(self) -> Sequence[SettingFacts]:
        name = self.written.get("host.name", "fake")
        changed = "host.name" in self.written
        port = SettingFacts(
            "network.mgmt_port", 47990, 47990, "default", "default", "Port.", "integer", (), 1024, 65535
        )
        return [
            SettingFacts("host.name", name, "fake", "host.toml:2", "file", "Name.", "string", changed=changed),
            port,
        ]

    def check(self, changes: Mapping[str, object]) -> Sequence[SettingMistake]:
        return [SettingMistake(key, "there is no such setting") for key in changes if key != "host.name"]

    def change(self, changes: Mapping[str, object]) -> Sequence[SettingMistake]:
        mistakes = self.check(changes)
        self.written |= {} if mistakes else changes
        return mistakes


class FakeLibrary:
    def __init__(self, image: str = "") -> None:
        self._apps = [
            App(id=1, name="Desktop"),
            App(id=2, name="Game", command=f"game --key {CANARY}", environment={"SECRET": CANARY}, image=image),
        ]

    def apps(self) -> Sequence[App]:
        return self._apps

    def is_custom(self, app_id: int) -> bool:
        return app_id != 1

    def add(self, app: App) -> App:
        if any(known.name == app.name for known in self._apps):
            raise Refused(f"another app is called {app.name} already")
        added = msgspec.structs.replace(app, id=len(self._apps) + 1)
        self._apps.append(added)
        return added

    def replace(self, app_id: int, app: App) -> App:
        index = self._index(app_id)
        self._apps[index] = msgspec.structs.replace(app, id=app_id)
        return self._apps[index]

    def remove(self, app_id: int) -> None:
        del self._apps[self._index(app_id)]

    def _index(self, app_id: int) -> int:
        for index, app in enumerate(self._apps):
            if app.id == app_id != 1:
                return index
        raise KeyError(app_id)


class FakePlay:
    def __init__(self) -> None:
        self.shared = {"abcd": PlayLinkFacts("abcd", "Guest", 7, 0, 3600.0)}

    def ticket(self, client_id: str, name: str, app_id: int, still_good: Callable[[], bool]) -> PlayTicket:
        return PlayTicket("ticket", "/play/socket", 0, "/play", "")

    def ticket_of_link(self, secret: str) -> PlayTicket:
        if secret != LINK_SECRET:
            raise Refused("this link is not good any more")
        return PlayTicket("ticket", "/play/socket", 0, "/play", "")

    def links(self) -> Sequence[PlayLinkFacts]:
        return list(self.shared.values())

    def share(self, name: str, grants: Grants, app_id: int, lifetime_s: float) -> tuple[PlayLinkFacts, str]:
        link = PlayLinkFacts(f"{len(self.shared):08x}", name, int(grants), app_id, lifetime_s)
        self.shared[link.id] = link
        return link, LINK_SECRET

    def unshare(self, link_id: str) -> bool:
        return self.shared.pop(link_id, None) is not None


class FakeDoctor:
    async def run(self) -> AsyncIterator[CheckResult]:
        yield CheckResult("ports", "ok", "they are free", "", 0.001)
        yield CheckResult("sound", "warn", "there is none", "make some", 0.002)


class FakeHost:
    def __init__(self, image: str = "") -> None:
        self.sessions = FakeSessions()
        self.pin_entry: FakePinEntry | None = FakePinEntry()
        self.native_pairing: FakeNativePairing | None = FakeNativePairing()
        self.settings = FakeSettings()
        self.library = FakeLibrary(image)
        self.doctor = FakeDoctor()
        self.is_ready = True
        self.restarts = 0
        self.play: FakePlay | None = FakePlay()

    def facts(self) -> HostFacts:
        return HostFacts(
            name="fake",
            unique_id="0000-11",
            fingerprint="ef" * 32,
            local_ip="192.0.2.1",
            version="0.1.0",
            app_version="7.1.431.-1",
            gfe_version="3.23.0.74",
            uptime_s=12.3,
            codecs=("h264",),
            ports={"mgmt": 47990},
            display="synthetic",
            display_why="it was asked for",
            encoder="x264",
            encoder_why="there is no graphics card",
            sound="off",
            gamestream=True,
            native=True,
        )

    def displays(self) -> Sequence[DisplayFacts]:
        return [DisplayFacts("synthetic", "Test pattern", True, True)]

    def ready(self) -> bool:
        return self.is_ready

    def restart(self) -> None:
        self.restarts += 1


def a_session(**changes: object) -> SessionFacts:
    usual = SessionFacts(
        id="0a1b2c3d",
        device_id="ab" * 32,
        device_name="Phone",
        plane="gamestream",
        app="Desktop",
        state="live",
        mode=Mode(1280, 720, 60_000),
        started_unix=1000.0,
        streaming=True,
        codec="h264",
        encoder="x264",
        encoder_why="there is no graphics card",
        bitrate_kbps=20_000,
        audio_channels=2,
        statistics=WorkerStats(frames=600, video_bytes=1_000_000, encode_p50_us=4000),
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]
