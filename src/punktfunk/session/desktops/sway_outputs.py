"""Outputs of a running sway that are ours: made for a session, taken away after it, and found again after a crash.

Whoever uses one holds the lock of a small file that names it. sway before 1.10 can make outputs but not take them away:
there they wait, small and empty, for the next session.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punktfunk.media.displays.sway_ipc import GET_OUTPUTS, GET_WORKSPACES, SwayControl, SwayError, quoted
from punktfunk.media.plan import Mode

MAX_OUTPUTS = 32
"""Ours in one sway, waiting ones included."""
MAX_RECORDS = 256
"""Files of all sways there were; the oldest that nobody uses are forgotten."""
WORKSPACE = "punktfunk"
WAITING_MODE = Mode(64, 64, 60_000)
_APPEARS_S = 2.0
_POLL_S = 0.01

log = logging.getLogger(__name__)


@dataclass(slots=True)
class BorrowedOutput:
    """An output in use. ``came_from`` is the workspace that had the focus before."""

    name: str
    file: Path
    lock: int
    came_from: str = ""


class SwayOutputs:
    """Makes and keeps account of outputs in the sway that listens on ``socket``. ``folder`` is the host user's own, and
    the same for all hosts of that user. Calls block for some milliseconds; one at a time."""

    def __init__(self, socket: str, folder: Path) -> None:
        self._control = SwayControl(socket)
        self._folder = folder
        status = os.stat(socket)
        # A sway that was started again may have the old one's path, and never its outputs.
        self._prefix = f"{status.st_ino:x}-{status.st_ctime_ns:x}-"

    def borrow(self, mode: Mode) -> BorrowedOutput:
        """An output of this mode with a workspace of its own, which gets the focus. Raises SwayError."""
        with self._one_at_a_time():
            before = self._workspaces()
            output = self._waiting() or self._made()
            try:
                output.came_from = next((str(space["name"]) for space in before if space.get("focused")), "")
                self._control.set_mode(mode, output=output.name)
                self._name_workspace(output.name, WORKSPACE)
                self._control.run(f"focus output {output.name}")
            except SwayError:
                self._put_away(output)
                raise
            return output

    def give_back(self, output: BorrowedOutput) -> None:
        """Take it away, or let it wait; its windows go to the other outputs, whose own workspaces stay on show."""
        with self._one_at_a_time():
            self._put_away(output)

    def tidy(self) -> int:
        """Put away what hosts that are gone have left in use; how many outputs that were."""
        found = 0
        with self._one_at_a_time():
            self._forget_old_records()
            for output in self._unused():
                if self._width(output.name) == WAITING_MODE.width:
                    os.close(output.lock)
                else:
                    self._put_away(output)
                    found += 1
        return found

    def _forget_old_records(self) -> None:
        records = sorted(self._folder.glob("*-*"), key=lambda file: file.stat().st_mtime)
        for file in records[: max(0, len(records) - MAX_RECORDS)]:
            lock = _lock(file)
            if lock is not None:
                file.unlink(missing_ok=True)
                os.close(lock)

    def _waiting(self) -> BorrowedOutput | None:
        unused = self._unused()
        for output in unused[1:]:
            os.close(output.lock)
        return unused[0] if unused else None

    def _made(self) -> BorrowedOutput:
        before = self._output_names()
        if len(list(self._files())) >= MAX_OUTPUTS:
            raise SwayError(f"this sway has {MAX_OUTPUTS} outputs of ours already")
        self._control.run("create_output")
        deadline = time.monotonic() + _APPEARS_S
        while not (new := self._output_names() - before):
            if time.monotonic() > deadline:
                raise SwayError("sway made no output, though it said so")
            time.sleep(_POLL_S)
        name = min(new)
        file = self._folder / f"{self._prefix}{name}"
        lock = _lock(file)
        if lock is None:
            raise SwayError(f"{name} is somebody's already")
        return BorrowedOutput(name, file, lock)

    def _put_away(self, output: BorrowedOutput) -> None:
        try:
            if output.name not in self._output_names():
                raise SwayError("somebody has taken it away")
            shown = self._shown_elsewhere(output)
            try:
                self._show(shown)
                self._control.run(f"output {output.name} unplug")
                output.file.unlink(missing_ok=True)
            except SwayError:
                self._let_wait(output)
            self._show(shown)
        except SwayError as error:
            log.info("the output %s is not put away: %s", output.name, error)
            output.file.unlink(missing_ok=True)
        finally:
            os.close(output.lock)

    def _let_wait(self, output: BorrowedOutput) -> None:
        others = sorted(self._output_names() - self._ours())
        for space in self._workspaces():
            if others and space["output"] == output.name and space.get("representation"):
                self._control.run(f"workspace {quoted(space['name'])}")
                self._control.run(f"move workspace to output {others[0]}")
        self._name_workspace(output.name, f"{WORKSPACE} waiting")
        self._control.set_mode(WAITING_MODE, output=output.name)

    def _shown_elsewhere(self, output: BorrowedOutput) -> list[tuple[str, str]]:
        """What other outputs show: their names with their workspaces', last the one to have the focus."""
        spaces = self._workspaces()
        shown = [(str(s["output"]), str(s["name"])) for s in spaces if s["visible"] and s["output"] != output.name]
        focused = next((str(space["name"]) for space in spaces if space["focused"]), "")
        if focused not in (name for _, name in shown):
            focused = output.came_from
        return sorted(shown, key=lambda entry: entry[1] == focused)

    def _show(self, wanted: list[tuple[str, str]]) -> None:
        """Have outputs show these again. A workspace without windows may be gone, and is made anew on its output."""
        for number, (output, name) in enumerate(wanted, 1):
            spaces = self._workspaces()
            space = next((s for s in spaces if s["name"] == name and s["output"] == output and s["visible"]), None)
            if space is None or (number == len(wanted) and not space["focused"]):
                self._control.run(f"focus output {output}")
            if space is None:
                self._control.run(f"workspace {quoted(name)}")

    def _name_workspace(self, output: str, wish: str) -> None:
        spaces = self._workspaces()
        shown = next((str(space["name"]) for space in spaces if space["output"] == output and space["visible"]), "")
        taken = {str(space["name"]) for space in spaces}
        names = (wish if number == 1 else f"{wish} {number}" for number in range(1, MAX_OUTPUTS + 2))
        name = next((name for name in names if name == shown or name not in taken), "")
        if shown and name and name != shown:
            self._control.run(f"rename workspace {quoted(shown)} to {quoted(name)}")

    def _workspaces(self) -> list[dict[str, Any]]:
        spaces: list[dict[str, Any]] = self._control.request(GET_WORKSPACES)
        return spaces

    def _output_names(self) -> set[str]:
        return {str(output["name"]) for output in self._control.request(GET_OUTPUTS) if output.get("active")}

    def _width(self, name: str) -> int:
        outputs = self._control.request(GET_OUTPUTS)
        return next((int(o["current_mode"]["width"]) for o in outputs if o["name"] == name and o.get("active")), 0)

    def _ours(self) -> set[str]:
        return {file.name.removeprefix(self._prefix) for file in self._files()}

    def _files(self) -> Iterator[Path]:
        yield from sorted(self._folder.glob(f"{self._prefix}*"))[: MAX_OUTPUTS * 2]

    def _unused(self) -> list[BorrowedOutput]:
        """Outputs of ours that nobody uses, each locked now; files of outputs that are gone are removed."""
        names = self._output_names()
        found = []
        for file in self._files():
            lock = _lock(file)
            if lock is None:
                continue
            name = file.name.removeprefix(self._prefix)
            if name in names:
                found.append(BorrowedOutput(name, file, lock))
            else:
                file.unlink(missing_ok=True)
                os.close(lock)
        return found

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _lock(file: Path) -> int | None:
    """The file, made where it is missing, and locked; None when somebody else holds it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
