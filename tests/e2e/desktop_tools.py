"""A person at a streamed desktop: looks at the picture, types, clicks, listens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conformance.moonlight.client import MoonlightClient
from tests.conformance.moonlight.decode import OpusDecoder, VideoDecoder, dominant_tone
from tests.conformance.moonlight.impair import Impairment
from tests.conformance.moonlight.options import StreamOptions
from tests.conformance.moonlight.server_info import find_app
from tests.conformance.moonlight.stream import Stream
from tests.e2e.host_process import HostProcess

DESKTOP_PROGRAMS = ("sway", "foot", "waybar", "dbus-run-session", "pactl", "pipewire")
DESKTOP_USER = "punktfunk-desktop"
OWNER = DESKTOP_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
"""Whose the processes of an embedded desktop are."""
CHECKOUT = Path(__file__).parents[2]
TERMINAL_BACKGROUND = (0x10, 0x1A, 0x22)
FIRST_PICTURE_S = 10.0
ENTER, TAB, SHIFT = 0x0D, 0x09, 0xA0
SHIFT_HELD = 1

_PLAIN = {" ": 0x20, ";": 0xBA, "=": 0xBB, ",": 0xBC, "-": 0xBD, ".": 0xBE, "/": 0xBF, "`": 0xC0, "[": 0xDB}
_PLAIN |= {"\\": 0xDC, "]": 0xDD, "'": 0xDE, "\n": ENTER}
_SHIFTED = {char: 0x30 + digit for digit, char in enumerate(")!@#$%^&*(")}
_SHIFTED |= {":": 0xBA, "+": 0xBB, "<": 0xBC, "_": 0xBD, ">": 0xBE, "?": 0xBF, "~": 0xC0}
_SHIFTED |= {"{": 0xDB, "|": 0xDC, "}": 0xDD, '"': 0xDE}

Picture = NDArray[np.uint8]

needs_desktop = pytest.mark.skipif(
    not all(map(shutil.which, DESKTOP_PROGRAMS)), reason=f"needs {', '.join(DESKTOP_PROGRAMS)}"
)


class Screen:
    """Decodes everything that a stream delivers and keeps the newest picture. Use as an async context manager."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.picture: Picture | None = None
        self.pictures = 0
        self._decoder = VideoDecoder(stream.agreement.codec)
        self._task = asyncio.create_task(self._watch())

    async def __aenter__(self) -> Screen:
        await self.until(lambda _picture: True, FIRST_PICTURE_S)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def until(self, condition: Callable[[Picture], bool], limit_s: float = 6.0) -> Picture:
        """The first picture from now on that fulfils the condition."""
        deadline = time.monotonic() + limit_s
        seen = -1
        while time.monotonic() < deadline:
            if self._task.done():
                self._task.result()
                raise AssertionError(f"the stream ended: {self.stream.end_reason}")
            if self.picture is not None and seen != self.pictures:
                seen = self.pictures
                if condition(self.picture):
                    return self.picture
            await asyncio.sleep(0.02)
        raise AssertionError(f"not seen within {limit_s:g} s ({self.pictures} pictures)")

    async def settled(self, quiet_s: float = 0.6, limit_s: float = 8.0) -> Picture:
        """A picture that has not changed for a while."""
        since, last = time.monotonic(), self.picture

        def still(picture: Picture) -> bool:
            nonlocal since, last
            if last is None or different_pixels(picture, last) > 20:
                since, last = time.monotonic(), picture
            return time.monotonic() - since > quiet_s

        return await self.until(still, limit_s)

    async def _watch(self) -> None:
        async for frame in self.stream.frames():
            for picture in await asyncio.to_thread(self._decoder.decode, frame):
                self.picture = picture
                self.pictures += 1


def different_pixels(a: Picture, b: Picture) -> int:
    """How many pixels differ visibly."""
    if a.shape != b.shape:
        return a.size
    return int((np.abs(a.astype(np.int16) - b).max(axis=2) > 48).sum())


def is_blank(picture: Picture) -> bool:
    """Whether there is nothing to see: one colour with some noise."""
    return float(picture.std()) < 4.0


def shows_terminal(picture: Picture) -> bool:
    """Whether a terminal covers a good part of the middle."""
    height, width, _ = picture.shape
    middle = picture[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4].astype(np.int16)
    return float((np.abs(middle - TERMINAL_BACKGROUND).max(axis=2) < 14).mean()) > 0.4


def shows_panel(picture: Picture) -> bool:
    """Whether the panel's first button is there, at the bottom left; it comes after the terminal."""
    red, green, blue = picture[-24:-10, 12:20].reshape(-1, 3).mean(axis=0)
    return bool(red < 90 and green > 100 and blue > 100)


def press(stream: Stream, key: int, *, shift: bool = False) -> None:
    """Press and release one virtual key."""
    if shift:
        stream.send_key(SHIFT, True, SHIFT_HELD)
    stream.send_key(key, True, SHIFT_HELD if shift else 0)
    stream.send_key(key, False, SHIFT_HELD if shift else 0)
    if shift:
        stream.send_key(SHIFT, False)


def type_keys(stream: Stream, text: str) -> None:
    """Type on a US keyboard."""
    for char in text:
        if char.isascii() and char.isalnum():
            press(stream, ord(char.upper()), shift=char.isupper())
        elif char in _PLAIN:
            press(stream, _PLAIN[char])
        else:
            press(stream, _SHIFTED[char], shift=True)


async def type_command(stream: Stream, command: str) -> None:
    """Type a line into the focused terminal, at the pace of a quick person."""
    for start in range(0, len(command), 8):
        type_keys(stream, command[start : start + 8])
        await asyncio.sleep(0.03)
    press(stream, ENTER)


async def file_appears(path: Path, limit_s: float = 5.0) -> str:
    """The text of a file once there is some."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if text := read(path):
            return text
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} did not appear within {limit_s:g} s")


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder in which the test and the desktop's user can both write."""
    folder = Path(tempfile.mkdtemp(prefix="pf-e2e-"))
    folder.chmod(0o777)
    if os.geteuid() == 0:
        shutil.chown(folder, DESKTOP_USER, DESKTOP_USER)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def arrives(path: Path, text: str, limit_s: float = 8.0) -> None:
    """Wait until a file's content is this text and no other."""
    deadline = time.monotonic() + limit_s
    while (seen := read(path)) != text:
        assert time.monotonic() < deadline, f"{seen!r} instead of {text!r}"
        await asyncio.sleep(0.05)


def read(path: Path) -> str:
    """The text of a file, "" where there is none."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def hears(stream: Stream, frequency_hz: float, limit_s: float = 8.0) -> None:
    """Wait until the left channel is this tone."""
    heard: list[str] = []
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        await asyncio.sleep(0.3)
        packets = list(stream.audio_packets)[-60:]
        if len(packets) < 60:
            continue
        decoder = OpusDecoder(stream.agreement.layout, stream.options.packet_ms)
        tone = dominant_tone(decoder.decode_all(packets)[0][4800:])
        if abs(tone.frequency_hz - frequency_hz) < 15 and tone.level_db > -40:
            return
        heard.append(f"{tone.frequency_hz:.0f} Hz at {tone.level_db:.0f} dB")
    raise AssertionError(f"{frequency_hz} Hz not heard within {limit_s:g} s, but {heard[-4:]}")


def processes_of(user: str) -> dict[int, str]:
    """Process ids and command lines of a user, zombies left out."""
    uid = pwd.getpwnam(user).pw_uid
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and entry.stat().st_uid == uid:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if command:
                    found[int(entry.name)] = command
    return found


@contextlib.asynccontextmanager
async def desktop(
    client: MoonlightClient, options: StreamOptions, app: str = "Desktop", impair: Impairment | None = None
) -> AsyncIterator[tuple[Stream, Screen]]:
    """Launch, look until there is a picture, and end the app afterwards."""
    app_id = find_app(await client.app_list(), app).id
    stream = await client.launch(app_id, options, impair=impair)
    try:
        async with Screen(stream) as screen:
            yield stream, screen
    finally:
        await stream.close()
        await client.cancel()


def as_user(name: str) -> tuple[str, ...]:
    """A command that runs another one as this ordinary user, with an environment like after a login.

    Where the interpreter or this checkout lies below a closed home, such as root's, the program gets a view of the file
    system in which it does not.
    """
    login: tuple[str, ...] = ("setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "env", "-i")
    login += (f"HOME={pwd.getpwnam(name).pw_dir}", f"USER={name}", "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8")
    needed = {Path(sys.base_prefix), Path(sys.prefix), CHECKOUT}
    closed = {folder: path for path in needed for folder in path.parents if not folder.stat().st_mode & stat.S_IXOTH}
    outermost = [folder for folder in closed if not any(other in folder.parents for other in closed)]
    if not outermost:
        return login
    behind = sorted(path for path in needed if any(folder in path.parents for folder in outermost))
    view = ["mount -t tmpfs none /mnt"]
    view += [f"mkdir /mnt/{n} && mount --bind {shlex.quote(str(path))} /mnt/{n}" for n, path in enumerate(behind)]
    view += [f"mount -t tmpfs -o mode=755 none {shlex.quote(str(folder))}" for folder in outermost]
    view += [
        f"mkdir -p {shlex.quote(str(path))} && mount --bind /mnt/{n} {shlex.quote(str(path))}"
        for n, path in enumerate(behind)
    ]
    command = ("unshare", "--mount", "sh", "-ec", f'{"; ".join(view)}; exec "$@"', "sh", *login)
    tried = subprocess.run((*command, sys.executable, "-c", ""), capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"{name} cannot reach this checkout, and cannot be given a view of it: {tried.stderr.strip()}")
    return command


def children_running(host: HostProcess, *words: str) -> list[int]:
    """Process ids below the host whose program, or a later argument, is one of the words."""
    found = []
    for pid in host.descendants():
        with contextlib.suppress(OSError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            if set(words) & {Path(arguments[0]).name, *arguments[1:3]}:
                found.append(pid)
    return found


async def all_gone(processes: Iterable[int], limit_s: float = 5.0) -> None:
    """Wait until none of these processes is there any more, zombies left out."""
    deadline = time.monotonic() + limit_s
    while left := [pid for pid in processes if is_alive(pid)]:
        if time.monotonic() > deadline:
            raise AssertionError(f"still there after {limit_s:g} s: {[command_of(pid) for pid in left]}")
        await asyncio.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> str:
    """The command line of a process, "" when it is gone."""
    return read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()
