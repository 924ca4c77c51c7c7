"""``punktfunk-host setup input`` done for real: rights before, with, and after it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from tests.vm.guest.udev_daemon import udev_running
from typer.testing import CliRunner

from punktfunk.cli import setup
from punktfunk.input.events import PadArrived, PadKind
from punktfunk.input.gamepads.permissions import FILES, GROUP
from punktfunk.input.pad_hub import PadHub, open_node

pytestmark = pytest.mark.vm

USER, USER_ID = "ann", 4711
NODES = ("/dev/uinput", "/dev/uhid")
KEPT = ("passwd", "group", "login.defs", "nsswitch.conf", "ld.so.cache", "udev", "default")
LOCKED = (("passwd", "shadow", "{}:*:19000:0:99999:7:::\n"), ("group", "gshadow", "{}:*::\n"))
"""The machine's own are closed to whoever started the guest as an ordinary user."""


@pytest.fixture(scope="module")
def own_etc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The guest's /etc can be written, and has an ordinary user; the machine outside keeps its own."""
    if shutil.which("udevadm") is None or shutil.which("usermod") is None:
        pytest.skip("needs udev and passwd")
    etc = tmp_path_factory.mktemp("etc")
    for name in KEPT:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True)
        elif source.exists():
            shutil.copy2(source, etc / name)
    for names, secrets, line in LOCKED:
        listed = (etc / names).read_text().splitlines()
        (etc / secrets).write_text("".join(line.format(entry.partition(":")[0]) for entry in listed))
        (etc / secrets).chmod(0o600)
    etc.chmod(0o755)
    subprocess.run(["mount", "--bind", etc, "/etc"], check=True)
    subprocess.run(["useradd", "--no-create-home", "--uid", str(USER_ID), USER], check=True)
    with udev_running():
        yield
    subprocess.run(["umount", "/etc"], check=True)


def setup_input(*options: str, answer: str = "") -> Result:
    """The command itself; a process of its own would cost the emulation a minute of imports."""
    return CliRunner().invoke(setup.app, ["input", "--user", USER, *options], input=answer)


def rights() -> dict[str, tuple[int, int]]:
    """Group and mode of the nodes, once udev is done."""
    subprocess.run(["udevadm", "settle"], check=True)
    return {node: (os.stat(node).st_gid, os.stat(node).st_mode & 0o777) for node in NODES}


def group_line() -> str:
    return next((line for line in Path("/etc/group").read_text().splitlines() if line.startswith(f"{GROUP}:")), "")


def kinds_that_the_user_can_plug_in() -> set[PadKind]:
    """What becomes of an Xbox 360 and a DualSense of an ordinary user with his own groups and no others."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.initgroups(USER, USER_ID)
        os.setgid(USER_ID)
        os.setuid(USER_ID)
        hub = PadHub(open_node, lambda _feedback: None, session="mine")
        for pad, kind in enumerate((PadKind.XBOX_360, PadKind.DUALSENSE)):
            hub.handle(PadArrived(pad, kind))
        os.write(writer, " ".join(kind.value for kind in hub.kinds().values()).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        return {PadKind(name) for name in told.read().split()}


def test_done_used_and_undone(own_etc: None) -> None:
    subprocess.run(["udevadm", "trigger", "--action=add", "--subsystem-match=misc"], check=True)
    before = rights()
    assert not any(mode & 0o006 for _, mode in before.values())
    assert kinds_that_the_user_can_plug_in() == set()
    assert setup_input(answer="n\n").exit_code == 1
    assert (group_line(), rights()) == ("", before)

    done = setup_input("--yes")
    assert done.exit_code == 0, done.output
    name, shadow, number, members = group_line().split(":")
    assert (name, members) == (GROUP, USER)
    assert {path: path.read_text() for path in FILES} == FILES
    assert rights() == dict.fromkeys(NODES, (int(number), 0o660))
    assert kinds_that_the_user_can_plug_in() == {PadKind.XBOX_360, PadKind.DUALSENSE}

    again = setup_input("--yes")
    assert again.exit_code == 0, again.output
    assert group_line() == f"{GROUP}:{shadow}:{number}:{USER}"

    undone = setup_input("--yes", "--remove")
    assert undone.exit_code == 0, undone.output
    assert group_line() == ""
    assert [path for path in FILES if path.exists()] == []
    assert rights() == before
    assert setup_input("--yes", "--remove").exit_code == 0, "undoing twice does no harm"
