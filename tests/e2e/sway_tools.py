"""A sway that a person runs: headless, with monitors of its own, in folders of its own, as the user of desktops."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from punktfunk.media.displays.sway_ipc import GET_OUTPUTS, GET_TREE, GET_WORKSPACES, SwayControl, SwayError
from punktfunk.session.identity import IdentityError, UserIdentity, desktop_user

needs_user_sway = pytest.mark.skipif(
    not all(map(shutil.which, ("sway", "foot", "wl-copy"))), reason="needs sway, foot and wl-clipboard"
)

START_S = 8.0
MONITORS = {"HEADLESS-1": (1024, 768, "#2030a0"), "HEADLESS-2": (800, 600, "#a03020")}
"""Those of the desktop before anybody streams it: size and colour."""
OURS = "#20a040"
"""The colour of other outputs."""


@dataclass
class PersonsSway:
    """Runs from `start` to `stop`. ``folder`` is the person's runtime folder."""

    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    user: UserIdentity = field(init=False)
    folder: Path = field(init=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        try:
            self.user = desktop_user(None)
        except IdentityError as error:
            pytest.skip(str(error))
        self.folder = Path(tempfile.mkdtemp(prefix="pf-sway-"))
        os.chown(self.folder, self.user.uid, self.user.gid)

    @property
    def display(self) -> str:
        """Its Wayland socket."""
        return str(next(path for path in sorted(self.folder.glob("wayland-*")) if path.suffix != ".lock"))

    @property
    def control(self) -> SwayControl:
        """Its control socket."""
        return SwayControl(str(self.folder / "sway.sock"))

    def start(self) -> PersonsSway:
        """Start and wait until it takes commands."""
        lines = ["default_border none", "focus_follows_mouse yes", f"output * bg {OURS} solid_color"]
        for name, (width, height, color) in MONITORS.items():
            lines.append(f"output {name} mode --custom {width}x{height}@60Hz")
            lines.append(f"output {name} bg {color} solid_color")
        lines += [f"workspace {number} output {name}" for number, name in enumerate(MONITORS, 1)]
        config = self.folder / "config"
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o644)
        # A sway that finds a file there takes another place.
        (self.folder / "sway.sock").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("sway") or "sway", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                cwd="/",
                start_new_session=True,
                **self._as_user(),
            )
        deadline = time.monotonic() + START_S
        while True:
            try:
                if len(self.outputs()) == len(MONITORS) and self.display:
                    return self
            except (SwayError, StopIteration):
                pass
            assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")
            assert time.monotonic() < deadline, "sway did not come up"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it with all that it started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """As a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def outputs(self) -> dict[str, dict[str, Any]]:
        """By name."""
        return {str(output["name"]): output for output in self.control.request(GET_OUTPUTS)}

    def workspaces(self) -> list[dict[str, Any]]:
        """As sway tells them."""
        found: list[dict[str, Any]] = self.control.request(GET_WORKSPACES)
        return found

    def shown(self) -> dict[str, str]:
        """Output to the workspace that is on show there."""
        return {str(space["output"]): str(space["name"]) for space in self.workspaces() if space["visible"]}

    def focused_output(self) -> str:
        """Where typed keys go."""
        return next(str(space["output"]) for space in self.workspaces() if space["focused"])

    def windows(self) -> dict[str, str]:
        """Title of each window to the output that it is on."""
        found: dict[str, str] = {}

        def walk(node: dict[str, Any], output: str) -> None:
            output = str(node["name"]) if node["type"] == "output" else output
            if node.get("pid"):
                found[str(node["name"])] = output
            for child in (*node["nodes"], *node["floating_nodes"]):
                walk(child, output)

        walk(self.control.request(GET_TREE), "")
        return found

    def middle(self, title: str) -> tuple[int, int]:
        """Of a window, in its output's pixels."""

        def find(node: dict[str, Any], origin: dict[str, int]) -> tuple[int, int] | None:
            origin = node["rect"] if node["type"] == "output" else origin
            if node.get("pid") and node["name"] == title:
                rect = node["rect"]
                x, y = rect["x"] + rect["width"] // 2, rect["y"] + rect["height"] // 2
                return x - origin["x"], y - origin["y"]
            children = (find(child, origin) for child in (*node["nodes"], *node["floating_nodes"]))
            return next(filter(None, children), None)

        tree = self.control.request(GET_TREE)
        found = find(tree, tree["rect"])
        assert found is not None, f"no window {title} in {self.facts()}"
        return found

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program of the person's, to its end."""
        environment = {**self._environment(), "WAYLAND_DISPLAY": Path(self.display).name}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=10, check=True, **self._as_user()
        )

    def facts(self) -> str:
        """All of it, for a failure's message."""
        return json.dumps([self.shown(), self.windows(), {name: o["rect"] for name, o in self.outputs().items()}])

    def _environment(self) -> dict[str, str]:
        return {
            **self.user.environment(str(self.folder)),
            "SWAYSOCK": str(self.folder / "sway.sock"),
            "WLR_BACKENDS": "headless",
            "WLR_LIBINPUT_NO_DEVICES": "1",
            "WLR_HEADLESS_OUTPUTS": str(len(MONITORS)),
            "WLR_RENDERER": "pixman",
            **self.environment,
        }

    def _as_user(self) -> dict[str, Any]:
        if self.user.is_current:
            return {}
        return {"user": self.user.uid, "group": self.user.gid, "extra_groups": self.user.groups()}
