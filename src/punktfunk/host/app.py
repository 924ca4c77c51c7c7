"""The running host: what it is made of, in which order it starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
import locale
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path

from punktfunk import __version__
from punktfunk.browser.connection import WORKER_MODULE as BROWSER_WORKER_MODULE
from punktfunk.browser.plane import BrowserPlane
from punktfunk.browser.webtransport import WebTransportServer
from punktfunk.discovery.mdns import MdnsPublisher, gamestream_advert
from punktfunk.discovery.network import routed_address
from punktfunk.gamestream.connection import WORKER_MODULE
from punktfunk.gamestream.plane import GameStreamPlane
from punktfunk.gamestream.stream_plan import Encryption, HostFeatures, StreamOffer
from punktfunk.host import logs
from punktfunk.host.browser import make_browser_plane, start_webtransport
from punktfunk.host.capabilities import VideoFacts, find_video_facts
from punktfunk.host.control_handlers import ControlHandlers
from punktfunk.host.control_socket import ControlServer
from punktfunk.host.first_look import Progress, compose, show_setup_link
from punktfunk.host.greeting import first_look, greeting
from punktfunk.host.management import ManagementError, RunningApi, start_management
from punktfunk.host.native import has_kernel_touch, make_native_plane, native_advert_of
from punktfunk.host.settings import Settings
from punktfunk.host.settings_load import LoadedSettings
from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.input.xkb import KeyboardLayout, LayoutError, check_layout
from punktfunk.native.live_stream import WORKER_MODULE as NATIVE_WORKER_MODULE
from punktfunk.native.plane import NativePlane
from punktfunk.session.desktops.base import DesktopError
from punktfunk.session.desktops.choice import DesktopChoice, choose_desktop
from punktfunk.session.desktops.look import LookSettings
from punktfunk.session.desktops.wayland_session import Wanted
from punktfunk.session.identity import IdentityError, UserIdentity, desktop_user
from punktfunk.session.lifecycle import EndReason
from punktfunk.session.manager import SessionManager
from punktfunk.session.plan import App
from punktfunk.session.processes import sweep_orphans
from punktfunk.session.runtime_dirs import RuntimeDir, RuntimeDirError
from punktfunk.session.session import Surroundings
from punktfunk.session.sound import SessionSound, remove_stale_sinks
from punktfunk.session.sound_server import SoundError, SoundMode, SoundServer, open_sound_server
from punktfunk.session.urgency import go_before_others
from punktfunk.session.worker_process import WorkerPool
from punktfunk.trust.errors import TrustError
from punktfunk.trust.identity import load_gamestream_identity, load_unique_id
from punktfunk.trust.store import ChangeKind, DeviceChange, DeviceStore

log = logging.getLogger(__name__)

RESTART = -1
"""What `run` returns when the host is to be started again."""
DEVICE_FILE_POLL_S = 0.5
"""How often the device files are looked at for changes made by another process."""


class HostError(Exception):
    """The host cannot start; the message says why and what to do."""


class Host:
    """Everything that runs. ``run`` is its whole life."""

    def __init__(self, loaded: LoadedSettings) -> None:
        self._loaded = loaded
        self._settings = loaded.settings
        self.environment: Mapping[str, str] = os.environ.copy()
        self.frames = 0
        """Frames after which a punktfunk/1 session ends, for tests; 0 = never."""
        self._stop = asyncio.Event()
        self._restart = False
        self._progress = Progress(sys.stderr, loaded.settings.log.format)
        self._exits = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self.started_at = time.monotonic()
        self.store: DeviceStore
        self.sessions: SessionManager
        self.gamestream: GameStreamPlane | None = None
        self.native: NativePlane | None = None
        self.browser: BrowserPlane | None = None
        self.webtransport: WebTransportServer | None = None
        self.management: RunningApi | None = None
        self.ready = False
        self.video: VideoFacts
        self.desktop: DesktopChoice
        self._runtime: RuntimeDir
        self.sound: SoundServer | None = None

    @property
    def settings(self) -> Settings:
        """What it runs with."""
        return self._settings

    def set_apps(self, apps: tuple[App, ...]) -> None:
        """Offer these to clients from now on; what runs goes on."""
        for plane in (self.native, self.gamestream):
            if plane is not None:
                plane.set_apps(apps)

    def apply(self, settings: Settings) -> None:
        """Go on with these, which differ from the present ones in what a running host follows (live_settings)."""
        self._settings = settings
        logs.set_level(settings.log.level)
        self.desktop = self._choose_desktop()
        self.sessions.change(
            settings.limits.sessions,
            settings.limits.waiting,
            lambda around: replace(around, make_desktop=self.desktop.make, linger_s=settings.limits.linger_s),
        )

    def restart(self) -> None:
        """Shut down in an orderly way, and start again as it was started."""
        self._restart = True
        self._stop.set()

    def stop(self) -> None:
        """Shut down in an orderly way."""
        self._stop.set()

    async def run(self) -> int:
        """Start, serve until stopped, and leave nothing behind."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        async with self._exits:
            await self._start()
            await self._stop.wait()
            self.ready = False
            log.info("stopping to start again" if self._restart else "stopping")
        return RESTART if self._restart else 0

    async def _start(self) -> None:
        settings = self._settings
        self._progress.says("Starting: looking for encoders and sound")
        control = ControlServer(settings.host.runtime_dir, ControlHandlers(self).mapping())
        await control.start()
        self._exits.push_async_callback(control.close)
        await sweep_orphans()
        user = desktop_user(settings.display.user or None, xdg_runtime_dir=os.environ.get("XDG_RUNTIME_DIR"))
        runtime = RuntimeDir.create(user)
        self._exits.callback(runtime.close)
        self.store = DeviceStore(settings.host.config_dir)
        self.video, self.sound = await asyncio.gather(
            find_video_facts(settings.display.kind, settings.video), self._open_sound(user, runtime)
        )
        self._progress.says("Starting: identity and ports")
        self._runtime = runtime
        self.desktop = self._choose_desktop()
        pool = WorkerPool({**_worker_environment(user, runtime.path), **self.desktop.worker_environment})
        self._exits.push_async_callback(pool.close)
        surroundings = Surroundings(
            self.desktop.make,
            self._sound_opener(),
            pool,
            user if _is_other(user) else None,
            settings.limits.linger_s,
            PadKind(settings.input.gamepad),
            kernel_touch=has_kernel_touch(settings),
        )
        self.sessions = SessionManager(surroundings, settings.limits.sessions, settings.limits.waiting)
        self._exits.push_async_callback(self.sessions.shutdown)
        self._in_background(self.sessions.run())
        self.store.subscribe(self._device_changed)
        self._in_background(self._watch_devices())
        if settings.native.enabled:
            await self._start_native(pool)
        if settings.gamestream.enabled:
            await self._start_gamestream(pool)
        if settings.mgmt.enabled:
            self._progress.says("Starting: console")
            await self._start_browser(pool)
            self.management = await start_management(self, self._loaded, self._exits)
        if settings.network.mdns:
            self._in_background(self._advertise())
        self.ready = True
        self._greet()

    def _choose_desktop(self) -> DesktopChoice:
        display = self._settings.display
        look = LookSettings(command=display.desktop_command, wallpaper=display.wallpaper)
        keyboard = _keyboard(display.keyboard_layout, display.keyboard_options)
        return choose_desktop(
            display.kind,
            self._runtime,
            look,
            keyboard=keyboard,
            environment=self.environment,
            x11_display=display.x11_display,
            wanted=Wanted(self.environment, display.wayland_display, display.output),
        )

    async def _start_browser(self, pool: WorkerPool) -> None:
        plane = make_browser_plane(self._settings, self.video, self.sessions)
        plane.start()
        self.browser = plane
        self._exits.push_async_callback(plane.close)
        self.webtransport = await start_webtransport(self._settings, plane, self._exits)
        pool.warm(BROWSER_WORKER_MODULE)

    async def _start_native(self, pool: WorkerPool) -> None:
        plane = await make_native_plane(
            self._settings, self.video, self.desktop.kind, self.store, self.sessions, frames=self.frames
        )
        await plane.start()
        self.native = plane
        self._exits.push_async_callback(plane.close)
        pool.warm(NATIVE_WORKER_MODULE)

    async def _start_gamestream(self, pool: WorkerPool) -> None:
        settings = self._settings
        required = Encryption.CONTROL_V2 | Encryption.VIDEO | Encryption.AUDIO
        supported = Encryption.CONTROL_V2 | Encryption.AUDIO
        if settings.gamestream.encryption != "off":
            supported |= Encryption.VIDEO
        plane = GameStreamPlane(
            name=settings.host.name,
            unique_id=load_unique_id(settings.host.config_dir),
            address=settings.network.bind_address,
            base_port=settings.network.gamestream_port,
            identity=await asyncio.to_thread(load_gamestream_identity, settings.host.config_dir),
            store=self.store,
            sessions=self.sessions,
            apps=settings.apps,
            offer=StreamOffer(
                codecs=self.video.codecs,
                features=_features(settings),
                reference_invalidation=self.video.reference_invalidation,
                supported=supported,
                required=required if settings.gamestream.encryption == "required" else Encryption.NONE,
                fec_percentage=settings.gamestream.fec_percentage,
                max_bitrate_kbps=settings.video.max_bitrate_kbps,
            ),
            max_sessions=settings.gamestream.max_sessions,
        )
        await plane.start()
        self.gamestream = plane
        self._exits.push_async_callback(plane.close)
        pool.warm(WORKER_MODULE)

    async def _advertise(self) -> None:
        publisher = MdnsPublisher()
        self._exits.push_async_callback(publisher.close)
        name = self._settings.host.name
        address = self._settings.network.bind_address or routed_address() or "127.0.0.1"
        if self.native is not None:
            await publisher.publish(native_advert_of(self._settings, self.native, address))
        if self.gamestream is not None:
            await publisher.publish(gamestream_advert(name, self.gamestream.ports.base, (address,)))

    async def _open_sound(self, user: UserIdentity, runtime: RuntimeDir) -> SoundServer | None:
        if self._settings.display.kind == "synthetic":
            return None
        try:
            server = await open_sound_server(SoundMode(self._settings.audio.mode), user, runtime)
        except SoundError as error:
            log.warning("no sound: %s", error)
            return None
        if server is not None:
            self._exits.push_async_callback(server.close)
            with contextlib.suppress(SoundError):
                await remove_stale_sinks(server)
        return server

    def _sound_opener(self) -> Callable[[str, int], Awaitable[SessionSound]] | None:
        server = self.sound
        if server is None:
            return None

        microphone = self._settings.native.microphone

        async def open_sound(session_id: str, channels: int) -> SessionSound:
            return await SessionSound.open(server, session_id, channels, microphone=microphone)

        return open_sound

    def _device_changed(self, change: DeviceChange) -> None:
        gone = change.kind is ChangeKind.REMOVED or not change.device.enabled
        if gone:
            self._in_background(self.sessions.end_client(change.device.fingerprint, EndReason.REVOKED))

    async def _watch_devices(self) -> None:
        while True:
            await asyncio.sleep(DEVICE_FILE_POLL_S)
            with contextlib.suppress(TrustError):
                self.store.refresh()

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        if not self._tasks:
            self._exits.callback(lambda: [task.cancel() for task in self._tasks])
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a background task failed", exc_info=task.exception())

    def _greet(self) -> None:
        elapsed_s = time.monotonic() - self.started_at
        self._progress.says("")
        output = sys.stderr
        if self._settings.log.format == "text" and output.isatty():
            size = shutil.get_terminal_size()
            look = first_look(self, __version__, elapsed_s)
            output.write("\n" + compose(look, size.columns, size.lines, blocks=_shows_blocks()))
            output.flush()
            return
        for line in greeting(self, __version__, elapsed_s):
            log.info("%s", line)
        if self.management is not None and self.management.setup_link:
            show_setup_link(self.management.setup_link, sys.stderr, self._settings.log.format)


def run(loaded: LoadedSettings, make: Callable[[LoadedSettings], Host] = Host) -> int:
    """Run the host until it is stopped; the exit status, or RESTART. Raises what ``cli.serve`` explains."""
    go_before_others()
    try:
        return asyncio.run(make(loaded).run())
    except (DesktopError, IdentityError, ManagementError, RuntimeDirError, TrustError) as error:
        raise HostError(str(error)) from error


def _keyboard(layout: str, options: str) -> KeyboardLayout:
    """The sessions' keyboard; one that this machine does not have is said now, and is a US keyboard then."""
    try:
        names = KeyboardLayout.parse(layout, options)
        check_layout(names)
    except (LayoutError, OSError) as error:
        log.warning("display.keyboard_layout: %s; sessions get a US keyboard", error)
        return KeyboardLayout()
    return names


def _shows_blocks() -> bool:
    """Whether the terminal can show what a QR code is drawn with. Python writes UTF-8 whatever the locale says; the
    terminal goes by the locale."""
    return locale.nl_langinfo(locale.CODESET).upper() == "UTF-8" and os.environ.get("TERM", "dumb") != "dumb"


def _is_other(user: UserIdentity) -> bool:
    return not user.is_current


def _worker_environment(user: UserIdentity, runtime_dir: Path) -> dict[str, str]:
    return {**user.environment(str(runtime_dir)), "PYTHONDONTWRITEBYTECODE": "1"}


def _features(settings: Settings) -> HostFeatures:
    """Touchpads and motion of controllers need kernel devices with a report descriptor of their own; touch and pen are
    offered where they do not just drive the pointer, which clients do as well by themselves."""
    pads = HostFeatures.CONTROLLER_TOUCH_AND_MOTION if os.access(Node.UHID.value, os.W_OK) else HostFeatures.NONE
    touch = has_kernel_touch(settings) or settings.display.kind == "kwin"
    return pads | HostFeatures.PEN_AND_TOUCH if touch else pads
