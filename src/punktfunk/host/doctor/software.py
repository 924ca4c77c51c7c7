"""Checks of what is installed and set: libraries, settings, folders, parity, the desktop's programs, sound."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import stat
from pathlib import Path

import msgspec

from punktfunk.host.doctor.check import Check, Context, Outcome, fail, ok, skip, warn
from punktfunk.host.doctor.child import run_python
from punktfunk.input.xkb import KeyboardLayout, LayoutError, check_layout
from punktfunk.session.desktops.choice import OWN_DESKTOPS

_MODULES = (
    *("pixelflux", "pcmflux", "av", "cryptography", "OpenSSL", "numpy", "msgspec", "zeroconf"),
    *("aioquic", "spake2"),
)
_IMPORT_EACH = """
import importlib, json, sys
result = {}
for name in sys.argv[1:]:
    print("trying", name, file=sys.stderr, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as error:
        result[name] = f"{type(error).__name__}: {error}"
print(json.dumps(result))
"""
_NEEDED_PROGRAMS = {"sway": "the compositor", "dbus-run-session": "the desktop's message bus"}
_WELCOME_PROGRAMS = {
    "Xwayland": "X11 programs",
    "swaybg": "the wallpaper",
    "foot": "the terminal",
    "waybar": "the panel",
    "wofi": "the launcher",
    "thunar": "the file manager",
}
_SOUND_PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse", "pactl")
_INSTALL = "run `make run` again, or install the packages of scripts/packages-run.txt"


async def libraries(context: Context) -> Outcome:
    """Every wheel loads; tried in a child, because a broken driver can end the process that loads it."""
    child = await run_python(_IMPORT_EACH, *_MODULES)
    if child.status != 0:
        return fail(f"loading the libraries ended the process: {child.last_error}", _INSTALL)
    broken = msgspec.json.decode(child.output, type=dict[str, str])
    if broken:
        name, reason = next(iter(broken.items()))
        return fail(f"{len(broken)} of {len(_MODULES)} libraries do not load; {name}: {reason}", _INSTALL)
    return ok(f"all {len(_MODULES)} libraries load")


async def settings(context: Context) -> Outcome:
    """The settings are valid."""
    if context.mistakes:
        return fail(context.mistakes.splitlines()[0], "mend it; `punktfunk-host config check` shows every mistake")
    if context.warnings:
        return warn(context.warnings.splitlines()[0], "remove or rename it")
    return ok(f"{context.file} is fine" if context.file.exists() else f"defaults ({context.file} does not exist)")


async def folders(context: Context) -> Outcome:
    """The folders with keys are ours alone and can be written."""
    host = context.settings.host
    for folder in (host.config_dir, host.state_dir):
        nearest = folder
        while not nearest.exists():
            nearest = nearest.parent
        if not os.access(nearest, os.W_OK | os.X_OK):
            return fail(f"{folder} cannot be written", f"chown it to yourself: sudo chown -R $USER {nearest}")
        facts = nearest.stat()
        if nearest == folder and facts.st_uid != os.geteuid():
            return fail(f"{folder} belongs to user id {facts.st_uid}", f"sudo chown -R $USER {folder}")
        if nearest == folder == host.config_dir and stat.S_IMODE(facts.st_mode) & 0o077:
            return warn(f"{folder} can be read by others", f"chmod 700 {folder} (the host does so when it starts)")
        if shutil.disk_usage(nearest).free < 16 << 20:
            return fail(f"the disk of {folder} is full", "free some space")
    return ok(f"{host.config_dir} is private and can be written")


async def isal(context: Context) -> Outcome:
    """ISA-L computes the parity of video packets."""
    for name in ("libisal.so.2", "libisal.so"):
        try:
            ctypes.CDLL(name).ec_encode_data  # noqa: B018 - looking it up is the check
        except (OSError, AttributeError):
            continue
        return ok(f"parity is computed by {name}")
    return warn("libisal is missing; numpy computes the parity, far slower", "sudo apt install libisal2")


async def desktop(context: Context) -> Outcome:
    """The programs of the embedded desktop are there."""
    if context.settings.display.kind == "synthetic":
        return skip("the synthetic display needs no desktop")
    if context.settings.display.kind not in OWN_DESKTOPS:
        return skip("the desktop that is streamed is there already")
    path = context.environment.get("PATH")
    missing = [name for name in _NEEDED_PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        return fail(f"{missing[0]} ({_NEEDED_PROGRAMS[missing[0]]}) is not installed", _INSTALL)
    plain = [f"{name} ({what})" for name, what in _WELCOME_PROGRAMS.items() if not shutil.which(name, path=path)]
    if plain:
        return warn(f"the desktop is plainer without {', '.join(plain)}", _INSTALL)
    return ok("sway, Xwayland, terminal, panel, launcher and file manager are installed")


async def keyboard_layout(context: Context) -> Outcome:
    """This machine has the keyboard layout that sessions are to have."""
    display = context.settings.display
    if display.kind not in (*OWN_DESKTOPS, "synthetic"):
        return skip("a desktop that is there already has its own keyboard layout")
    try:
        names = KeyboardLayout.parse(display.keyboard_layout, display.keyboard_options)
        check_layout(names)
    except LayoutError as error:
        return fail(f"{error}; sessions get a US keyboard", "see /usr/share/X11/xkb/rules/base.lst for the names")
    except OSError as error:
        return fail(f"libxkbcommon does not load: {error}", _INSTALL)
    options = f", options {names.options}" if names.options else ""
    return ok(f"keys are those of a {names} keyboard{options}")


async def account(context: Context) -> Outcome:
    """A host that runs as root has an ordinary account for its desktops."""
    if os.geteuid() != 0:
        return skip("the host runs as an ordinary user; so do its desktops")
    name = context.settings.display.user or "punktfunk-desktop"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return fail(
            f"the account {name} for desktops does not exist",
            f"sudo useradd -r -m -d /var/lib/{name} -s /bin/bash {name}, or set display.user",
        )
    if entry.pw_uid == 0:
        return warn("desktops would run as root", "set display.user to an ordinary account")
    if not os.access(entry.pw_dir, os.R_OK | os.X_OK):
        return fail(f"{entry.pw_dir}, the home of {name}, does not exist", f"sudo mkhomedir_helper {name}")
    return ok(f"desktops run as {name}")


async def sound(context: Context) -> Outcome:
    """There is a sound server to use, or the programs to start a private one."""
    mode = context.settings.audio.mode
    if mode == "off":
        return skip("sound is switched off (audio.mode)")
    running = _running_pulse(context)
    if running and mode != "private":
        return ok(f"your sound server is used ({running})")
    if mode == "system":
        return fail("no sound server of yours is running", "start it, or set audio.mode to auto")
    path = context.environment.get("PATH")
    missing = [name for name in _SOUND_PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        return fail(f"no sound server is running, and {', '.join(missing)} to start one are missing", _INSTALL)
    return ok("no sound server is running; a private PipeWire will be started")


def _running_pulse(context: Context) -> str:
    named = context.environment.get("PULSE_SERVER", "")
    if named:
        return named
    runtime = context.environment.get("XDG_RUNTIME_DIR")
    path = Path(runtime, "pulse", "native") if runtime else None
    return str(path) if path and path.is_socket() else ""


CHECKS = (
    Check("libraries", libraries, 30.0),
    Check("settings", settings),
    Check("folders", folders),
    Check("isal", isal),
    Check("desktop", desktop),
    Check("layout", keyboard_layout),
    Check("account", account),
    Check("sound", sound),
)
