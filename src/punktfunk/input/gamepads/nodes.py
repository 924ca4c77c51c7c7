"""Which device nodes the kernel made for a session's pads, so that a game can be given those and no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PHYS_PREFIX = "punktfunk/"


def pad_phys(session: str, pad: int) -> str:
    """Where a pad hangs, as the kernel and udev rules see it."""
    return f"{PHYS_PREFIX}{session}/pad{pad}"


def pad_folders(phys: str, sysfs: Path = Path("/sys")) -> list[Path]:
    """The sysfs folders of a pad's devices: HID devices, or the input device of a uinput pad."""
    hid = (entry for entry in sysfs.glob("bus/hid/devices/*") if f"HID_PHYS={phys}\n" in _text(entry / "uevent"))
    plain = (entry for entry in sysfs.glob("devices/virtual/input/input*") if _text(entry / "phys").strip() == phys)
    return [*hid, *plain]


def bound_driver(phys: str, sysfs: Path = Path("/sys")) -> str | None:
    """The kernel driver of a HID pad: empty while none has taken it, None where sysfs does not show the device."""
    drivers = [folder / "driver" for folder in pad_folders(phys, sysfs)]
    if not drivers:
        return None
    return next((driver.resolve().name for driver in drivers if driver.exists()), "")


def device_nodes(session: str, sysfs: Path = Path("/sys"), pads: range = range(16)) -> Iterator[str]:
    """Names below /dev of everything that games may open of this session's pads: input/event*, input/js*, hidraw*."""
    for pad in pads:
        for folder in pad_folders(pad_phys(session, pad), sysfs):
            for pattern in ("event*", "js*", "input/input*/event*", "input/input*/js*", "hidraw/hidraw*"):
                for entry in folder.glob(pattern):
                    yield entry.name if entry.name.startswith("hidraw") else f"input/{entry.name}"


def raw_nodes_of_others(session: str, sysfs: Path = Path("/sys")) -> Iterator[str]:
    """Names below /dev of the raw nodes of all other sessions' pads: hidraw*."""
    for device in sysfs.glob("bus/hid/devices/*"):
        phys = next((line for line in _text(device / "uevent").splitlines() if line.startswith("HID_PHYS=")), "")
        place = phys.removeprefix("HID_PHYS=")
        if place.startswith(PHYS_PREFIX) and not place.startswith(f"{PHYS_PREFIX}{session}/"):
            yield from (entry.name for entry in device.glob("hidraw/hidraw*"))


def bubblewrap_arguments(session: str, sysfs: Path = Path("/sys")) -> list[str]:
    """Options for bwrap with which a program has no game devices but those of this session's pads."""
    arguments = ["--dev-bind", "/", "/", "--tmpfs", "/dev/input"]
    for name in sorted(device_nodes(session, sysfs)):
        if name.startswith("input/"):
            arguments += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name in sorted(raw_nodes_of_others(session, sysfs)):
        arguments += ["--dev-bind", "/dev/null", f"/dev/{name}"]
    return arguments


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
