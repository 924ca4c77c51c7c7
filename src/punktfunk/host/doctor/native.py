"""Checks of what punktfunk clients need."""

from __future__ import annotations

import shutil

from punktfunk.host.doctor.check import Check, Context, Outcome, ok, skip, warn
from punktfunk.wire import leopard

_LEOPARD = "good up to about 100 Mbit/s; for more, Python 3.11 or 3.12, for which the library has a ready-made package"


async def error_correction(context: Context) -> Outcome:
    """Lost video packets are recovered with the code that punktfunk clients are used to."""
    if not context.settings.native.enabled:
        return skip("punktfunk clients are not let in (native.enabled)")
    if leopard.NATIVE:
        return ok("Leopard Reed-Solomon over GF(2^16)")
    return warn("reed-solomon-leopard is missing; numpy computes the same code, thirty times slower", _LEOPARD)


async def clipboard(context: Context) -> Outcome:
    """The desktop's clipboard can be shared."""
    settings = context.settings
    if not (settings.native.enabled and settings.native.clipboard):
        return skip("the clipboard is not shared (native.clipboard)")
    if settings.display.kind not in ("auto", "embedded", "kwin", "wlroots"):
        return skip("only the clipboard of the embedded, of wlroots' and of KDE's desktops can be shared")
    path = context.environment.get("PATH")
    if not all(shutil.which(program, path=path) for program in ("wl-copy", "wl-paste")):
        return warn("wl-clipboard is missing; the clipboard is not shared", "sudo apt install wl-clipboard")
    return ok("the clipboard is shared with clients that ask for it")


CHECKS = (Check("error correction", error_correction), Check("clipboard", clipboard))
