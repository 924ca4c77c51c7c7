"""The check of a GNOME session that runs already."""

from __future__ import annotations

import asyncio
import contextlib

from jeepney import DBusAddress

from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip
from punktfunk.media.portal.mutter import REMOTE_DESKTOP, SCREEN_CAST
from punktfunk.media.portal.session_bus import BusError, SessionBus
from punktfunk.session.desktops.mutter import mutter_obstacle
from punktfunk.session.desktops.user_session import UserSession
from punktfunk.session.identity import IdentityError

_FIX = "log in to GNOME, and start the host as that user from that session; or as root with display.user"
_SHELL = DBusAddress("/org/gnome/Shell", "org.gnome.Shell", "org.gnome.Shell")
_FIRST_WITH_EIS = 45


async def mutter(context: Context) -> Outcome:
    """There is a GNOME session that can be streamed, and how its input goes."""
    display = context.settings.display
    asked_for = display.kind == "mutter"
    try:
        user = context.desktop_user()
        session = UserSession.of(user, context.environment)
        if obstacle := mutter_obstacle(session):
            raise BusError(obstacle)
        words = await asyncio.to_thread(_describe, session.bus_address)
    except (BusError, IdentityError) as error:
        return fail(str(error), _FIX) if asked_for else skip(f"not asked for; {error}")
    return ok(words) if asked_for else skip(f"not asked for; --display mutter would stream {words}")


def _describe(address: str) -> str:
    with contextlib.closing(SessionBus(address)) as bus:
        if not (bus.has_owner(SCREEN_CAST) and bus.has_owner(REMOTE_DESKTOP)):
            raise BusError("no GNOME session runs")
        try:
            version = str(bus.get(_SHELL, "ShellVersion"))
        except BusError:
            return "a virtual monitor of a mutter without GNOME around it"
    major = version.split(".")[0]
    by = "emulated input (libei)" if major.isdigit() and int(major) >= _FIRST_WITH_EIS else "mutter's remote desktop"
    return f"a virtual monitor of GNOME {version}; keys and mouse by {by}, text as far as its layout has keys"


CHECKS = (Check("mutter", mutter),)
