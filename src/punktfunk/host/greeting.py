"""What is told when everything is ready: what runs, what was chosen and why, and what to do next."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from punktfunk.discovery.network import routed_address
from punktfunk.host.first_look import FirstLook, Point
from punktfunk.trust.devices import PairedDevice, Plane

USUAL_PORT = 47989
"""Clients add a host by its address alone where it has this base port."""

if TYPE_CHECKING:
    from punktfunk.host.app import Host


def first_look(host: Host, version: str, elapsed_s: float) -> FirstLook:
    """The same for a person's terminal."""
    management = host.management
    return FirstLook(
        title=f"punktfunk-host {version}: {host.settings.host.name} is ready after {elapsed_s:.1f} s",
        console=management.url if management else "",
        setup_link=management.setup_link if management else "",
        fingerprint=management.fingerprint if management else "",
        points=(
            _moonlight(host),
            *([_punktfunk(host)] if host.native is not None else []),
            Point(f"Display: {host.desktop.kind}, {host.desktop.why}"),
            Point(f"Encoder: {host.video.encoder}, {host.video.why}", more=True),
            Point(f"Sound: {host.sound.description if host.sound is not None else 'off'}", more=True),
            Point("Ctrl-C stops the host."),
        ),
    )


def _moonlight(host: Host) -> Point:
    if host.gamestream is None:
        return Point("Moonlight clients are not let in; start with --gamestream to let them pair.")
    settings = host.settings
    address, port = settings.network.bind_address or routed_address() or "127.0.0.1", host.gamestream.ports.base
    by_hand = address if port == USUAL_PORT else f"{address}:{port}"
    paired = _paired(host.store.devices(), Plane.GAMESTREAM)
    where = "into the console, or:" if host.management else "here:"
    text = f"Moonlight ({paired}): choose {settings.host.name} or add {by_hand}. Type the PIN that it shows {where}"
    return Point(text, (f"{_program()} pair PIN",))


def _punktfunk(host: Host) -> Point:
    paired = _paired(host.store.devices(), Plane.NATIVE)
    if host.settings.native.open:
        return Point(f"punktfunk ({paired}): every device of the network is let in and remembered (native.open).")
    who = "The console shows a PIN for the app, and so does:" if host.management else "A PIN for the app:"
    return Point(f"punktfunk ({paired}). {who}", (f"{_program()} pair --native",))


def greeting(host: Host, version: str, elapsed_s: float) -> Iterator[str]:
    """Lines for the log."""
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
    return f"{count} paired"


def _in_pairs(fingerprint: str) -> str:
    """The form in which browsers show it."""
    return ":".join(fingerprint[i : i + 2] for i in range(0, len(fingerprint), 2)).upper()
