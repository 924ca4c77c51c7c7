"""Apps inside a desktop: preparations, the program itself, and undoing the preparations."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping

from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.identity import UserIdentity
from punktfunk.session.plan import App, PrepareCommand
from punktfunk.session.processes import ProcessTree, SpawnError

PREPARE_TIMEOUT_S = 30.0
_STOP_GRACE_S = 2.0

log = logging.getLogger(__name__)


class AppProcess:
    """A launched app; see RunningApp. An app without a command runs until it is stopped."""

    def __init__(self, app: App, environment: Mapping[str, str], user: UserIdentity | None) -> None:
        self._app = app
        self._environment = {**environment, **app.environment}
        self._user = user
        self._folder = app.working_dir or environment.get("HOME", "/")
        self._tree: ProcessTree | None = None
        self._trees: list[ProcessTree] = []
        self._undo: list[PrepareCommand] = []
        self._stopped = asyncio.Event()

    @classmethod
    async def launch(cls, app: App, environment: Mapping[str, str], user: UserIdentity | None) -> AppProcess:
        """Prepare and start ``app``. Raises DesktopError, with the preparations undone."""
        process = cls(app, environment, user)
        try:
            await process._start()
        except BaseException:
            await process.stop()
            raise
        return process

    async def wait(self) -> int:
        """Wait for the program to end."""
        if self._tree is None:
            await self._stopped.wait()
            return 0
        return await self._tree.wait()

    async def stop(self) -> None:
        """End the program with what the preparations left running, and undo these in reverse order."""
        await self._stop_trees()
        self._stopped.set()
        while self._undo:
            command = self._undo.pop().undo
            if command:
                with contextlib.suppress(DesktopError):
                    await self._run(command, "undo")
        await self._stop_trees()

    async def _stop_trees(self) -> None:
        # What a preparation left running is there for the app, and goes with it.
        while self._trees:
            await self._trees.pop().stop(_STOP_GRACE_S)

    async def _start(self) -> None:
        self._check_folder()
        for prepare in self._app.prepare:
            # A preparation that failed half-way needs its undo too.
            self._undo.append(prepare)
            if prepare.do:
                await self._run(prepare.do, "prepare")
        if self._app.command:
            self._tree = await self._spawn(self._app.command, "app")

    def _check_folder(self) -> None:
        if not os.path.isdir(self._folder):
            raise DesktopError(f"the working folder {self._folder!r} of {self._app.name!r} does not exist")

    async def _run(self, command: str, what: str) -> None:
        tree = await self._spawn(command, what)
        try:
            status = await asyncio.wait_for(tree.wait(), PREPARE_TIMEOUT_S)
        except TimeoutError:
            raise self._failed(what, command, f"took longer than {PREPARE_TIMEOUT_S:g} s") from None
        if status != 0:
            raise self._failed(what, command, f"ended with status {status}")

    async def _spawn(self, command: str, what: str) -> ProcessTree:
        try:
            tree = await ProcessTree.spawn(
                ["/bin/sh", "-c", command],
                name=f"{what} {self._app.name}",
                env=self._environment,
                cwd=self._folder,
                user=self._user,
            )
        except SpawnError as error:
            raise self._failed(what, command, str(error)) from error
        self._trees.append(tree)
        return tree

    def _failed(self, what: str, command: str, reason: str) -> DesktopError:
        log.warning("%s of %r failed: %r %s", what, self._app.name, command, reason)
        return DesktopError(f"the {what} command of {self._app.name!r} {reason}")
