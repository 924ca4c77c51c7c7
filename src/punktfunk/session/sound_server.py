"""The sound server that sessions play into: the user's own PipeWire or PulseAudio, or a private one of the host."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import shutil
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from punktfunk.session.identity import UserIdentity
from punktfunk.session.processes import ProcessTree, SpawnError
from punktfunk.session.runtime_dirs import RuntimeDir

_PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse")
_READY_TIMEOUT_S = 10.0
_READY_POLL_S = 0.01
_PACTL_TIMEOUT_S = 5.0
_VOID_SINK = "void"
_RESTART_PAUSE_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Pause before each restart in a row; the last one repeats."""
_STABLE_S = 30.0
_STOP_GRACE_S = 0.5

# Both forms of WirePlumber's settings, 0.4 and 0.5; each version reads only its own. A private server is for the sinks
# of sessions: it must not seize the machine's sound cards, cameras and headsets from whoever uses them. What would need
# a D-Bus session is off as well, because 0.4 gives up without one.
_WIREPLUMBER_FILES = {
    "main.lua.d/60-no-devices.lua": (
        'alsa_monitor.enabled = false\nalsa_monitor.properties["alsa.reserve"] = false\n'
        "v4l2_monitor.enabled = false\nlibcamera_monitor.enabled = false\n"
        'default_access.properties["enable-flatpak-portal"] = false\n'
    ),
    "bluetooth.lua.d/60-no-devices.lua": "bluez_monitor.enabled = false\n",
    "wireplumber.conf.d/60-no-devices.conf": (
        "wireplumber.profiles = { main = { hardware.audio = disabled, hardware.bluetooth = disabled, "
        "hardware.video-capture = disabled, support.reserve-device = disabled, support.logind = disabled } }\n"
    ),
}

logger = logging.getLogger(__name__)


class SoundMode(enum.StrEnum):
    """The setting: which server to use."""

    AUTO = "auto"
    PRIVATE = "private"
    SYSTEM = "system"
    OFF = "off"


class SoundError(Exception):
    """The sound server cannot do what is needed; the message says what to install or start."""


class SoundServer:
    """A running, watched sound server. ``open_sound_server`` chooses and starts it; ``close`` ends a private one.

    After a restart, the functions given to ``on_restart`` are awaited: what was loaded into the server is gone.
    """

    description = ""
    """Whose server it is, for people."""

    def __init__(self, user: UserIdentity, runtime_dir: Path) -> None:
        self.user = user
        self._runtime_dir = runtime_dir
        self._listeners: list[Callable[[], Awaitable[None]]] = []
        self._watch: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def pulse_server(self) -> str:
        """Address for PulseAudio clients."""
        return f"unix:{self._runtime_dir}/pulse/native"

    @property
    def environment(self) -> dict[str, str]:
        """What a program of the user needs to find the server, whatever its own runtime folder is."""
        return {"PULSE_SERVER": self.pulse_server, "PIPEWIRE_REMOTE": f"{self._runtime_dir}/pipewire-0"}

    def on_restart(self, listener: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Have ``listener`` awaited after each restart; returns a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def pactl(self, *arguments: str) -> str:
        """Run one ``pactl`` command as the user; returns its output. Raises SoundError."""
        pipe = asyncio.subprocess.PIPE
        process = await self.spawn("pactl", *arguments, stdout=pipe, stderr=pipe)
        try:
            output, errors = await asyncio.wait_for(process.communicate(), _PACTL_TIMEOUT_S)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise SoundError(f"the sound server did not answer pactl {arguments[0]}") from error
            raise
        if process.returncode:
            raise SoundError(f"pactl {arguments[0]} failed: {errors.decode(errors='replace').strip()[:200]}")
        return output.decode(errors="replace")

    async def spawn(
        self,
        *command: str,
        stdin: int = asyncio.subprocess.DEVNULL,
        stdout: int = asyncio.subprocess.DEVNULL,
        stderr: int = asyncio.subprocess.DEVNULL,
    ) -> asyncio.subprocess.Process:
        """Start a program as the user, with this server in its environment. Raises OSError."""
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=self.user.environment(str(self._runtime_dir)) | self.environment,
            user=None if self.user.is_current else self.user.uid,
            group=None if self.user.is_current else self.user.gid,
            extra_groups=None if self.user.is_current else self.user.groups(),
        )

    async def answers(self) -> bool:
        """Whether a server answers at the address."""
        if not _is_socket(self._runtime_dir / "pulse" / "native"):
            return False
        with contextlib.suppress(SoundError):
            await self.pactl("info")
            return True
        return False

    async def close(self) -> None:
        """Stop watching, and end what was started here."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._end()

    def _start_watching(self) -> None:
        self._watch = asyncio.create_task(self._keep_alive(), name="sound server")

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        attempt, since = 0, loop.time()
        while True:
            await self._wait_for_death()
            logger.warning("the sound server ended; waiting for it or starting it again")
            attempt = attempt if loop.time() - since < _STABLE_S else 0
            while True:
                await asyncio.sleep(_RESTART_PAUSE_S[min(attempt, len(_RESTART_PAUSE_S) - 1)])
                attempt += 1
                try:
                    await self._begin()
                    break
                except (SoundError, SpawnError) as error:
                    logger.error("no sound: %s", error)
            since = loop.time()
            self.restarts += 1
            for listener in tuple(self._listeners):
                try:
                    await listener()
                except SoundError as error:
                    logger.error("a session's sound did not come back: %s", error)

    async def _wait_until_ready(self) -> None:
        deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_S
        while not await self.answers():
            if asyncio.get_running_loop().time() > deadline:
                raise SoundError(f"no sound server answered at {self.pulse_server} within {_READY_TIMEOUT_S:g} s")
            await asyncio.sleep(_READY_POLL_S)

    async def _begin(self) -> None:
        raise NotImplementedError

    async def _wait_for_death(self) -> None:
        raise NotImplementedError

    async def _end(self) -> None:
        raise NotImplementedError


class SystemSoundServer(SoundServer):
    """The user's own server: never started, stopped or configured here, only watched."""

    description = "your own sound server, each session in a sink of its own"
    _subscription: ProcessTree | None = None

    async def _begin(self) -> None:
        await self._wait_until_ready()
        environment = self.user.environment(str(self._runtime_dir)) | self.environment
        self._subscription = await ProcessTree.spawn(
            ["pactl", "subscribe"], name="pactl", env=environment, user=self.user, log=False
        )

    async def _wait_for_death(self) -> None:
        if self._subscription is not None:
            await self._subscription.wait_empty()

    async def _end(self) -> None:
        if self._subscription is not None:
            await self._subscription.stop(_STOP_GRACE_S)


class PrivateSoundServer(SoundServer):
    """PipeWire, WirePlumber and pipewire-pulse in a runtime folder of the host, as the desktop user."""

    description = "a private PipeWire, each session in a sink of its own"

    def __init__(self, user: UserIdentity, runtime_dir: Path) -> None:
        super().__init__(user, runtime_dir)
        self._trees: list[ProcessTree] = []

    async def _begin(self) -> None:
        await self._end()
        for name in ("pipewire-0", "pipewire-0-manager", "pulse/native"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._runtime_dir / name)
        await self._spawn("pipewire")
        await self._wait_for_socket(self._runtime_dir / "pipewire-0")
        started = await asyncio.gather(
            self._spawn("wireplumber"), self._spawn("pipewire-pulse"), return_exceptions=True
        )
        for error in started:
            if error is not None:
                raise error
        await self._wait_until_ready()
        await self._load_void()

    async def _load_void(self) -> None:
        """Give streams whose own sink is missing a place to go: without it they would play into another session's."""
        await self.pactl(
            "load-module", "module-null-sink", f"sink_name={_VOID_SINK}", "sink_properties=priority.session=2000"
        )
        # pipewire-pulse answers before WirePlumber, keeper of the defaults, is up: seconds before on a busy machine.
        deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_S
        while True:
            try:
                await self.pactl("set-default-sink", _VOID_SINK)
                return
            except SoundError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_READY_POLL_S)

    async def _spawn(self, program: str) -> None:
        private = str(self._runtime_dir)
        environment = self.user.environment(private) | {
            "XDG_CONFIG_HOME": f"{private}/config",
            "XDG_STATE_HOME": f"{private}/state",
            "PIPEWIRE_RUNTIME_DIR": private,
            "PULSE_RUNTIME_PATH": f"{private}/pulse",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        }
        # Beside a software encoder on every core, sound would have gaps: measured 1 to 6 % of the samples lost.
        realtime = program != "wireplumber"
        tree = await ProcessTree.spawn([program], name=program, env=environment, user=self.user, realtime=realtime)
        self._trees.append(tree)

    async def _wait_for_socket(self, path: Path) -> None:
        deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_S
        while not _is_socket(path):
            if asyncio.get_running_loop().time() > deadline or self._trees[0].returncode is not None:
                raise SoundError("the private pipewire did not come up; its output is in the debug log")
            await asyncio.sleep(_READY_POLL_S / 2)

    async def _wait_for_death(self) -> None:
        waits = [asyncio.create_task(tree.wait()) for tree in self._trees]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _end(self) -> None:
        trees, self._trees = self._trees, []
        await asyncio.gather(*(tree.stop(_STOP_GRACE_S) for tree in trees))


async def open_sound_server(mode: SoundMode, user: UserIdentity, runtime: RuntimeDir) -> SoundServer | None:
    """Find or start the server; None when sound is off. Raises SoundError.

    ``auto`` prefers the server of the user's login session and starts a private one when none answers.
    """
    if mode is SoundMode.OFF:
        return None
    if not shutil.which("pactl"):
        raise SoundError("pactl is missing; install pulseaudio-utils")
    server: SoundServer
    if mode is not SoundMode.PRIVATE and user.runtime_dir:
        server = SystemSoundServer(user, Path(user.runtime_dir))
        if await server.answers():
            return await _started(server)
    if mode is SoundMode.SYSTEM:
        raise SoundError(f"user {user.name} runs no PipeWire or PulseAudio; start one, or set the sound mode to auto")
    missing = [program for program in _PROGRAMS if not shutil.which(program)]
    if missing:
        raise SoundError(f"{', '.join(missing)} missing; install pipewire, wireplumber and pipewire-pulse")
    folder = await asyncio.to_thread(_prepare_folder, runtime)
    return await _started(PrivateSoundServer(user, folder))


async def _started(server: SoundServer) -> SoundServer:
    try:
        await server._begin()
    except BaseException as error:
        await server.close()
        if isinstance(error, SpawnError):
            raise SoundError(str(error)) from error
        raise
    server._start_watching()
    return server


def write_wireplumber_settings(config_home: Path) -> None:
    """For a WirePlumber that leaves the machine's devices alone and needs neither logind nor a session bus."""
    for name, text in _WIREPLUMBER_FILES.items():
        path = config_home / "wireplumber" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)


def _prepare_folder(runtime: RuntimeDir) -> Path:
    folder = runtime.subdir("sound")
    write_wireplumber_settings(folder / "config")
    if runtime.owner.uid != os.geteuid():
        for path in (folder, *folder.rglob("*")):
            os.chown(path, runtime.owner.uid, runtime.owner.gid, follow_symlinks=False)
    return folder


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
