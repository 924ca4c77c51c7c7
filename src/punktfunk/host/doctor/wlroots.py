"""The check of a wlroots desktop that runs already."""

from __future__ import annotations

import asyncio

from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.wayland_session import Wanted, find_session
from punktfunk.session.desktops.wlroots import describe
from punktfunk.session.identity import IdentityError, UserIdentity

_FIX = "start the host in that desktop, or set display.wayland_display, display.output and, as root, display.user"
_WAY_IN = "keys and mouse by its virtual devices, kept in that output, text through spare keys"


async def wlroots(context: Context) -> Outcome:
    """There is a wlroots desktop that can be streamed, and what sessions get of it."""
    display = context.settings.display
    wanted = Wanted(context.environment, display.wayland_display, display.output)
    asked_for = display.kind == "wlroots"
    try:
        user = context.desktop_user()
        words = await asyncio.to_thread(_describe, user, wanted)
    except (DesktopError, IdentityError) as error:
        return fail(str(error), _FIX) if asked_for else skip(f"not asked for; {error}")
    return ok(f"{words}; {_WAY_IN}") if asked_for else skip(f"not asked for; --display wlroots would stream {words}")


def _describe(user: UserIdentity, wanted: Wanted) -> str:
    return describe(find_session(user, wanted), wanted)


CHECKS = (Check("wlroots", wlroots),)
