"""The wlroots desktop that a person already runs: an output of it for each session, or one that there is, as it is.

How, and what the compositors can and cannot do: docs/decisions/0041-wlroots.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.displays.sway_ipc import SwayControl, SwayError
from punktfunk.media.plan import Mode
from punktfunk.media.video_source import HostCompositor
from punktfunk.media.wayland.look import Output
from punktfunk.session.desktops.apps import AppProcess
from punktfunk.session.desktops.base import DesktopError, RunningApp, target_keyboard
from punktfunk.session.desktops.lasting import until_ended
from punktfunk.session.desktops.sway_outputs import BorrowedOutput, SwayOutputs
from punktfunk.session.desktops.wayland_session import Wanted, WaylandSession, find_session
from punktfunk.session.plan import App
from punktfunk.session.runtime_dirs import RuntimeDir

LOST = 1
"""What `WlrootsDesktop.wait` returns when the compositor is gone."""

log = logging.getLogger(__name__)


class WlrootsDesktop:
    """The user's compositor, seen through one output. See Desktop: ending it ends nothing of the user's."""

    def __init__(
        self,
        runtime: RuntimeDir,
        environment: dict[str, str],
        wanted: Wanted,
        *,
        keyboard: KeyboardLayout | None = None,
        strays: bool = False,
    ) -> None:
        """``strays``: a host was killed here, and what it held down may still be."""
        self._strays = strays
        self._user = runtime.owner
        self._folder = output_records(runtime)
        self._session_environment = environment
        self._wanted = wanted
        self._keyboard = keyboard or KeyboardLayout()
        self._keymap = ""
        self._found: WaylandSession | None = None
        self._outputs: SwayOutputs | None = None
        self._borrowed: BorrowedOutput | None = None
        self._shown: Output | None = None
        self._stopped = asyncio.Event()

    @property
    def target(self) -> HostCompositor:
        """What a worker captures; valid after ``start``."""
        assert self._found is not None
        borrowed, shown = self._borrowed, self._shown
        name = borrowed.name if borrowed is not None else shown.name if shown is not None else ""
        return HostCompositor(
            self._found.display,
            self._found.sway_socket if borrowed is not None else "",
            name,
            target_keyboard(self._keyboard, self._keymap),
            self._strays,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program in this desktop; valid after ``start``."""
        assert self._found is not None
        return {**self._found.environment, **self._session_environment}

    async def start(self, mode: Mode) -> None:
        """Find the desktop and an output for the session. Raises DesktopError."""
        self._stopped.clear()
        try:
            await asyncio.to_thread(self._begin, mode)
        except (SwayError, OSError) as error:
            advice = "display.output streams one that there is"
            raise DesktopError(f"sway makes no output for the session: {error}; {advice}") from error

    async def set_mode(self, mode: Mode) -> Mode:
        """Change the mode while nothing captures it, and give the output the focus: its client is about to look at it.
        An output that is shown as it is keeps both. Raises DesktopError."""
        if self._borrowed is None:
            shown = self._shown
            return shown.mode if shown is not None and shown.mode is not None else mode
        assert self._found is not None
        control = SwayControl(self._found.sway_socket)
        try:
            await asyncio.to_thread(control.set_mode, mode, output=self._borrowed.name)
            await asyncio.to_thread(control.run, f"focus output {self._borrowed.name}")
        except SwayError as error:
            raise DesktopError(str(error)) from error
        return mode

    async def launch(self, app: App) -> RunningApp:
        """Run an app on the session's output. Raises DesktopError."""
        assert self._found is not None
        if self._borrowed is not None:
            control = SwayControl(self._found.sway_socket)
            with contextlib.suppress(SwayError):  # it then opens where the focus is
                await asyncio.to_thread(control.run, f"focus output {self._borrowed.name}")
        return await AppProcess.launch(app, self.environment, self._user)

    async def wait(self) -> int:
        """Until the compositor is gone, or ``stop``."""
        assert self._found is not None
        stopped = asyncio.create_task(self._stopped.wait())
        gone = asyncio.create_task(_gone(self._found.display))
        try:
            await asyncio.wait((stopped, gone), return_when=asyncio.FIRST_COMPLETED)
            return 0 if stopped.done() else LOST
        finally:
            for task in (stopped, gone):
                task.cancel()

    async def stop(self) -> None:
        """Give the output back; the desktop and its programs go on."""
        self._stopped.set()
        outputs, borrowed = self._outputs, self._borrowed
        self._borrowed = None
        if outputs is not None and borrowed is not None:
            await asyncio.to_thread(outputs.give_back, borrowed)

    def _begin(self, mode: Mode) -> None:
        found = self._found = find_session(self._user, self._wanted)
        if self._keyboard == KeyboardLayout():
            # The settings say nothing of it.
            self._keymap = found.compositor.keymap
            self._keyboard = _default_keyboard(found.environment)
        if found.sway_socket and not self._wanted.output:
            self._outputs = SwayOutputs(found.sway_socket, self._folder)
            self._borrowed = self._outputs.borrow(mode)
            return
        shown = self._shown = shown_output(found, self._wanted)
        if shown.mode is not None and (shown.mode.width, shown.mode.height) != (mode.width, mode.height):
            log.info("%s is streamed in its own mode, %s, for the client to scale to %s", shown.name, shown.mode, mode)


def output_records(runtime: RuntimeDir) -> Path:
    """Where it is noted which outputs are ours: the same for every host of a user, and kept from one to the next."""
    return runtime.path.parent / "outputs"


def tidy(found: WaylandSession, runtime: RuntimeDir) -> bool:
    """Put away the outputs that hosts which were killed have left in this sway; whether there were any."""
    try:
        left = SwayOutputs(found.sway_socket, output_records(runtime)).tidy()
    except (SwayError, OSError) as error:
        log.warning("outputs of earlier hosts stay in sway: %s", error)
        return False
    if left:
        log.info("%d outputs that a killed host left in sway are put away", left)
    return left > 0


def shown_output(found: WaylandSession, wanted: Wanted) -> Output:
    """The output that is shown as it is. Raises DesktopError."""
    output = found.compositor.output(wanted.output)
    if output is not None and not output.name:
        raise DesktopError("the desktop's outputs have no names; its compositor is too old to be streamed")
    if output is not None:
        return output
    names = ", ".join(sorted(output.name for output in found.compositor.outputs)) or "none at all"
    if wanted.output:
        raise DesktopError(f"the desktop has no output {wanted.output!r}; it has {names}")
    raise DesktopError(f"the desktop has several outputs ({names}); display.output says which one is streamed")


def describe(found: WaylandSession, wanted: Wanted) -> str:
    """What sessions will get, in words. Raises DesktopError."""
    if not found.sway_socket or wanted.output:
        output = shown_output(found, wanted)
        return f"your desktop's output {output.name} as it is, {output.mode or 'of unknown mode'}"
    try:
        version = SwayControl(found.sway_socket).version()
    except SwayError as error:
        raise DesktopError(str(error)) from error
    return f"your sway {version}, with an output of its own for each session"


def _default_keyboard(environment: Mapping[str, str]) -> KeyboardLayout:
    """What the desktop's keyboards would have if there were some."""
    names = (environment.get(f"XKB_DEFAULT_{part}", "") for part in ("LAYOUT", "VARIANT", "OPTIONS"))
    layout, variant, options = names
    return KeyboardLayout(layout, variant, options) if layout else KeyboardLayout()


async def _gone(display: str) -> None:
    """Until nobody listens on the socket any more."""
    with contextlib.suppress(OSError):
        await until_ended(*await asyncio.open_unix_connection(display))
