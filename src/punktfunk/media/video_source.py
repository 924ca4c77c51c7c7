"""Video sources: what a worker captures and encodes. A source is made from a target that the supervisor names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from punktfunk.media.frames import Codec, FrameHandler
from punktfunk.media.plan import Mode, VideoPlan


class TargetKeyboard(msgspec.Struct, frozen=True):
    """What injected keys are meant for: XKB's names, or a whole XKB ``keymap`` that is taken instead of them."""

    layout: str = "us"
    variant: str = ""
    options: str = ""
    keymap: str = ""


class HostCompositor(msgspec.Struct, frozen=True, tag=True):
    """A compositor that runs outside of the worker. ``wayland_display`` is its socket's absolute path. ``sway_socket``
    is the path of its i3-style control socket when it is sway: its refresh timer is then kept in step with the plan.
    ``output`` is the name of the one output that is captured, with the pointer kept in it, "" where there is but one;
    a named output has the mode that its desktop gave it, and takes the plan's only through ``sway_socket``.
    ``keyboard`` is the injected one's. ``strays``: buttons may be down that nobody holds."""

    wayland_display: str
    sway_socket: str = ""
    output: str = ""
    keyboard: TargetKeyboard = TargetKeyboard()
    strays: bool = False


class OwnCompositor(msgspec.Struct, frozen=True, tag=True):
    """The capture library's own compositor, inside the worker. ``socket_link`` is a path at which the source makes its
    Wayland socket known to the programs of the session."""

    socket_link: str
    keyboard: TargetKeyboard = TargetKeyboard()


class PortalScreen(msgspec.Struct, frozen=True, tag=True):
    """A screen that a desktop of the user's makes for the stream, captured through a portal of the worker's own in
    ``folder``. ``desktop`` says whose interfaces answer it, ``bus_address`` is the user's session bus, and
    ``pipewire_socket`` the absolute path of the user's PipeWire. With ``kwin``, ``wayland_display`` is its socket's
    path, ``output`` what the screen is called, and the keyboard is the desktop's own."""

    desktop: Literal["mutter", "kwin"]
    folder: str
    bus_address: str
    pipewire_socket: str
    keyboard: TargetKeyboard = TargetKeyboard()
    wayland_display: str = ""
    output: str = ""


class X11Display(msgspec.Struct, frozen=True, tag=True):
    """An X server that runs already. ``authority`` is an Xauthority file that opens it; the worker has both in its
    environment too. ``spare_keycodes`` are those that text may be typed with. The output takes the plan's mode while
    the desktop's note says that ``session`` holds it. ``keyboard`` is the server's own."""

    display: str
    authority: str
    session: str
    spare_keycodes: tuple[int, ...] = ()
    keyboard: TargetKeyboard = TargetKeyboard()


class Synthetic(msgspec.Struct, frozen=True, tag=True):
    """A moving test pattern with frame number and clock burnt in; needs nothing from the system."""


DisplayTarget = HostCompositor | OwnCompositor | PortalScreen | X11Display | Synthetic


def keeps_locks(target: DisplayTarget) -> bool:
    """Whether the state of lock keys outlives a worker, because the keyboard is the desktop's own."""
    return isinstance(target, PortalScreen) and target.desktop == "kwin"


def is_gnome(target: DisplayTarget) -> bool:
    """Whether it is a screen of GNOME's."""
    return isinstance(target, PortalScreen) and target.desktop == "mutter"


class SourceError(Exception):
    """The source cannot do what was asked; the message is one sentence for the user."""


class SourceLost(SourceError):
    """The thing that is captured has gone away."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source came up with. ``mode`` is the realised one; ``color_space`` and ``full_range`` are what the encoder
    converts with and declares, whatever the plan wished for."""

    encoder: str
    why: str
    codec: Codec
    mode: Mode
    hardware: bool = False
    chroma_444: bool = False
    bit_depth: int = 8
    color_space: str = "bt709"
    full_range: bool = False
    supports_invalidation: bool = False


class VideoSource(Protocol):
    """Captures and encodes. Frames arrive on the source's own thread, still pictures at no less than half the rate.

    Methods may be called from any one thread at a time; ``start`` and ``reconfigure`` block until the first frame.
    """

    def start(self, plan: VideoPlan, on_frame: FrameHandler) -> SourceInfo:
        """Begin, with a keyframe. Raises SourceError."""
        ...

    def request_keyframe(self) -> None:
        """Make one of the next frames an IDR. Cheap; does not block."""
        ...

    def invalidate(self, first_source_id: int, last_source_id: int) -> bool:
        """The peer lost these frames (inclusive): predict from none of them, nor from what was predicted from them.

        The first clean frame is marked RECOVERY, or is a keyframe. False: this source cannot; ask for a keyframe.
        """
        ...

    def set_bitrate(self, kbps: int) -> None:
        """Change the target bitrate of the running stream."""
        ...

    def reconfigure(self, plan: VideoPlan) -> SourceInfo:
        """Change mode or encoding; same programs, ``source_id`` goes on, the next frame is a keyframe.

        Raises SourceError; the stream is then dead.
        """
        ...

    def stop(self) -> None:
        """End; returns when no more frames will be delivered. Safe to repeat."""
        ...


def open_source(target: DisplayTarget) -> VideoSource:
    """The source for a target; loads only the libraries that it needs. Raises SourceError."""
    match target:
        case Synthetic():
            from punktfunk.media.displays.synthetic import SyntheticSource

            return SyntheticSource()
        case HostCompositor() | OwnCompositor():
            from punktfunk.media.displays.pixelflux_source import PixelfluxSource

            return PixelfluxSource(target)
        case PortalScreen(desktop="mutter"):
            from punktfunk.media.displays.portal_source import PortalSource
            from punktfunk.media.portal.mutter import NOTE, MutterBack, MutterTypist

            address, note = target.bus_address, Path(target.folder, NOTE)
            return PortalSource(target, MutterBack(address, target.pipewire_socket, note), MutterTypist(address))
        case X11Display():
            from punktfunk.media.displays.x11_source import X11Source

            return X11Source(target)
        case PortalScreen():
            from punktfunk.media.displays.kwin.source import KwinSource

            return KwinSource(target)
