"""GNOME's main monitor: where its panel is and where windows open. org.gnome.Mutter.DisplayConfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jeepney import DBusAddress

from punktfunk.media.plan import Mode
from punktfunk.media.portal.session_bus import SessionBus

_NAME = "org.gnome.Mutter.DisplayConfig"
_WHERE = DBusAddress("/org/gnome/Mutter/DisplayConfig", _NAME, _NAME)
_VIRTUAL = ("MetaVendor", "Virtual remote monitor")
_TEMPORARY = 1
"""Until monitors come or go; nothing is written to the user's settings."""
_LOGICAL = "a(iiduba(ssa{sv}))"


@dataclass(frozen=True, slots=True)
class Monitors:
    """What is connected and how it is arranged: the current modes by connector, arranged monitors as mutter tells them
    (x, y, scale, transform, primary, monitors, properties)."""

    serial: int
    modes: dict[str, tuple[str, int, int]]
    virtual: frozenset[str]
    arranged: tuple[Any, ...]

    @classmethod
    def read(cls, bus: SessionBus) -> Monitors:
        """As they are now. Raises BusError."""
        serial, monitors, arranged, _ = bus.call(_WHERE, "GetCurrentState")
        modes: dict[str, tuple[str, int, int]] = {}
        virtual = set()
        for (connector, *made_by), offered, _ in monitors:
            for name, width, height, _, _, _, facts in offered:
                if facts.get("is-current", ("b", False))[1]:
                    modes[connector] = (name, width, height)
            if tuple(made_by[:2]) == _VIRTUAL:
                virtual.add(connector)
        return cls(serial, modes, frozenset(virtual), tuple(arranged))

    def primary(self) -> str:
        """The connector of the main monitor, "" without one."""
        return next((parts[0][0] for _, _, _, _, main, parts, _ in self.arranged if main and parts), "")

    def newest_of(self, mode: Mode, known: frozenset[str]) -> str:
        """The virtual monitor that has this size, one that was not ``known`` before; "" without one."""
        fitting = [
            name for name in self.virtual - known if self.modes.get(name, ("", 0, 0))[1:] == (mode.width, mode.height)
        ]
        return fitting[0] if fitting else ""

    def with_primary(self, connector: str) -> list[Any]:
        """The same arrangement with another main monitor, as ApplyMonitorsConfig takes it."""
        return [
            (
                x,
                y,
                scale,
                transform,
                any(part[0] == connector for part in parts),
                [(part[0], self.modes[part[0]][0], {}) for part in parts],
            )
            for x, y, scale, transform, _, parts, _ in self.arranged
        ]


def make_primary(bus: SessionBus, mode: Mode, known: frozenset[str]) -> str:
    """Make the virtual monitor of this mode the main one, unless another stream's is; its connector, "" when it is not
    there. Raises BusError."""
    monitors = Monitors.read(bus)
    connector = monitors.newest_of(mode, known)
    if connector and monitors.primary() not in monitors.virtual:
        arrangement = monitors.with_primary(connector)
        bus.call(_WHERE, "ApplyMonitorsConfig", f"uu{_LOGICAL}a{{sv}}", monitors.serial, _TEMPORARY, arrangement, {})
    return connector


def virtual_monitors(bus: SessionBus) -> frozenset[str]:
    """The connectors of the virtual monitors that there are. Raises BusError."""
    return Monitors.read(bus).virtual
