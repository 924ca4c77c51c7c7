"""The first lines on the terminal: what runs, what was chosen and why, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punktfunk.host.app import Host


def greeting(host: Host, version: str, elapsed_s: float) -> Iterator[str]:
    """Lines to show once everything is ready."""
    settings, plane = host.settings, host.gamestream
    yield f"punktfunk-host {version}: {settings.host.name} is ready after {elapsed_s:.1f} s"
    yield f"display: {host.desktop.kind} ({host.desktop.why})"
    yield f"encoder: {host.video.encoder} ({host.video.why})"
    yield f"sound: {host.sound.description if host.sound is not None else 'off'}"
    if plane is None:
        yield "Moonlight clients are not let in; start with --gamestream to let them pair"
        return
    devices = len(host.store.devices())
    where = settings.network.bind_address or "this machine"
    yield f"Moonlight: port {plane.ports.base} of {where}, {devices} paired device{'' if devices == 1 else 's'}"
    yield "to pair: choose this computer in Moonlight, then give the PIN it shows: punktfunk-host pair PIN"
