"""Which kind of desktop sessions get, and why."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.video_source import SourceError
from punktfunk.session.desktops.bare import BareDesktop
from punktfunk.session.desktops.base import Desktop, DesktopError, NoDesktop
from punktfunk.session.desktops.embedded import SwayDesktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.desktops.wayland_session import Wanted, find_session
from punktfunk.session.desktops.wlroots import WlrootsDesktop, describe, tidy
from punktfunk.session.desktops.x11 import X11Desktop, examine, find_place, recover, shared_x11, worker_environment
from punktfunk.session.runtime_dirs import RuntimeDir
from punktfunk.session.shared_memory import SHARED_MEMORY, shared_memory

OWN_DESKTOPS = ("auto", "embedded", "bare")
"""Kinds of display whose desktops are made for sessions; the others show what is there already."""


@dataclass(frozen=True)
class DesktopChoice:
    """``make`` builds the desktop of one session from its id and the environment for its programs.
    ``worker_environment`` is what workers need on top of theirs to reach such a desktop."""

    kind: str
    why: str
    make: Callable[[str, dict[str, str]], Desktop]
    worker_environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def choose_desktop(
    kind: str,
    runtime: RuntimeDir,
    look: LookSettings,
    *,
    keyboard: KeyboardLayout | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
    x11_display: str = "",
    wanted: Wanted | None = None,
    which: Callable[[str], str | None] = shutil.which,
    shared: Path = SHARED_MEMORY,
) -> DesktopChoice:
    """The choice for a setting on this machine. ``runtime`` belongs to the user that desktops run as; ``environment``
    is the host's own, in which a desktop of the user's may be named; ``wanted`` says which Wayland one.

    Raises DesktopError when the setting asks for what this machine cannot do.
    """
    if kind == "synthetic":
        return synthetic_choice()
    if kind == "mutter":
        return _mutter_choice(runtime, environment, keyboard)
    if kind == "wlroots":
        return _wlroots_choice(runtime, wanted or Wanted(environment), keyboard)
    if kind == "x11":
        return _x11_choice(runtime, environment, x11_display)
    if kind == "kwin":
        return _kwin_choice(runtime, environment)
    obstacle = _embedded_obstacle(runtime, which, shared)
    if kind in ("auto", "embedded") and not obstacle:
        return DesktopChoice(
            "embedded",
            "a headless sway of the session's own",
            lambda _id, environment: SwayDesktop(runtime, environment, look, keyboard=keyboard),
        )
    if kind == "embedded":
        raise DesktopError(f"the embedded desktop cannot be had: {obstacle}")
    if kind in ("auto", "bare"):
        return DesktopChoice(
            "bare",
            f"only programs without a desktop around them: {obstacle or 'display.kind asks for it'}",
            lambda _id, environment: BareDesktop(runtime, environment, look.command, keyboard=keyboard),
        )
    raise DesktopError(f"there is no display of kind {kind!r}")


def synthetic_choice() -> DesktopChoice:
    """The test pattern."""
    return DesktopChoice("synthetic", "display.kind asks for the test pattern", lambda _id, _environment: NoDesktop())


def _mutter_choice(
    runtime: RuntimeDir, environment: Mapping[str, str], keyboard: KeyboardLayout | None
) -> DesktopChoice:
    # jeepney, which it is made with, is there on Linux alone.
    from punktfunk.session.desktops.mutter import MutterDesktop, mutter_obstacle
    from punktfunk.session.desktops.user_session import UserSession

    session = UserSession.of(runtime.owner, environment)
    if obstacle := mutter_obstacle(session):
        raise DesktopError(f"the GNOME session cannot be streamed: {obstacle}")
    return DesktopChoice(
        "mutter",
        f"a virtual monitor in the GNOME session of {runtime.owner.name}",
        lambda _id, sound: MutterDesktop(runtime, session, sound, keyboard=keyboard),
        _portal_workers(runtime),
    )


def _kwin_choice(runtime: RuntimeDir, environment: Mapping[str, str]) -> DesktopChoice:
    from punktfunk.session.desktops.kwin import KwinDesktop, OutputNames, kwin_obstacle
    from punktfunk.session.desktops.user_session import UserSession

    session = UserSession.of(runtime.owner, environment)
    if obstacle := kwin_obstacle(session):
        raise DesktopError(f"the KDE session cannot be streamed: {obstacle}")
    names = OutputNames()
    return DesktopChoice(
        "kwin",
        f"an output of its own in the KDE session of {runtime.owner.name}",
        lambda _id, sound: KwinDesktop(runtime, session, sound, names),
        _portal_workers(runtime),
    )


def _portal_workers(runtime: RuntimeDir) -> dict[str, str]:
    """The capture library finds a portal by this variable alone, and each worker is a portal to itself."""
    return {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={runtime.path}/portal-{{worker}}"}


def _x11_choice(runtime: RuntimeDir, environment: Mapping[str, str], display: str) -> DesktopChoice:
    place = find_place(display, runtime.owner, environment)
    # A host may be started before anybody logs in: what is in the way now is only told.
    obstacle = examine(place)
    if not obstacle:
        with contextlib.suppress(SourceError):
            recover(place)
    shared = shared_x11(place)
    return DesktopChoice(
        "x11",
        f"{place.display}, which cannot be streamed now: {obstacle}"
        if obstacle
        else f"the desktop of {place.display}, shared with whoever uses it; sound of the apps started from here",
        lambda session_id, sound: X11Desktop(shared, session_id, runtime, sound),
        worker_environment(place, runtime),
    )


def _wlroots_choice(runtime: RuntimeDir, wanted: Wanted, keyboard: KeyboardLayout | None) -> DesktopChoice:
    """The user's running desktop. One that is not there now is looked for again by each session."""
    try:
        found = find_session(runtime.owner, wanted)
        why = describe(found, wanted)
        strays = [True] if found.sway_socket and tidy(found, runtime) else []
    except DesktopError as error:
        why, strays = f"none is there yet, each session looks again: {error}", []
    return DesktopChoice(
        "wlroots",
        why,
        lambda _id, sound: WlrootsDesktop(
            runtime, sound, wanted, keyboard=keyboard, strays=bool(strays and strays.pop())
        ),
    )


def _embedded_obstacle(runtime: RuntimeDir, which: Callable[[str], str | None], shared: Path) -> str:
    if which("sway") is None:
        return "sway is not installed"
    if runtime.owner.uid == 0:
        return "sway refuses to run as root"
    if obstacle := shared_memory(runtime.owner.uid, shared).obstacle:
        return f"sway needs shared memory, and {obstacle}"
    return ""
