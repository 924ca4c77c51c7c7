"""The gamepads of one session: events in, devices in the kernel, feedback out. Runs in the worker.

`PadHub.handle` writes to the device on the caller's thread; one thread of the hub waits for games. Both take one lock.
"""

from __future__ import annotations

import functools
import logging
import os
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from punktfunk.input.events import (
    Feedback,
    InputEvent,
    MotionRequested,
    PadArrived,
    PadBattery,
    PadEvent,
    PadKind,
    PadMotion,
    PadRemoved,
    PadState,
    PadTouched,
)
from punktfunk.input.gamepads import catalogue
from punktfunk.input.gamepads.catalogue import Node, Placement
from punktfunk.input.gamepads.device import VirtualPad
from punktfunk.input.gamepads.feedback_gate import FeedbackGate
from punktfunk.input.gamepads.inputs import PadInputs
from punktfunk.input.gamepads.nodes import bound_driver, pad_phys

MAX_PADS = 16
MAX_PHYS_BYTES = 63
MOTION_RATE_HZ = 250
ACCELEROMETER, GYROSCOPE = 1, 2
CLOSE_TIMEOUT_S = 10.0
DRIVER_PATIENCE_S = 3.0
"""Until then the kernel has loaded a module and the slowest driver has shaken hands."""

log = logging.getLogger(__name__)


class _Plugged:
    """A pad and the newest of its inputs; ``wanted`` is the kind that it stands for.

    ``check_at`` is when its driver must have taken it, None once that is settled.
    """

    def __init__(self, kind: PadKind, wanted: PadKind, device: VirtualPad, check_at: float | None) -> None:
        self.kind = kind
        self.wanted = wanted
        self.check_at = check_at
        self.device = device
        self.inputs = PadInputs()


class PadHub:
    """Up to 16 pads. Safe to call from any thread.

    ``on_feedback`` is called from any thread, and must neither call back, block nor raise.
    ``open_node`` returns a fresh non-inheritable descriptor of the node, which the hub then owns, or raises OSError.
    ``session`` tells this session's pads from all others on the machine: it is in their ``phys`` and in their serials.
    Raises ValueError when it is too long for that. ``without_driver`` are kinds that need not be tried.
    """

    def __init__(
        self,
        open_node: Callable[[Node], int],
        on_feedback: Callable[[Feedback], None],
        *,
        session: str,
        session_default: PadKind = PadKind.AUTO,
        setting: PadKind = PadKind.AUTO,
        clock: Callable[[], float] = time.monotonic,
        driver_of: Callable[[str], str | None] = bound_driver,
        without_driver: frozenset[PadKind] = frozenset(),
    ) -> None:
        if len(pad_phys(session, MAX_PADS - 1).encode()) > MAX_PHYS_BYTES:
            raise ValueError(f"session name {session!r} is too long for a device")
        self._open_node = open_node
        self._on_feedback = on_feedback
        self._session = session
        self._session_default = session_default
        self._setting = setting
        self._clock = clock
        self._driver_of = driver_of
        self._without_driver = set(without_driver)
        self._lock = threading.Lock()
        self._pads: dict[int, _Plugged] = {}
        self._arrivals: dict[int, PadArrived] = {}
        self._refused: set[int] = set()
        self._said: set[tuple[PadKind, PadKind | None]] = set()
        self._gate = FeedbackGate()
        self._plugged_ever = 0
        self._closed = False
        self._poll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake_fd, select.EPOLLIN)
        # Unplugging waits for a driver that is still starting; neither other input nor other pads must.
        self._unplugger = ThreadPoolExecutor(MAX_PADS, thread_name_prefix="pad-unplug")
        self._thread = threading.Thread(target=self._run, name="pad-feedback", daemon=True)
        self._thread.start()

    def kinds(self) -> dict[int, PadKind]:
        """The pads that are plugged in, and as what."""
        with self._lock:
            return {pad: plugged.kind for pad, plugged in self._pads.items()}

    def handle(self, event: InputEvent) -> None:
        """Take one event; what is not about a pad, or about a seventeenth, is ignored. Nothing after `close`."""
        if not isinstance(event, PadEvent):
            return
        if not 0 <= event.pad < MAX_PADS:
            return
        with self._lock:
            if self._closed:
                return
            if isinstance(event, PadRemoved):
                self._remove(event.pad)
            elif isinstance(event, PadArrived):
                self._arrive(event)
            else:
                self._apply(event)

    def let_go(self) -> None:
        """Bring every pad to rest; each stays plugged in, and the client's next state says how it really is."""
        with self._lock:
            for pad, plugged in list(self._pads.items()):
                rest = plugged.inputs.at_rest()
                if plugged.inputs != rest:
                    plugged.inputs = rest
                    self._show(pad, plugged)

    def close(self) -> None:
        """Unplug every pad, after the stop of what they still do. Safe to repeat.

        Takes milliseconds, but seconds when a driver is still shaking hands with a pad.
        """
        with self._lock:
            if self._closed:
                return
            for pad in list(self._pads):
                self._remove(pad)
            self._closed = True
        self._wake()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT_S)
        self._unplugger.shutdown(wait=True)
        self._poll.close()
        os.close(self._wake_fd)

    def _arrive(self, event: PadArrived) -> None:
        plugged = self._pads.get(event.pad)
        if plugged is not None and (event.kind is PadKind.AUTO or plugged.wanted is self._choose(event)):
            # A client that came back: the game's pad stays, and the client learns what it does.
            for feedback in self._gate.current(event.pad):
                self._on_feedback(feedback)
            return
        self._remove(event.pad)
        self._arrivals[event.pad] = event
        self._plug(event.pad)

    def _choose(self, arrival: PadArrived | None) -> PadKind:
        return catalogue.choose(arrival, self._session_default, self._setting)

    def _apply(self, event: PadState | PadMotion | PadTouched | PadBattery) -> None:
        plugged = self._pads.get(event.pad) or self._plug(event.pad)
        if plugged is None:
            return
        match event:
            case PadState():
                plugged.inputs = plugged.inputs.with_state(event)
            case PadMotion():
                plugged.inputs = plugged.inputs.with_motion(event)
            case PadTouched():
                plugged.inputs = plugged.inputs.with_touch(event)
            case PadBattery():
                plugged.inputs = plugged.inputs.with_battery(event)
        self._show(event.pad, plugged)

    def _show(self, pad: int, plugged: _Plugged) -> None:
        now = self._clock()
        due = plugged.device.due()
        self._device_call(pad, functools.partial(plugged.device.send, plugged.inputs, now))
        after = plugged.device.due()
        if after is not None and (due is None or after < due):
            self._wake()

    def _plug(self, pad: int) -> _Plugged | None:
        if pad in self._refused:
            return None
        arrival = self._arrivals.get(pad)
        wanted = self._choose(arrival)
        capabilities = 0 if arrival is None else arrival.capabilities
        dual = capabilities & catalogue.CAPABILITY_DUAL_TOUCHPAD != 0
        # The device of the same pad's last life may still be going away; drivers refuse a serial that is there twice.
        self._plugged_ever += 1
        serial = f"{self._session}/{pad}/{self._plugged_ever}"
        placement = Placement(pad, serial, pad_phys(self._session, pad), dual)
        reasons: list[str] = []
        for kind in catalogue.substitutes(wanted):
            device = self._try(kind, placement, reasons)
            if device is not None:
                check_at = None if catalogue.node_of(kind) is Node.UINPUT else self._clock() + DRIVER_PATIENCE_S
                plugged = self._pads[pad] = _Plugged(kind, wanted, device, check_at)
                self._poll.register(device.fileno(), select.EPOLLIN)
                self._say(wanted, kind, reasons)
                self._ask_for_motion(pad, kind)
                self._wake()
                return plugged
        self._refused.add(pad)
        self._say(wanted, None, reasons)
        return None

    def _try(self, kind: PadKind, placement: Placement, reasons: list[str]) -> VirtualPad | None:
        node = catalogue.node_of(kind)
        if kind in self._without_driver:
            reasons.append(f"the kernel has no driver for {kind.value}")
            return None
        try:
            fd = self._open_node(node)
        except OSError as error:
            reasons.append(f"{node.value}: {error.strerror or error}")
            return None
        try:
            return catalogue.make(kind, fd, placement, self._clock())
        except OSError as error:
            os.close(fd)
            reasons.append(f"{kind.value} on {node.value}: {error.strerror or error}")
            return None

    def _say(self, wanted: PadKind, got: PadKind | None, reasons: list[str]) -> None:
        if wanted is got or (wanted, got) in self._said:
            return
        self._said.add((wanted, got))
        why = "; ".join(dict.fromkeys(reasons)) or "no driver knows it"
        if got is None:
            log.warning("No virtual gamepad: %s. To allow it, run: punktfunk-host setup input", why)
        else:
            log.warning("A %s pad is not available here (%s); using %s", wanted.value, why, got.value)

    def _ask_for_motion(self, pad: int, kind: PadKind) -> None:
        if catalogue.has_motion(kind):
            for sensor in (ACCELEROMETER, GYROSCOPE):
                self._pass_on([MotionRequested(pad, sensor, MOTION_RATE_HZ)])

    def _remove(self, pad: int) -> None:
        self._arrivals.pop(pad, None)
        self._refused.discard(pad)
        plugged = self._pads.pop(pad, None)
        if plugged is None:
            return
        self._poll.unregister(plugged.device.fileno())
        for feedback in self._gate.silence(pad, self._clock()):
            self._on_feedback(feedback)
        self._unplugger.submit(_unplug, plugged.device)

    def _device_call(self, pad: int, call: Callable[[], object]) -> None:
        try:
            call()
        except OSError as error:
            log.warning("Virtual gamepad %d is gone: %s", pad, error.strerror or error)
            self._remove(pad)
            self._refused.add(pad)

    def _pass_on(self, feedback: list[Feedback]) -> None:
        now = self._clock()
        for each in feedback:
            for passed in self._gate.offer(each, now):
                self._on_feedback(passed)

    def _wake(self) -> None:
        os.eventfd_write(self._wake_fd, 1)

    def _run(self) -> None:
        while not self._closed:
            ready = {fd for fd, _ in self._poll.poll(self._timeout_s())}
            with self._lock:
                if self._closed:
                    return
                if self._wake_fd in ready:
                    os.eventfd_read(self._wake_fd)
                self._serve(ready)

    def _timeout_s(self) -> float | None:
        with self._lock:
            now = self._clock()
            times = [time for plugged in self._pads.values() for time in (plugged.device.due(), plugged.check_at)]
            times.append(self._gate.due())
        first = min((each for each in times if each is not None), default=None)
        return None if first is None else max(first - now, 0.0)

    def _serve(self, ready: set[int]) -> None:
        now = self._clock()
        for pad, plugged in list(self._pads.items()):
            self._device_call(pad, functools.partial(self._serve_one, plugged.device, ready, now))
            if plugged.check_at is not None and plugged.check_at <= now and self._pads.get(pad) is plugged:
                self._check_driver(pad, plugged)
        for feedback in self._gate.flush(now):
            self._on_feedback(feedback)

    def _check_driver(self, pad: int, plugged: _Plugged) -> None:
        """Replace a pad that no driver made into one: games would not see it."""
        plugged.check_at = None
        if catalogue.taken_care_of(plugged.kind, self._driver_of(pad_phys(self._session, pad))):
            return
        self._without_driver.add(plugged.kind)
        arrival = self._arrivals.get(pad)
        self._remove(pad)
        if arrival is not None:
            self._arrivals[pad] = arrival
        if (substitute := self._plug(pad)) is not None:
            substitute.inputs = plugged.inputs
            self._show(pad, substitute)

    def _serve_one(self, device: VirtualPad, ready: set[int], now: float) -> None:
        if device.fileno() in ready:
            self._pass_on(device.read(now))
        due = device.due()
        if due is not None and due <= now:
            self._pass_on(device.tick(now))


def open_node(node: Node) -> int:
    """Open the node by its path; for processes that have the right to."""
    return os.open(node.value, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)


def _unplug(device: VirtualPad) -> None:
    try:
        device.close()
    except OSError as error:
        log.warning("Unplugging a virtual gamepad: %s", error.strerror or error)
