"""What is set up once, as root, so that ordinary users may make virtual gamepads: a plan that can be shown first."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

GROUP = "punktfunk"

# The same text as packaging/udev/60-punktfunk-input.rules, which distribution packages install; a test compares them.
UDEV_RULES = """\
# Virtual gamepads without root: who may make them, and who may read the ones that were made.
# Installed, and removed again, by: punktfunk-host setup input
ACTION=="remove", GOTO="punktfunk_input_end"

# Making devices: the group punktfunk, and the person at the machine.
KERNEL=="uinput", SUBSYSTEM=="misc", GROUP="punktfunk", MODE="0660", TAG+="uaccess", OPTIONS+="static_node=uinput"
KERNEL=="uhid", SUBSYSTEM=="misc", GROUP="punktfunk", MODE="0660", TAG+="uaccess", OPTIONS+="static_node=uhid"

# Every device of a pad learns which pad it belongs to: punktfunk/SESSION/padN.
SUBSYSTEM=="hid", ENV{HID_PHYS}=="punktfunk/*", ENV{PUNKTFUNK_PAD}="$env{HID_PHYS}"
SUBSYSTEM=="input", KERNEL=="input*", ATTR{phys}=="punktfunk/*", ENV{PUNKTFUNK_PAD}="$attr{phys}"
SUBSYSTEM=="input|hidraw", ENV{PUNKTFUNK_PAD}=="", IMPORT{parent}="PUNKTFUNK_PAD"

# Reading them: the group. They belong to no seat that has a screen, so neither the desktop at the machine takes a pad's
# touchpad for its mouse, nor does the person there get access to pads of somebody who streams.
SUBSYSTEM=="input|hidraw", ENV{PUNKTFUNK_PAD}=="?*", ENV{ID_SEAT}="seat-punktfunk", TAG+="punktfunk-pad"
SUBSYSTEM=="input|hidraw", KERNEL=="event*|js*|hidraw*", ENV{PUNKTFUNK_PAD}=="?*", GROUP="punktfunk", MODE="0660"

LABEL="punktfunk_input_end"
"""
MODULES_LOAD = "# Virtual gamepads of punktfunk-host.\nuinput\nuhid\n"
MODPROBE = """\
# A virtual Steam Deck is a gamepad at once; without this it takes half a second, and again after long menu presses.
options hid_steam lizard_mode=0
"""

FILES = {
    Path("/etc/udev/rules.d/60-punktfunk-input.rules"): UDEV_RULES,
    Path("/etc/modules-load.d/punktfunk-input.conf"): MODULES_LOAD,
    Path("/etc/modprobe.d/punktfunk-input.conf"): MODPROBE,
}
COMMAND_TIMEOUT_S = 30


class StepFailed(Exception):
    """One sentence: which step, and what the system said."""


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Create or replace a file."""

    path: Path
    content: str

    def __str__(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove a file if it is there."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True, slots=True)
class Run:
    """A system command; an ``optional`` one may fail, where it has nothing to do."""

    command: tuple[str, ...]
    purpose: str
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.purpose}: {' '.join(self.command)}"


Step = WriteFile | RemoveFile | Run

_NODES = ("/dev/uinput", "/dev/uhid")
_READ_RULES = Run(("udevadm", "control", "--reload"), "read the rules")
_APPLY_RULES = Run(("udevadm", "trigger", "--subsystem-match=misc"), "apply them")


def installation(user: str) -> list[Step]:
    """Rules, modules, and the user's membership in the group that the rules name."""
    return [
        Run(("groupadd", "--system", "--force", GROUP), "create the group"),
        Run(("usermod", "--append", "--groups", GROUP, user), f"let {user} make gamepads"),
        *(WriteFile(path, content) for path, content in FILES.items()),
        Run(("modprobe", "--all", "uinput", "uhid"), "load the modules", optional=True),
        _READ_RULES,
        _APPLY_RULES,
    ]


def removal(user: str) -> list[Step]:
    """The same undone."""
    return [
        *(RemoveFile(path) for path in FILES),
        Run(("gpasswd", "--delete", user, GROUP), f"take {user} out of the group", optional=True),
        Run(("groupdel", GROUP), "remove the group", optional=True),
        _READ_RULES,
        Run(("udevadm", "settle", "--timeout=10"), "wait until it is done with the old ones", optional=True),
        # udev takes back no rights that an earlier rule gave; then other packages' rules give theirs again.
        Run(("chown", "root:root", *_NODES), "give the nodes back", optional=True),
        Run(("chmod", "0600", *_NODES), "close them", optional=True),
        _APPLY_RULES,
    ]


def perform(step: Step) -> None:
    """Do one step. Raises StepFailed."""
    try:
        match step:
            case WriteFile(path, content):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
            case RemoveFile(path):
                path.unlink(missing_ok=True)
            case Run(command, _, optional):
                subprocess.run(command, check=not optional, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        raise StepFailed(f"{step}: {error.stderr.strip() or f'exit code {error.returncode}'}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepFailed(f"{step}: {error}") from None
