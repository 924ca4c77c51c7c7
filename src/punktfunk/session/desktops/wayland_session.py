"""The Wayland session that a person already runs: where its sockets are, and the environment of its programs."""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from punktfunk.media.wayland.look import Compositor, LookError, look
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.identity import UserIdentity

MAX_SOCKETS = 32
"""Sockets of one folder that are tried."""
MAX_PROCESSES = 65536
_TIMEOUT_S = 1.0
_POINTERS = "zwlr_virtual_pointer_manager_v1"
_CAPTURES = ("ext_image_copy_capture_manager_v1", "zwlr_screencopy_manager_v1")
_OF_THE_DISPLAY = ("DISPLAY", "XAUTHORITY")
_MAX_ENVIRONMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. ``environment`` is the host's own; ``display`` is a Wayland socket's name or path, ``output``
    the name of an output to show as it is; "" where the settings say nothing."""

    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    display: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class WaylandSession:
    """``sway_socket`` is "" where the compositor is not sway."""

    display: str
    sway_socket: str
    compositor: Compositor
    environment: Mapping[str, str]


def find_session(user: UserIdentity, wanted: Wanted) -> WaylandSession:
    """The running wlroots session of this user. Blocks for a moment; raises DesktopError."""
    own = wanted.environment if user.is_current else {}
    obstacle = ""
    for path in _displays(user, wanted, own):
        try:
            compositor = _compositor(path, user)
        except DesktopError as error:
            obstacle = obstacle or str(error)
            continue
        process = _listener(path)
        sway = next((control for control in _sway_sockets(path, own) if _listener(control) == process), "")
        return WaylandSession(path, sway, compositor, _environment(path, sway, process, user, own))
    advice = (
        "" if user.is_current or wanted.display else "; display.user names the account whose desktop is to be streamed"
    )
    raise DesktopError(f"{obstacle or f'{user.name} runs no Wayland session here'}{advice}")


def _displays(user: UserIdentity, wanted: Wanted, own: Mapping[str, str]) -> Iterator[str]:
    folder = Path(own.get("XDG_RUNTIME_DIR") or user.runtime_dir or f"/run/user/{user.uid}")
    if wanted.display:
        yield str(folder / wanted.display)
        return
    if own.get("WAYLAND_DISPLAY"):
        yield str(folder / own["WAYLAND_DISPLAY"])
    yield from _sockets(folder, "wayland-*")


def _sway_sockets(display: str, own: Mapping[str, str]) -> Iterator[str]:
    if own.get("SWAYSOCK"):
        yield own["SWAYSOCK"]
    yield from _sockets(Path(display).parent, "sway*.sock")


def _sockets(folder: Path, pattern: str) -> list[str]:
    try:
        found = sorted(str(path) for path in folder.glob(pattern) if stat.S_ISSOCK(path.lstat().st_mode))
    except OSError:
        return []
    return found[:MAX_SOCKETS]


def _compositor(path: str, user: UserIdentity) -> Compositor:
    try:
        owner = os.lstat(path).st_uid
    except OSError:
        raise DesktopError(f"there is no Wayland socket {path}") from None
    if owner != user.uid:
        raise DesktopError(f"{path} belongs to user id {owner}, and desktops here are those of {user.name}")
    try:
        compositor = look(path)
    except LookError as error:
        raise DesktopError(str(error)) from error
    if _POINTERS not in compositor.interfaces or not compositor.interfaces.intersection(_CAPTURES):
        raise DesktopError(
            f"the compositor on {path} has not what wlroots' ones have ({_POINTERS} and a way to capture)"
        )
    return compositor


def _listener(path: str) -> int:
    """The process that listens on a socket; 0 when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_TIMEOUT_S)
        try:
            probe.connect(path)
            pid, _, _ = struct.unpack("=iII", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return 0
    return int(pid)


def _environment(
    display: str, sway: str, compositor: int, user: UserIdentity, own: Mapping[str, str]
) -> dict[str, str]:
    """That of a program which the compositor starts: what it was started with itself, and what it adds."""
    folder = str(Path(display).parent)
    found = _of_process(compositor) or dict(own)
    added = {"WAYLAND_DISPLAY": Path(display).name, "XDG_RUNTIME_DIR": folder, "XDG_SESSION_TYPE": "wayland"}
    if sway:
        added |= {"SWAYSOCK": sway, "I3SOCK": sway}
    same = Path(own.get("WAYLAND_DISPLAY", "")).name == Path(display).name
    x11 = _of_its_programs(compositor) or ({name: own[name] for name in _OF_THE_DISPLAY if name in own} if same else {})
    return {**user.environment(folder), **found, **x11, **added}


def _of_its_programs(compositor: int) -> dict[str, str]:
    """Where X11 programs go: the compositor knows it only after its own start, and tells its children."""
    for process in _children(compositor):
        theirs = _of_process(process)
        if "DISPLAY" in theirs:
            return {name: theirs[name] for name in _OF_THE_DISPLAY if name in theirs}
    return {}


def _children(parent: int) -> Iterator[int]:
    try:
        names = [name for name in os.listdir("/proc") if name.isdecimal()][:MAX_PROCESSES]
    except OSError:
        return
    for name in names:
        try:
            fields = Path("/proc", name, "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if len(fields) > 1 and fields[1] == str(parent):
            yield int(name)


def _of_process(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            data = file.read(_MAX_ENVIRONMENT_BYTES)
    except OSError:
        return {}
    pairs = (os.fsdecode(item).partition("=") for item in data.split(b"\0"))
    return {name: value for name, equals, value in pairs if name and equals}
