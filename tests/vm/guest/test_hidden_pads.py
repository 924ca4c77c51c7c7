"""A game sees the pads of its own session only: the recipe of docs/gamepads.md, with bubblewrap as Debian has it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vm.guest.pad_session import eventually
from tests.vm.guest.test_sixteen_pads import gamepad

from punktfunk.input.events import PadArrived, PadKind
from punktfunk.input.gamepads.nodes import device_nodes
from punktfunk.input.pad_hub import PadHub, open_node

pytestmark = pytest.mark.vm

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "gamepads.md"
PROGRAM = shlex.join((sys.executable, "-m", "punktfunk.cli.main"))
LOOK = """
import os
from pathlib import Path
for node in sorted([*Path("/dev/input").glob("*"), *Path("/dev").glob("hidraw*")]):
    try:
        os.close(os.open(node, os.O_RDONLY))
    except OSError:
        print("closed", node)
    else:
        print("null" if node.stat().st_rdev == Path("/dev/null").stat().st_rdev else "open", node)
"""


@pytest.fixture
def sessions() -> Iterator[tuple[str, str]]:
    names = ("mine", "theirs")
    hubs = [PadHub(open_node, lambda feedback: None, session=name) for name in names]
    for hub in hubs:
        hub.handle(PadArrived(0, PadKind.DUALSENSE))
        hub.handle(PadArrived(1, PadKind.XBOX_360))
    for name in names:
        for pad in range(2):
            gamepad(name, pad).close()
        eventually(lambda name=name: len(list(device_nodes(name))) >= 7, "not all nodes are there")  # type: ignore[misc]
    yield names
    for hub in hubs:
        hub.close()


def recipe(session: str, game: str) -> str:
    """The command in the document, with its placeholders filled in."""
    found = re.search(r"^```\n(bwrap .*?)```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, "docs/gamepads.md has no recipe any more"
    return found[1].replace("SESSION", session).replace("GAME", game)


def test_the_documented_recipe_hides_the_others_pads(sessions: tuple[str, str]) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    mine, theirs = ({f"/dev/{name}" for name in device_nodes(session)} for session in sessions)
    game = shlex.join((sys.executable, "-c", LOOK))
    shown = subprocess.run(
        ["bash", "-c", f'punktfunk-host() {{ {PROGRAM} "$@"; }}; ' + recipe(sessions[0], game)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    lines = [line.split(" ", 1) for line in shown.stdout.splitlines()]
    seen = {node: state for state, node in lines}
    assert {node for node, state in seen.items() if state == "open"} == mine
    assert not {node for node in theirs if seen.get(node, "null") == "open"}
