"""The check of an X11 desktop that runs already."""

from __future__ import annotations

import asyncio

from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip
from punktfunk.media.video_source import SourceError
from punktfunk.media.x11.keyboard import spare_keycodes
from punktfunk.media.x11.loan import read_loan
from punktfunk.media.x11.randr import RandR
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.x11 import X11Place, examine, find_place
from punktfunk.session.identity import IdentityError

_NAME_IT = 'set display.x11_display, to ":0" for example, or start the host from a terminal of that desktop'
_REACH_IT = "run the host as that desktop's user, with its XAUTHORITY, or name another one: display.x11_display"


async def x11(context: Context) -> Outcome:
    """There is an X server that can be streamed, and what it can do."""
    display = context.settings.display
    try:
        user = context.desktop_user()
        place = find_place(display.x11_display, user, context.environment)
    except (DesktopError, IdentityError) as error:
        return fail(str(error), _NAME_IT) if display.kind == "x11" else skip(f"not asked for; {error}")
    obstacle = await asyncio.to_thread(examine, place)
    if display.kind != "x11":
        return skip(f"not asked for; {obstacle or f'--display x11 would stream {place.display}'}")
    if obstacle:
        return fail(obstacle, _REACH_IT)
    try:
        return ok(await asyncio.to_thread(_describe, place))
    except SourceError as error:
        return fail(str(error), _REACH_IT)


def _describe(place: X11Place) -> str:
    with place.open() as x:
        randr = RandR(x)
        region, fixed = randr.region(), randr.why_fixed()
        loan = read_loan(x)
        spare = len(loan.keycodes if loan is not None else spare_keycodes(x))
        mode = f"keeps its {region.width}x{region.height}, because {fixed}" if fixed else "takes each client's mode"
        return f"{place.display} can be streamed and {mode}; keys and mouse by XTEST, text by {spare} spare keycodes"


CHECKS = (Check("x11", x11),)
