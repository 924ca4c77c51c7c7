"""Which kind of desktop sessions get, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from punktfunk.session.desktops.base import Desktop, NoDesktop


@dataclass(frozen=True)
class DesktopChoice:
    """``make`` builds the desktop of one session from its id and the environment for its programs."""

    kind: str
    why: str
    make: Callable[[str, dict[str, str]], Desktop]


def synthetic_choice() -> DesktopChoice:
    """The test pattern."""
    return DesktopChoice("synthetic", "display.kind asks for the test pattern", lambda _id, _environment: NoDesktop())
