"""The list of checks, in the order in which a person would look."""

from __future__ import annotations

from punktfunk.host.doctor import kwin, machine, mutter, native, network, software, stream, wlroots, x11
from punktfunk.host.doctor.check import Check


def standard_checks() -> tuple[Check, ...]:
    """Every check of this version."""
    return (
        *software.CHECKS,
        *kwin.CHECKS,
        *wlroots.CHECKS,
        *x11.CHECKS,
        *mutter.CHECKS,
        *network.CHECKS,
        *native.CHECKS,
        *machine.CHECKS,
        *stream.CHECKS,
    )
