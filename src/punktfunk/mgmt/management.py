"""Everything the routes work with, and the second hand that makes events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from punktfunk.mgmt.account import Account
from punktfunk.mgmt.audit import AuditLog
from punktfunk.mgmt.doctor_runs import DoctorRuns
from punktfunk.mgmt.events import EventBus
from punktfunk.mgmt.gate import Gate
from punktfunk.mgmt.host_view import HostView
from punktfunk.mgmt.log_ring import LogRing
from punktfunk.mgmt.recordings import Recorder, RecordingFiles
from punktfunk.mgmt.setup_link import SetupLink
from punktfunk.mgmt.throttle import GuessThrottle
from punktfunk.mgmt.watcher import INTERVAL_S, Watcher
from punktfunk.trust.devices import PairedDevice, Plane
from punktfunk.trust.store import DeviceChange, DeviceStore


@dataclass
class Management:
    """The state behind the routes; runs on the event loop. ``cookie`` is the name of the session cookie."""

    host: HostView
    store: DeviceStore
    account: Account
    audit: AuditLog
    logs: LogRing
    recordings: RecordingFiles
    machine_token: str = field(repr=False)
    cookie: str = "__Host-punktfunk"
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    events: EventBus = field(default_factory=EventBus)
    recorder: Recorder = field(default_factory=Recorder)
    setup: SetupLink = field(default_factory=SetupLink)
    throttle: GuessThrottle = field(default_factory=GuessThrottle)

    def __post_init__(self) -> None:
        self.gate = Gate(self.account, self.machine_token, self._find_device, self.throttle)
        self.doctor = DoctorRuns(self.host.doctor, self.events)
        self.watcher = Watcher(self.host, self.events, self.recorder)

    async def run(self) -> None:
        """Look for changes once a second until cancelled."""
        unsubscribe = self.store.subscribe(self._device_changed)
        try:
            while True:
                self.watcher.tick(self.clock(), self.wall_clock(), self.logs.count)
                await asyncio.sleep(INTERVAL_S)
        finally:
            unsubscribe()
            self.doctor.cancel()

    def _find_device(self, fingerprint: str) -> PairedDevice | None:
        device = self.store.find(Plane.NATIVE, fingerprint)
        return device if device is not None and device.admitted(self.wall_clock()) else None

    def _device_changed(self, change: DeviceChange) -> None:
        device = change.device
        self.events.publish(
            "devices", {"change": change.kind.value, "fingerprint": device.fingerprint, "name": device.name}
        )
