"""The check of a KDE session that runs already."""

from __future__ import annotations

import asyncio

from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip
from punktfunk.media.displays.kwin import fake_input, screencast
from punktfunk.media.displays.kwin.seat import PERMISSION_FIX
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.kwin import find_kwin, kwin_obstacle, missing_interfaces
from punktfunk.session.desktops.user_session import UserSession
from punktfunk.session.identity import IdentityError

_FIX = "start the host in a Plasma session on Wayland, as its user"
_UNTRIED = "its pictures are untested with a graphics card"


async def kwin(context: Context) -> Outcome:
    """There is a KDE session, and KWin lets this program make outputs and type in it."""
    display = context.settings.display
    try:
        user = context.desktop_user()
        session = UserSession.of(user, context.environment)
        if obstacle := kwin_obstacle(session):
            raise DesktopError(obstacle)
        words, missing = await asyncio.to_thread(_look, session)
    except (DesktopError, IdentityError) as error:
        return fail(str(error), _FIX) if display.kind == "kwin" else skip(f"not asked for; {error}")
    return judge_kwin(display.kind, words, missing)


def judge_kwin(kind: str, words: str, missing: str) -> Outcome:
    """What was found, in words; ``missing`` is what KWin does not offer."""
    if kind != "kwin":
        return skip(f"not asked for; --display kwin would stream {words}{f', but {missing}' if missing else ''}")
    return fail(f"{words}: {missing}", PERMISSION_FIX) if missing else ok(f"{words}; {_UNTRIED}")


def _look(session: UserSession) -> tuple[str, str]:
    connection = find_kwin(session)
    try:
        versions = []
        for what, interface in (("input", fake_input.INTERFACE), ("outputs", screencast.INTERFACE)):
            if found := connection.client.find(interface):
                versions.append(f"{what} version {found.version}")
        words = f"an output of its own in the KDE session on {connection.path}"
        return (f"{words} ({', '.join(versions)})" if versions else words), missing_interfaces(connection)
    finally:
        connection.close()


CHECKS = (Check("kwin", kwin),)
