"""The first lines on the terminal: what runs, what was chosen and why, and what to do next."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from punktfunk.trust.devices import PairedDevice, Plane

if TYPE_CHECKING:
    from punktfunk.host.app import Host


def greeting(host: Host, version: str, elapsed_s: float) -> Iterator[str]:
    """Lines to show once everything is ready."""
    settings, devices = host.settings, host.store.devices()
    where = settings.network.bind_address or "this machine"
    yield f"punktfunk-host {version}: {settings.host.name} is ready after {elapsed_s:.1f} s"
    yield f"display: {host.desktop.kind} ({host.desktop.why})"
    yield f"encoder: {host.video.encoder} ({host.video.why})"
    yield f"sound: {host.sound.description if host.sound is not None else 'off'}"
    if host.management is not None:
        yield f"console: {host.management.url} (certificate SHA-256 {_in_pairs(host.management.fingerprint)})"
    if host.native is not None:
        yield f"punktfunk: port {settings.network.native_port} of {where}, {_paired(devices, Plane.NATIVE)}"
        if settings.native.open:
            yield "every device on the network is let in and remembered (native.open)"
        else:
            yield f"to pair a punktfunk client: {_program()} pair --native, and type the PIN into the client"
    if host.gamestream is None:
        yield "Moonlight clients are not let in; start with --gamestream to let them pair"
        return
    yield f"Moonlight: port {host.gamestream.ports.base} of {where}, {_paired(devices, Plane.GAMESTREAM)}"
    yield f"to pair: choose this computer in Moonlight, then give the PIN it shows: {_program()} pair PIN"


def _program() -> str:
    """How this program is called here: by its name where the shell finds it, else by the path that started it."""
    name, started_as = "punktfunk-host", Path(sys.argv[0])
    if shutil.which(name) or started_as.name != name:
        return name
    return os.path.relpath(started_as) if started_as.is_relative_to(Path.cwd()) else str(started_as)


def _paired(devices: Iterable[PairedDevice], plane: Plane) -> str:
    count = sum(device.plane is plane for device in devices)
    return f"{count} paired device{'' if count == 1 else 's'}"


def _in_pairs(fingerprint: str) -> str:
    """The form in which browsers show it."""
    return ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()
