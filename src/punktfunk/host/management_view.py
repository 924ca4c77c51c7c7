"""The running host as the management API sees it; implements ``mgmt.host_view``."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from punktfunk import __version__
from punktfunk.discovery.network import routed_address
from punktfunk.gamestream.pairing import PinError
from punktfunk.gamestream.plane import GameStreamPlane
from punktfunk.gamestream.serverinfo import APP_VERSION, GFE_VERSION, CodecSupport
from punktfunk.host.browser import PagePlay
from punktfunk.host.config_file import ConfigFile
from punktfunk.host.doctor import make_context, run_checks, standard_checks
from punktfunk.host.settings_editor import AppLibrary, SettingsEditor
from punktfunk.host.settings_load import LoadedSettings
from punktfunk.mgmt.host_view import (
    ArmedPin,
    CheckResult,
    DisplayFacts,
    HostFacts,
    PinAttempt,
    Refused,
    SessionFacts,
    WaitingKnock,
)
from punktfunk.native.arming import ArmedWindow
from punktfunk.native.plane import NativePlane
from punktfunk.session.lifecycle import EndReason
from punktfunk.session.manager import SessionManager
from punktfunk.session.session import Session
from punktfunk.session.stream import Stream
from punktfunk.trust.devices import Grants
from punktfunk.trust.errors import TrustError

if TYPE_CHECKING:
    from punktfunk.host.app import Host

_CODECS = {"h264": CodecSupport.H264, "hevc": CodecSupport.HEVC, "av1": CodecSupport.AV1}
_DISPLAYS = {
    "embedded": "A desktop of the session's own",
    "bare": "Programs without a desktop around them",
    "kwin": "An output of its own in the KDE session",
    "mutter": "A monitor of its own in the GNOME session",
    "x11": "The X11 desktop that runs on this machine",
    "wlroots": "An output of your sway, or one of a wlroots desktop's",
    "synthetic": "Test pattern",
}


class ManagedSessions:
    """Sessions of both planes."""

    def __init__(self, manager: SessionManager, max_bitrate_kbps: int) -> None:
        self._manager = manager
        self._max_bitrate_kbps = max_bitrate_kbps

    def all(self) -> Sequence[SessionFacts]:
        """Oldest first."""
        return [_session_facts(session) for session in self._manager.sessions]

    async def end(self, session_id: str) -> bool:
        """End one for the owner."""
        return await self._manager.end(session_id, EndReason.ENDED_BY_OPERATOR)

    def force_keyframe(self, session_id: str) -> bool:
        """Ask its encoder for a keyframe."""
        stream = self._stream(session_id)
        if stream is None:
            return False
        stream.request_keyframe()
        return True

    def set_bitrate(self, session_id: str, kbps: int) -> int | None:
        """Change the bitrate within the setting's limit."""
        stream = self._stream(session_id)
        if stream is None:
            return None
        allowed = min(kbps, self._max_bitrate_kbps)
        stream.set_bitrate(allowed)
        return allowed

    async def picture(self, session_id: str) -> bytes | None:
        """A small PNG of what its desktop shows."""
        session = next((s for s in self._manager.sessions if s.id == session_id), None)
        return await session.picture() if session is not None else None

    def _stream(self, session_id: str) -> Stream | None:
        return next((s.stream for s in self._manager.sessions if s.id == session_id), None)


class MoonlightPins:
    """Moonlight clients that wait for their PIN."""

    def __init__(self, plane: GameStreamPlane) -> None:
        self._pairing = plane.pairing_api.pairing

    def waiting(self) -> Sequence[PinAttempt]:
        """Who waits."""
        return [
            PinAttempt(a.attempt, a.name, a.address, a.fingerprint, a.age_s)
            for a in self._pairing.pending(time.monotonic())
        ]

    def submit(self, pin: str, attempt: int | None, name: str) -> None:
        """Use a PIN; raises Refused."""
        try:
            self._pairing.submit_pin(pin, time.monotonic(), name=name, attempt=attempt)
        except PinError as error:
            raise Refused(str(error)) from error


class NativePins:
    """The pairing window and the knocks of punktfunk/1."""

    def __init__(self, plane: NativePlane) -> None:
        self._plane = plane

    def armed(self) -> ArmedPin | None:
        """The open window."""
        now = time.monotonic()
        window = self._plane.window.armed(now)
        return _armed(window, now) if window else None

    def arm(self, window_s: float, fingerprint: str) -> ArmedPin:
        """Open a window; raises Refused."""
        now = time.monotonic()
        try:
            bound = bytes.fromhex(fingerprint) if fingerprint else None
            return _armed(self._plane.window.arm(now, window_s, fingerprint=bound), now)
        except ValueError as error:
            raise Refused(str(error)) from error

    def disarm(self) -> None:
        """Close the window."""
        self._plane.window.disarm()

    def waiting(self) -> Sequence[WaitingKnock]:
        """The devices that knock."""
        now = time.monotonic()
        return [
            WaitingKnock(k.id, k.label, k.fingerprint.hex(), k.address, now - k.since)
            for k in self._plane.knocks.waiting(now)
        ]

    def approve(self, knock_id: int, name: str, grants: Grants, expires_unix: int) -> bool:
        """Pair a device that knocks; raises Refused."""
        try:
            return self._plane.approve(knock_id, name, grants, expires_unix) is not None
        except TrustError as error:
            raise Refused(str(error)) from error

    def deny(self, knock_id: int) -> bool:
        """Turn a device away."""
        return self._plane.deny(knock_id) is not None


class HostDoctor:
    """The checks of `punktfunk-host doctor`."""

    def __init__(self, environment: Mapping[str, str], file: Path | None) -> None:
        self._environment = environment
        self._file = file

    async def run(self) -> AsyncIterator[CheckResult]:
        """One result after the other."""
        async for r in run_checks(standard_checks(), make_context(self._environment, self._file)):
            yield CheckResult(r.name, r.status.value, r.message, r.fix, r.took_s)


class RunningHost:
    """Everything together."""

    def __init__(self, host: Host, loaded: LoadedSettings, fingerprint: str, unique_id: str) -> None:
        config = ConfigFile(loaded, host.environment)
        self._host = host
        self._fingerprint = fingerprint
        self._unique_id = unique_id
        self.sessions = ManagedSessions(host.sessions, loaded.settings.video.max_bitrate_kbps)
        self.pin_entry = MoonlightPins(host.gamestream) if host.gamestream else None
        self.native_pairing = NativePins(host.native) if host.native else None
        self.play = PagePlay(host.browser, host.webtransport) if host.browser else None
        self.settings = SettingsEditor(loaded, config, host.apply)
        self.library = AppLibrary(loaded, config, host.set_apps)
        self.doctor = HostDoctor(host.environment, config.path if config.path.exists() else None)

    def facts(self) -> HostFacts:
        """Identity and abilities."""
        host, settings = self._host, self._host.settings
        ports = {"mgmt": settings.network.mgmt_port}
        if host.native:
            ports["native"] = settings.network.native_port
        if host.gamestream:
            names = ("https", "rtsp", "video", "control", "audio")
            ports |= {"http": host.gamestream.ports.base}
            ports |= {name: getattr(host.gamestream.ports, name) for name in names}
        return HostFacts(
            name=settings.host.name,
            unique_id=self._unique_id,
            fingerprint=self._fingerprint,
            local_ip=settings.network.bind_address or routed_address() or "127.0.0.1",
            version=__version__,
            app_version=APP_VERSION,
            gfe_version=GFE_VERSION,
            uptime_s=time.monotonic() - host.started_at,
            codecs=tuple(name for name, bit in _CODECS.items() if bit & host.video.codecs),
            ports=ports,
            display=host.desktop.kind,
            display_why=host.desktop.why,
            encoder=host.video.encoder,
            encoder_why=host.video.why,
            sound=host.sound.description if host.sound is not None else "off",
            gamestream=host.gamestream is not None,
            native=host.native is not None,
        )

    def displays(self) -> Sequence[DisplayFacts]:
        """Ways to show a desktop; the one that was chosen is the default."""
        chosen = self._host.desktop.kind
        return [
            DisplayFacts(kind, label, kind in (chosen, "synthetic"), kind == chosen)
            for kind, label in _DISPLAYS.items()
        ]

    def ready(self) -> bool:
        """Whether clients can connect."""
        return self._host.ready

    def restart(self) -> None:
        """Start again with the settings of the file."""
        self._host.restart()


def _session_facts(session: Session) -> SessionFacts:
    request, stream = session.request, session.stream
    base = SessionFacts(
        id=session.id,
        device_id=request.client_id,
        device_name=request.client_name,
        plane=request.plane,
        app=request.app.name,
        state=session.state.value,
        mode=session.mode,
        started_unix=session.started_at,
        streaming=stream is not None,
    )
    if stream is None:
        return base
    started = stream.started
    return replace(
        base,
        codec=stream.video.codec.value,
        encoder=started.encoder if started else "",
        encoder_why=started.why if started else "",
        bitrate_kbps=stream.video.bitrate_kbps,
        path=stream.path,
        audio_channels=stream.audio_channels,
        statistics=stream.statistics,
    )


def _armed(window: ArmedWindow, now: float) -> ArmedPin:
    expires_in_s = None if window.expires is None else window.expires - now
    return ArmedPin(window.pin, expires_in_s, window.fingerprint.hex() if window.fingerprint else "")
