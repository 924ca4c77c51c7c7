"""How the built-in desktop looks: its configuration, from the templates in ``look/`` and from what is installed."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.displays.sway_ipc import timer_mhz
from punktfunk.media.plan import Mode

_TERMINALS = ("foot", "x-terminal-emulator", "xterm")
_LAUNCHERS = ("fuzzel", "wofi --show drun", "bemenu-run", "dmenu_run")
_FILE_MANAGERS = ("thunar", "pcmanfm", "nautilus", "dolphin")
_BROWSERS = ("firefox-esr", "firefox", "chromium", "epiphany-browser")
_PLAIN_BAR = "bar {\n    position bottom\n    status_command while date +%H:%M; do sleep 5; done\n}\n"
_OLDEST_SWAY = (1, 7)


@dataclass(frozen=True, slots=True)
class Programs:
    """Commands of the built-in desktop; "" where nothing fitting is installed."""

    terminal: str
    launcher: str
    files: str
    browser: str
    has_waybar: bool

    @classmethod
    def installed(cls, which: Callable[[str], str | None] = shutil.which) -> Programs:
        """The best of what this machine has."""

        def first(commands: tuple[str, ...]) -> str:
            return next((command for command in commands if which(command.split()[0])), "")

        return cls(
            first(_TERMINALS), first(_LAUNCHERS), first(_FILE_MANAGERS), first(_BROWSERS), which("waybar") is not None
        )


@dataclass(frozen=True, slots=True)
class LookSettings:
    """What a user can set. ``command`` replaces the built-in panel and welcome; the desktop ends with it."""

    command: str = ""
    wallpaper: str = ""


def write_look(folder: Path, mode: Mode, settings: LookSettings, programs: Programs, keyboard: KeyboardLayout) -> Path:
    """Write the session's configuration into ``folder``; the path of sway's."""
    terminal = programs.terminal
    if terminal == "foot":
        terminal = f"foot --config={folder / 'terminal.ini'}"
    if terminal.startswith("foot "):
        (folder / "terminal.ini").write_text(_template("terminal.ini"))
    names = {
        "MODE": f"{mode.width}x{mode.height}@{timer_mhz(mode, _OLDEST_SWAY) / 1000:.3f}Hz",
        "WALLPAPER": settings.wallpaper or str(folder / "wallpaper.png"),
        "TERMINAL": terminal or "true",
        "LAUNCHER": programs.launcher or terminal or "true",
        "FILES": programs.files or terminal or "true",
        "LAYOUT": keyboard.layout,
        "VARIANT": keyboard.variant,
        "ENVIRONMENT": str(folder / "environment"),
    }
    if not settings.wallpaper:
        (folder / "wallpaper.png").write_bytes(_resource("wallpaper.png").read_bytes())
    config = _fill(_template("sway.conf"), names)
    config += _own_command(folder, settings.command) if settings.command else _shell(folder, names, programs)
    path = folder / "sway.conf"
    path.write_text(config)
    for file in folder.iterdir():
        # The folder is private; what is in it must be readable to its user whatever the host's umask.
        file.chmod(0o644)
    return path


def _own_command(folder: Path, command: str) -> str:
    # One program owns the screen, and the desktop ends with it.
    (folder / "desktop.sh").write_text(f"{command}\nexec swaymsg exit\n")
    return (
        'for_window [app_id=".*"] floating disable, border none\n'
        'for_window [class=".*"] floating disable, border none\n'
        f"exec sh {folder / 'desktop.sh'}\n"
    )


def _shell(folder: Path, names: dict[str, str], programs: Programs) -> str:
    lines = []
    if programs.has_waybar:
        panel = json.loads(_fill(_template("panel.conf"), names))
        if programs.browser:
            panel["modules-left"].insert(2, "custom/browser")
            panel["custom/browser"] = {"format": "Web", "tooltip": False, "on-click": programs.browser}
        (folder / "panel.conf").write_text(json.dumps(panel, indent=2))
        (folder / "panel.css").write_text(_template("panel.css"))
        lines.append(f"exec waybar -c {folder / 'panel.conf'} -s {folder / 'panel.css'}\n")
    else:
        lines.append(_PLAIN_BAR)
    if programs.terminal:
        (folder / "welcome.txt").write_text(_template("welcome.conf"))
        welcome = shlex.quote(f'cat {folder / "welcome.txt"}; exec "${{SHELL:-sh}}"')
        lines.append(
            f"exec {names['TERMINAL']} -T Welcome {'-e ' if 'foot' not in programs.terminal else ''}sh -c {welcome}\n"
        )
    return "".join(lines)


def _fill(template: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        template = template.replace(f"@{name}@", value)
    return template


def _resource(name: str) -> resources.abc.Traversable:
    return resources.files("punktfunk.session.desktops") / "look" / name


def _template(name: str) -> str:
    return _resource(name).read_text(encoding="utf-8")
