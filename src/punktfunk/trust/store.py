"""The paired devices of both planes: two small JSON files behind one class."""

from __future__ import annotations

import dataclasses
import enum
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from punktfunk.trust.certificate import Certificate
from punktfunk.trust.devices import Grants, PairedDevice, Plane, clean_name
from punktfunk.trust.errors import CertificateError, StoreError
from punktfunk.trust.files import write_private
from punktfunk.trust.identity import NATIVE_DEVICES_FILE

FILE_NAMES = {Plane.NATIVE: NATIVE_DEVICES_FILE, Plane.GAMESTREAM: "gamestream-paired.json"}
MAX_DEVICES = 1024
MAX_FILE_BYTES = 16 << 20

_logger = logging.getLogger(__name__)


class ChangeKind(enum.Enum):
    """What happened to a device."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """One change: ``device`` is the new entry, or the old one when it was removed."""

    kind: ChangeKind
    device: PairedDevice


ChangeHandler = Callable[[DeviceChange], None]
_Stamp = tuple[int, int, int] | None
_T = TypeVar("_T")


class DeviceStore:
    """Lists, adds, renames and removes paired devices; each change is on the disk before it takes effect.

    Keys that this program does not know stay in the files. A malformed file raises StoreError and is never
    overwritten. Handlers run in the caller's thread after the change; use one thread.
    """

    def __init__(self, config_dir: Path) -> None:
        """Read both files; missing ones are empty. Raises StoreError."""
        self._files = {plane: _DeviceFile(plane, config_dir / name) for plane, name in FILE_NAMES.items()}
        self._handlers: list[ChangeHandler] = []
        for file in self._files.values():
            file.load()

    def devices(self) -> list[PairedDevice]:
        """All devices, native ones first, in the order they were paired."""
        return [device for file in self._files.values() for device in file.devices()]

    def find(self, plane: Plane, fingerprint: str) -> PairedDevice | None:
        """The device of ``plane`` with exactly this certificate."""
        return self._files[plane].find(fingerprint)

    def add(self, device: PairedDevice) -> None:
        """Store ``device``, replacing an entry with the same certificate; raises StoreError."""
        known = self.find(device.plane, device.fingerprint)
        if known is None and len(self.devices()) >= MAX_DEVICES:
            raise StoreError(f"{MAX_DEVICES} devices are paired already; remove some first")
        self._put(device)

    def rename(self, fingerprint: str, name: str) -> None:
        """Give a device another name; raises StoreError."""
        for device in self._named(fingerprint):
            self._put(dataclasses.replace(device, name=clean_name(name, device.name)))

    def set_enabled(self, fingerprint: str, enabled: bool) -> None:
        """Let a device in or keep it out without unpairing it; raises StoreError."""
        for device in self._named(fingerprint):
            self._put(dataclasses.replace(device, enabled=enabled))

    def set_grants(self, fingerprint: str, grants: Grants, expires_unix: int = 0) -> None:
        """Change what a device may do and until when (0 = for ever); raises StoreError."""
        for device in self._named(fingerprint):
            self._put(dataclasses.replace(device, grants=grants, expires_unix=expires_unix))

    def remove(self, fingerprint: str) -> None:
        """Unpair a device from both planes; raises StoreError, also when it is unknown."""
        for device in self._named(fingerprint):
            file = self._files[device.plane]
            self._notify(file.refresh())
            file.write(file.entries_without(fingerprint))
            self._notify([DeviceChange(ChangeKind.REMOVED, device)])

    def subscribe(self, handler: ChangeHandler) -> Callable[[], None]:
        """Call ``handler`` after every change; returns the function that ends it."""
        self._handlers.append(handler)
        return lambda: self._handlers.remove(handler)

    def refresh(self) -> None:
        """Take over changes that another process made to the files. Cheap; call it about once a second.

        Raises StoreError when a file has become malformed, and keeps the last good list.
        """
        for file in self._files.values():
            self._notify(file.refresh())

    def _named(self, fingerprint: str) -> list[PairedDevice]:
        found = [device for device in self.devices() if device.fingerprint == fingerprint]
        if not found:
            raise StoreError(f"no paired device has the fingerprint {fingerprint}")
        return found

    def _put(self, device: PairedDevice) -> None:
        file = self._files[device.plane]
        self._notify(file.refresh())
        kind = ChangeKind.ADDED if file.find(device.fingerprint) is None else ChangeKind.CHANGED
        file.write(file.entries_with(device))
        self._notify([DeviceChange(kind, device)])

    def _notify(self, changes: Iterable[DeviceChange]) -> None:
        for change in changes:
            for handler in tuple(self._handlers):
                handler(change)


@dataclass(frozen=True, slots=True)
class _Entry:
    device: PairedDevice
    raw: dict[str, Any]


class _DeviceFile:
    """One JSON file ``{"clients": [...]}`` and what it holds."""

    def __init__(self, plane: Plane, path: Path) -> None:
        self._plane = plane
        self._path = path
        self._document: dict[str, Any] = {}
        self._entries: dict[str, _Entry] = {}
        self._stamp: _Stamp = None

    def devices(self) -> list[PairedDevice]:
        return [entry.device for entry in self._entries.values()]

    def find(self, fingerprint: str) -> PairedDevice | None:
        entry = self._entries.get(fingerprint)
        return entry.device if entry else None

    def entries_with(self, device: PairedDevice) -> dict[str, _Entry]:
        known = self._entries.get(device.fingerprint)
        entry = _Entry(device, {**(known.raw if known else {}), **_encode(device)})
        return {**self._entries, device.fingerprint: entry}

    def entries_without(self, fingerprint: str) -> dict[str, _Entry]:
        return {key: entry for key, entry in self._entries.items() if key != fingerprint}

    def load(self) -> None:
        stamp = self._read_stamp()
        document, entries = self._parse() if stamp else ({}, {})
        self._document, self._entries, self._stamp = document, entries, stamp

    def refresh(self) -> list[DeviceChange]:
        """Read the file again if it changed; the differences to what was known."""
        if self._read_stamp() == self._stamp:
            return []
        before = {key: entry.device for key, entry in self._entries.items()}
        self.load()
        after = {key: entry.device for key, entry in self._entries.items()}
        removed = [DeviceChange(ChangeKind.REMOVED, device) for key, device in before.items() if key not in after]
        added = [DeviceChange(ChangeKind.ADDED, device) for key, device in after.items() if key not in before]
        changed = [
            DeviceChange(ChangeKind.CHANGED, device)
            for key, device in after.items()
            if key in before and before[key] != device
        ]
        return removed + added + changed

    def write(self, entries: dict[str, _Entry]) -> None:
        document = {**self._document, "clients": [entry.raw for entry in entries.values()]}
        try:
            write_private(self._path, json.dumps(document, indent=2).encode() + b"\n", replace=True)
        except OSError as error:
            raise StoreError(f"cannot write {self._path}: {error.strerror}") from error
        self._document, self._entries, self._stamp = document, entries, self._read_stamp()

    def _read_stamp(self) -> _Stamp:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {self._path}: {error.strerror}") from error
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _parse(self) -> tuple[dict[str, Any], dict[str, _Entry]]:
        try:
            with open(self._path, "rb") as file:
                text = file.read(MAX_FILE_BYTES + 1)
            if len(text) > MAX_FILE_BYTES:
                raise StoreError(f"{self._path} is larger than {MAX_FILE_BYTES} bytes")
            document = json.loads(text)
        except OSError as error:
            raise StoreError(f"cannot read {self._path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{self._path} is not JSON ({error}); repair it or move it away") from None
        clients = document.get("clients") if isinstance(document, dict) else None
        if not isinstance(clients, list) or len(clients) > MAX_DEVICES:
            raise StoreError(f'{self._path} has no list "clients" of at most {MAX_DEVICES} entries')
        entries: dict[str, _Entry] = {}
        for index, raw in enumerate(clients):
            try:
                device = _decode(self._plane, raw)
            except (KeyError, TypeError, ValueError, CertificateError) as error:
                raise StoreError(f"{self._path}: clients[{index}] is malformed ({error}); repair it") from None
            entries[device.fingerprint] = _Entry(device, raw)
        return document, entries


def _decode(plane: Plane, raw: dict[str, Any]) -> PairedDevice:
    certificate_pem = ""
    fingerprint = _typed(raw["fingerprint"], str).lower()
    if len(bytes.fromhex(fingerprint)) != 32 or len(fingerprint) != 64:
        raise ValueError("fingerprint is not 64 hex digits")
    if plane is Plane.GAMESTREAM:
        certificate_pem = _typed(raw["certificate"], str)
        if Certificate.from_pem(certificate_pem).fingerprint != fingerprint:
            raise ValueError("fingerprint does not belong to the certificate")
    added = raw.get("granted_unix" if plane is Plane.NATIVE else "added_unix")
    return PairedDevice(
        plane=plane,
        name=clean_name(_typed(raw["name"], str), f"device {fingerprint[:8]}"),
        fingerprint=fingerprint,
        certificate_pem=certificate_pem,
        grants=Grants(_count(raw.get("grants"), int(Grants.ALL)) & Grants.ALL),
        expires_unix=_count(raw.get("expires_unix"), 0),
        added_unix=_count(added, 0),
        enabled=_typed(raw.get("enabled", True), bool),
    )


def _encode(device: PairedDevice) -> dict[str, Any]:
    """The keys of one entry; native ones in the form of punktfunk1.md §3.5, where ``enabled`` is an addition."""
    entry: dict[str, Any] = {"name": device.name, "fingerprint": device.fingerprint}
    if device.plane is Plane.GAMESTREAM:
        entry |= {"certificate": device.certificate_pem, "added_unix": device.added_unix}
    else:
        entry |= {"granted_unix": device.added_unix}
    return entry | {"grants": int(device.grants), "expires_unix": device.expires_unix, "enabled": device.enabled}


def _typed(value: object, kind: type[_T]) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _count(value: object, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError("expected a whole number that is not negative")
    return value
