"""The paired devices: forms on disk, changes, damage."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.unit.gamestream.pairing_client import rsa_key, self_signed

from punktfunk.trust import files
from punktfunk.trust.devices import Grants, PairedDevice, Plane, clean_name
from punktfunk.trust.errors import StoreError
from punktfunk.trust.store import MAX_DEVICES, ChangeKind, DeviceChange, DeviceStore

NATIVE_FILE = "punktfunk1-paired.json"
GAMESTREAM_FILE = "gamestream-paired.json"
CERTIFICATE = self_signed(rsa_key(1))
TV = PairedDevice(Plane.NATIVE, "TV", "ab" * 32, added_unix=1_700_000_000)
PHONE = PairedDevice(Plane.GAMESTREAM, "Phone", CERTIFICATE.fingerprint, CERTIFICATE.pem, added_unix=1_700_000_001)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_both_planes_survive_a_restart(tmp_path: Path) -> None:
    store = DeviceStore(tmp_path)
    store.add(TV)
    store.add(PHONE)
    assert DeviceStore(tmp_path).devices() == [TV, PHONE]
    assert DeviceStore(tmp_path).find(Plane.GAMESTREAM, CERTIFICATE.fingerprint) == PHONE
    assert DeviceStore(tmp_path).find(Plane.NATIVE, CERTIFICATE.fingerprint) is None


def test_native_file_has_the_form_of_other_hosts(tmp_path: Path) -> None:
    DeviceStore(tmp_path).add(TV)
    (entry,) = read(tmp_path / NATIVE_FILE)["clients"]
    assert (
        entry.items()
        >= {
            "name": "TV",
            "fingerprint": "ab" * 32,
            "grants": 63,
            "expires_unix": 0,
            "granted_unix": 1_700_000_000,
        }.items()
    )


def test_native_entries_of_old_hosts_are_read(tmp_path: Path) -> None:
    (tmp_path / NATIVE_FILE).write_text(json.dumps({"clients": [{"name": "Old", "fingerprint": "CD" * 32}]}))
    (device,) = DeviceStore(tmp_path).devices()
    assert (device.fingerprint, device.grants, device.expires_unix) == ("cd" * 32, Grants.ALL, 0)


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    path = tmp_path / NATIVE_FILE
    entry = {"name": "TV", "fingerprint": "ab" * 32, "colour": "red"}
    path.write_text(json.dumps({"format": 7, "clients": [entry]}))
    store = DeviceStore(tmp_path)
    store.rename("ab" * 32, "Telly")
    store.add(PairedDevice(Plane.NATIVE, "Other", "cd" * 32))
    document = read(path)
    assert document["format"] == 7
    assert document["clients"][0]["colour"] == "red"
    assert document["clients"][0]["name"] == "Telly"


def test_changes_are_announced_after_they_are_on_disk(tmp_path: Path) -> None:
    store, seen = DeviceStore(tmp_path), []

    def on_change(change: DeviceChange) -> None:
        on_disk = {device.fingerprint for device in DeviceStore(tmp_path).devices()}
        seen.append((change.kind, change.device.name, change.device.fingerprint in on_disk))

    end = store.subscribe(on_change)
    store.add(TV)
    store.rename(TV.fingerprint, "Telly")
    store.set_enabled(TV.fingerprint, False)
    store.set_grants(TV.fingerprint, Grants.GAMEPAD, 99)
    store.remove(TV.fingerprint)
    end()
    store.add(TV)
    assert seen == [
        (ChangeKind.ADDED, "TV", True),
        *[(ChangeKind.CHANGED, "Telly", True)] * 3,
        (ChangeKind.REMOVED, "Telly", False),
    ]


def test_unpairing_by_another_process_is_noticed(tmp_path: Path) -> None:
    ours, seen = DeviceStore(tmp_path), []
    ours.add(TV)
    ours.subscribe(seen.append)
    DeviceStore(tmp_path).remove(TV.fingerprint)
    ours.refresh()
    ours.refresh()
    assert seen == [DeviceChange(ChangeKind.REMOVED, TV)]
    assert ours.devices() == []


def test_changes_of_two_processes_are_both_kept(tmp_path: Path) -> None:
    one, two = DeviceStore(tmp_path), DeviceStore(tmp_path)
    one.add(TV)
    two.add(PairedDevice(Plane.NATIVE, "Other", "cd" * 32))
    assert len(DeviceStore(tmp_path).devices()) == 2


BROKEN = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"clients": {}}',
    b'{"clients": [1]}',
    b'{"clients": [{"name": "x"}]}',
    b'{"clients": [{"name": 1, "fingerprint": "' + b"ab" * 32 + b'"}]}',
    b'{"clients": [{"name": "x", "fingerprint": "' + b"ab" * 31 + b'"}]}',
    b'{"clients": [{"name": "x", "fingerprint": "' + b"ab" * 32 + b'", "grants": -1}]}',
    b'{"clients": [{"name": "x", "fingerprint": "' + b"ab" * 32 + b'", "enabled": "yes"}]}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("name", [NATIVE_FILE, GAMESTREAM_FILE])
def test_malformed_file_is_reported_and_never_overwritten(tmp_path: Path, name: str, content: bytes) -> None:
    store = DeviceStore(tmp_path)
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(StoreError, match=name):
        DeviceStore(tmp_path)
    with pytest.raises(StoreError, match=name):
        store.add(TV if name == NATIVE_FILE else PHONE)
    assert path.read_bytes() == content


def test_certificate_with_a_foreign_fingerprint_is_reported(tmp_path: Path) -> None:
    DeviceStore(tmp_path).add(PHONE)
    path = tmp_path / GAMESTREAM_FILE
    path.write_text(path.read_text().replace(PHONE.fingerprint, "ab" * 32))
    with pytest.raises(StoreError, match="does not belong"):
        DeviceStore(tmp_path)


def test_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, seen = DeviceStore(tmp_path), []
    store.add(TV)
    before = (tmp_path / NATIVE_FILE).read_bytes()
    store.subscribe(seen.append)

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(StoreError, match="No space left"):
        store.remove(TV.fingerprint)
    assert (store.devices(), seen) == ([TV], [])
    assert (tmp_path / NATIVE_FILE).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [NATIVE_FILE]


def test_file_is_private(tmp_path: Path) -> None:
    DeviceStore(tmp_path).add(TV)
    assert stat.S_IMODE((tmp_path / NATIVE_FILE).stat().st_mode) == 0o600


def test_number_of_devices_is_bounded(tmp_path: Path) -> None:
    entries = [{"name": "x", "fingerprint": f"{n:064x}"} for n in range(MAX_DEVICES)]
    (tmp_path / NATIVE_FILE).write_text(json.dumps({"clients": entries}))
    store = DeviceStore(tmp_path)
    with pytest.raises(StoreError, match="paired already"):
        store.add(PHONE)
    store.add(PairedDevice(Plane.NATIVE, "again", f"{0:064x}"))


def test_unknown_device_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no paired device"):
        DeviceStore(tmp_path).remove("ab" * 32)


def test_disabled_and_expired_devices_are_not_admitted() -> None:
    assert TV.admitted(0)
    assert not PairedDevice(Plane.NATIVE, "x", "ab" * 32, enabled=False).admitted(0)
    until_ten = PairedDevice(Plane.NATIVE, "x", "ab" * 32, expires_unix=10)
    assert (until_ten.admitted(9.9), until_ten.admitted(10)) == (True, False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Living room", "Living room"),
        ("a\n\x1b[31mb", "a [31mb"),
        ("\u202egnp.exe", "gnp.exe"),
        ("x" * 100, "x" * 64),
        ("  ", "fallback"),
        ("\x00\u2066", "fallback"),
    ],
)
def test_names_are_safe_to_show(text: str, shown: str) -> None:
    assert clean_name(text, "fallback") == shown
