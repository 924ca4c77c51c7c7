"""What streaming changes of a running desktop, noted on the desktop itself, so that any later host can give it back.

The note is a property of the root window. It names the host that borrowed; who may tell whether that one still lives is
the caller.
"""

from __future__ import annotations

import logging
from typing import Annotated

import msgspec
from msgspec import Meta

from punktfunk.media.plan import Mode
from punktfunk.media.x11 import keyboard
from punktfunk.media.x11.atoms import delete_property, read_property, write_property
from punktfunk.media.x11.connection import X11Connection, X11Error, X11Gone
from punktfunk.media.x11.randr import RandR, Size

PROPERTY = "_PUNKTFUNK_LOAN"

log = logging.getLogger(__name__)


_Id = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
_Place = Annotated[int, Meta(ge=-32768, le=32767)]
_Length = Annotated[int, Meta(ge=1, le=65535)]
_Keycode = Annotated[int, Meta(ge=8, le=255)]
_Bits = Annotated[int, Meta(ge=0, le=255)]


class Loan(msgspec.Struct, frozen=True):
    """How the desktop was. ``host`` borrowed it; of its sessions, ``holder`` says which mode there is. ``crtc`` 0: the
    mode was not ours to change."""

    host: str
    holder: str
    keycodes: Annotated[tuple[_Keycode, ...], Meta(max_length=256)] = ()
    locked: _Bits = 0
    crtc: _Id = 0
    mode: _Id = 0
    mode_name: str = ""
    x: _Place = 0
    y: _Place = 0
    rotation: _Length = 1
    outputs: Annotated[tuple[_Id, ...], Meta(max_length=64)] = ()
    screen: tuple[_Length, _Length, _Id, _Id] = (1, 1, 1, 1)


def read_loan(x: X11Connection) -> Loan | None:
    """The note on this desktop; None when nothing is borrowed, or somebody else wrote it."""
    data = read_property(x, PROPERTY)
    try:
        return msgspec.json.decode(data, type=Loan) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def borrow(x: X11Connection, host: str, holder: str) -> Loan:
    """Note how the desktop is, before anything of it is changed. Raises X11Error."""
    randr = RandR(x)
    loan = Loan(host, holder, keyboard.spare_keycodes(x), keyboard.locked_modifiers(x))
    output = randr.streamed()
    crtc = randr.crtcs.get(output.crtc) if output is not None else None
    if crtc is not None and crtc.mode and not randr.why_fixed():
        size = randr.size()
        loan = msgspec.structs.replace(
            loan,
            crtc=crtc.id,
            mode=crtc.mode,
            mode_name=randr.modes[crtc.mode].name if crtc.mode in randr.modes else "",
            x=crtc.x,
            y=crtc.y,
            rotation=crtc.rotation,
            outputs=crtc.outputs,
            screen=(size.width, size.height, size.width_mm, size.height_mm),
        )
    write_loan(x, loan)
    return loan


def write_loan(x: X11Connection, loan: Loan) -> None:
    """Note it, or that another session holds it now."""
    write_property(x, PROPERTY, msgspec.json.encode(loan))


def give_back(x: X11Connection, loan: Loan) -> None:
    """Make the desktop as it was, as far as it still can be. Raises X11Gone."""
    for step in (_restore_keyboard, _restore_mode):
        try:
            step(x, loan)
        except X11Error as error:
            log.warning("%s is not quite as it was: %s", x.display, error)
    delete_property(x, PROPERTY)


def give_back_keys(x: X11Connection, keycodes: tuple[int, ...]) -> None:
    """Release what is held, and take the meaning from keycodes that had none."""
    keyboard.release_held(x)
    keyboard.bind(x, dict.fromkeys(keycodes, 0))


def show_mode(x: X11Connection, mode: Mode) -> str:
    """Bring the streamed output into this mode; why it keeps another one, or ""."""
    try:
        randr = RandR(x)
        if fixed := randr.why_fixed():
            return fixed
        randr.set_mode(mode)
    except X11Gone:
        raise
    except X11Error as error:
        return str(error)
    return ""


def _restore_keyboard(x: X11Connection, loan: Loan) -> None:
    give_back_keys(x, loan.keycodes)
    keyboard.lock_modifiers(x, keyboard.lock_mask(x), loan.locked)


def _restore_mode(x: X11Connection, loan: Loan) -> None:
    if not loan.crtc:
        return
    randr = RandR(x)
    crtc, line = randr.crtcs.get(loan.crtc), randr.modes.get(loan.mode)
    if crtc is None or line is None or line.name != loan.mode_name:
        raise X11Error(f"its mode {loan.mode_name} is not there any more")
    # Streaming never moves an output: where it lies elsewhere, its person has arranged the screens anew.
    unmoved = (crtc.x, crtc.y) == (loan.x, loan.y)
    size = Size(*loan.screen) if unmoved else randr.around(crtc, line.width, line.height)
    if crtc.mode != loan.mode or randr.size() != size:
        randr.show(crtc, line, loan.outputs, crtc.x, crtc.y, loan.rotation, size)
    randr.remove_own_modes()
