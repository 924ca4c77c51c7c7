"""The clipboard of a session's desktop, through wl-clipboard's programs inside it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Mapping

from punktfunk.session.command_output import kill, read_all
from punktfunk.session.identity import UserIdentity

COMMAND_TIMEOUT_S = 10.0
MAX_CONTENT_BYTES = 64 * 1024 * 1024
MAX_TYPES = 64
RESTART_PAUSE_S = 2.0
_TELL = ("sh", "-c", "echo && exec cat >/dev/null")
"""Run at each change, with the content on its input. That has to be taken: a program that writes it into a pipe which
nobody reads may die of it, and its clipboard with it."""

log = logging.getLogger(__name__)


class DesktopClipboard:
    """Reads, writes and watches one desktop's clipboard. ``environment`` is that of the desktop's programs, ``user``
    who they run as (None: the host's own)."""

    def __init__(self, environment: Mapping[str, str], user: UserIdentity | None) -> None:
        self._environment = dict(environment)
        self._user = user
        self._watcher: asyncio.Task[None] | None = None
        self._written: tuple[str, bytes] | None = None

    def watch(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` now and whenever the content changes, until ``close``."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(changed), name="clipboard")

    async def types(self) -> list[str]:
        """MIME types of the content; none when it is empty."""
        listing = await self._run("wl-paste", "--list-types", limit=64 * 1024)
        return (listing or b"").decode(errors="replace").split("\n")[:MAX_TYPES]

    async def read(self, mime: str) -> bytes | None:
        """The content in one of its types; None when it cannot be had, or is too large."""
        return await self._run("wl-paste", "--no-newline", "--type", mime, limit=MAX_CONTENT_BYTES)

    async def write(self, mime: str, content: bytes) -> bool:
        """Offer this content to the desktop's programs; whether it was taken."""
        self._written = (mime, hashlib.sha256(content).digest())
        return await self._run("wl-copy", "--type", mime, content=content, limit=0) is not None

    async def is_own(self, types: list[str]) -> bool:
        """Whether a content of these types is what ``write`` put there."""
        if self._written is None or self._written[0] not in types:
            return False
        content = await self.read(self._written[0])
        return content is not None and hashlib.sha256(content).digest() == self._written[1]

    async def close(self) -> None:
        """Stop watching; the content stays."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _watch(self, changed: Callable[[], None]) -> None:
        while True:
            try:
                process = await self._spawn("wl-paste", "--watch", *_TELL, stdout=asyncio.subprocess.PIPE)
            except OSError as error:
                log.warning("the clipboard cannot be watched: %s", error)
                return
            assert process.stdout is not None
            try:
                while await process.stdout.readline():
                    changed()
            finally:
                await kill(process)
            await asyncio.sleep(RESTART_PAUSE_S)

    async def _run(self, *command: str, limit: int, content: bytes | None = None) -> bytes | None:
        """Output of a command, None when it fails, takes too long or says more than ``limit``."""
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            # wl-copy leaves a child behind that holds its output open.
            process = await self._spawn(
                *command, stdin=nothing if content is None else pipe, stdout=pipe if limit else nothing
            )
        except OSError as error:
            log.warning("%s cannot be run: %s", command[0], error)
            return None
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                if process.stdin is not None:
                    process.stdin.write(content or b"")
                    with contextlib.suppress(ConnectionError):
                        await process.stdin.drain()
                    process.stdin.close()
                output = await read_all(process.stdout, limit) if process.stdout is not None else b""
                return output if output is not None and await process.wait() == 0 else None
        except TimeoutError:
            return None
        finally:
            await kill(process)

    async def _spawn(
        self, *command: str, stdin: int = asyncio.subprocess.DEVNULL, stdout: int
    ) -> asyncio.subprocess.Process:
        user = self._user
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=stdout,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment,
            cwd="/",
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else user.groups(),
        )
