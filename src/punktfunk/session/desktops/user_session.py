"""The graphical session that the user has already: where its bus, its PipeWire and its variables are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jeepney import DBusAddress

from punktfunk.media.portal.session_bus import SessionBus
from punktfunk.session.identity import UserIdentity

_SYSTEMD = "org.freedesktop.systemd1"
_TAKEN = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "GNOME_SETUP_DISPLAY",
    "LANG",
    "PATH",
    "QT_IM_MODULE",
    "SSH_AUTH_SOCK",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CONFIG_DIRS",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
    "XDG_MENU_PREFIX",
    "XDG_SESSION_DESKTOP",
    "XDG_SESSION_TYPE",
    "XMODIFIERS",
)


@dataclass(frozen=True, slots=True)
class UserSession:
    """``bus_address`` and ``pipewire_socket`` are "" where there is none. ``variables`` are those that the host itself
    was started with, when it runs as that user."""

    user: UserIdentity
    bus_address: str
    pipewire_socket: str
    variables: Mapping[str, str]

    @classmethod
    def of(cls, user: UserIdentity, environment: Mapping[str, str]) -> UserSession:
        """Of a user, as far as it can be known without asking anybody; ``environment`` is the host's own."""
        own = environment if user.is_current else {}
        folder = Path(user.runtime_dir or f"/run/user/{user.uid}")
        address = own.get("DBUS_SESSION_BUS_ADDRESS", "")
        if not address and (folder / "bus").is_socket():
            address = f"unix:path={folder / 'bus'}"
        # PIPEWIRE_REMOTE may be a path; anything else is a name in the runtime folder.
        pipewire = Path(own.get("PIPEWIRE_RUNTIME_DIR") or folder, own.get("PIPEWIRE_REMOTE") or "pipewire-0")
        variables = {name: own[name] for name in _TAKEN if name in own}
        return cls(user, address, str(pipewire) if pipewire.is_socket() else "", variables)

    def program_environment(self, bus: SessionBus) -> dict[str, str]:
        """For a program inside: the host's own variables, and what the user's service manager was told by the desktop.
        Blocks for a moment. Raises BusError."""
        manager = {}
        if bus.has_owner(_SYSTEMD):
            where = DBusAddress("/org/freedesktop/systemd1", _SYSTEMD, f"{_SYSTEMD}.Manager")
            pairs = (entry.partition("=") for entry in bus.get(where, "Environment"))
            manager = {name: value for name, _, value in pairs if name in _TAKEN}
        found = {**manager, **self.variables, "DBUS_SESSION_BUS_ADDRESS": self.bus_address}
        return {**self.user.environment(self.user.runtime_dir or os.path.dirname(self.pipewire_socket)), **found}
