"""The udev rules as udev itself applies them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import SESSION, eventually

from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.nodes import device_nodes
from punktfunk.input.gamepads.permissions import GROUP, UDEV_RULES

pytestmark = pytest.mark.vm

GROUP_ID = 4242
UDEVD = Path("/lib/systemd/systemd-udevd")


@pytest.fixture(scope="module")
def udev() -> Iterator[None]:
    """udev with our rules and our group, which the machine outside does not have."""
    if shutil.which("udevadm") is None or not UDEVD.exists():
        pytest.skip("udev is not installed")
    groups = Path("/tmp/group")
    groups.write_text(Path("/etc/group").read_text() + f"{GROUP}:x:{GROUP_ID}:\n")
    subprocess.run(["mount", "--bind", groups, "/etc/group"], check=True)
    rules = Path("/run/udev/rules.d/60-punktfunk-input.rules")
    rules.parent.mkdir(parents=True)
    rules.write_text(UDEV_RULES)
    with subprocess.Popen([UDEVD], stderr=subprocess.PIPE, text=True) as daemon:
        eventually(lambda: Path("/run/udev/control").exists())
        subprocess.run(["udevadm", "trigger", "--subsystem-match=misc"], check=True)
        yield
        daemon.terminate()
        assert daemon.stderr is not None
        assert "60-punktfunk-input" not in daemon.stderr.read()


def properties(node: str) -> dict[str, str]:
    shown = subprocess.run(["udevadm", "info", "--query=property", node], capture_output=True, text=True, check=False)
    return dict(line.split("=", 1) for line in shown.stdout.splitlines() if "=" in line)


def wait_for_properties(node: str) -> dict[str, str]:
    found: dict[str, str] = eventually(lambda: seen if "TAGS" in (seen := properties(node)) else None, node)
    return found


def wait_for_group(node: Path) -> None:
    """udev changes owner, mode and database one after the other."""

    def ours() -> bool:
        if not node.exists():
            return False
        status = node.stat()
        return (status.st_gid, status.st_mode & 0o777) == (GROUP_ID, 0o660)

    eventually(ours, f"{node} is not the group's")


@pytest.mark.parametrize("node", ["/dev/uinput", "/dev/uhid"])
def test_the_group_may_make_pads(udev: None, node: str) -> None:
    wait_for_group(Path(node))


@pytest.mark.parametrize("kind", [PadKind.XBOX_360, PadKind.DUALSENSE, PadKind.STEAM_DECK])
def test_a_pads_nodes_are_the_groups_and_no_desktops(udev: None, plug: Plug, kind: PadKind) -> None:
    plug(kind)
    nodes = eventually(lambda: [f"/dev/{name}" for name in device_nodes(SESSION)])
    for node in nodes:
        wait_for_group(Path(node))
        seen = wait_for_properties(node)
        assert seen["PUNKTFUNK_PAD"] == f"punktfunk/{SESSION}/pad0"
        assert seen["ID_SEAT"] == "seat-punktfunk"
        assert ":punktfunk-pad:" in seen["TAGS"]
