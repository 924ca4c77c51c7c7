"""The parts of the virtual machine that need no virtual machine."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.vm import initramfs, machine
from tests.vm.errors import VmUnavailable
from tests.vm.kernel import Kernel, load_order
from tests.vm.scratch import mount_scratch


def module(folder: Path, name: str, depends: str) -> Path:
    file = folder / f"{name}.ko"
    file.write_bytes(b"\x7fELF...license=GPL\0depends=" + depends.encode() + b"\0name=" + name.encode() + b"\0")
    return file


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    for name, depends in (
        ("uhid", "hid"),
        ("hid", ""),
        ("hid_steam", "ff-memless,hid"),
        ("ff_memless", ""),
        ("other", ""),
    ):
        module(tmp_path, name, depends)
    assert [file.stem for file in load_order(tmp_path)] == ["hid", "uhid", "ff_memless", "hid_steam"]


def test_the_archive_is_what_cpio_reads(tmp_path: Path) -> None:
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    kernel = Kernel("6.0", tmp_path / "vmlinuz", (module(tmp_path, "hid", ""),))
    initramfs.build(kernel, tmp_path / "initramfs")
    archive = gzip.decompress((tmp_path / "initramfs").read_bytes())
    listed = subprocess.run(["busybox", "cpio", "-t"], input=archive, capture_output=True, check=True).stdout.split()
    assert {b"init", b"bin/busybox", b"modules/hid.ko", b"modules/order"} <= set(listed)


def test_a_missing_qemu_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "QEMU", "qemu-that-nobody-has")
    with pytest.raises(VmUnavailable, match="install qemu-system-x86"):
        machine.run_script(Kernel("6.0", tmp_path, ()), "true", timeout_s=1)


def test_a_checkout_in_tmp_is_put_back_over_the_guests_own_tmp() -> None:
    lines = mount_scratch("/root", "busybox ", needed=(Path("/tmp/a b/main"), Path("/opt/python")))
    assert lines.splitlines() == [
        "busybox mount --bind /root/tmp /root/mnt",
        "busybox mount -t tmpfs tmp /root/tmp",
        "busybox mkdir -p '/root/tmp/a b/main'",
        "busybox mount --bind '/root/mnt/a b/main' '/root/tmp/a b/main'",
    ]
    assert mount_scratch(needed=(Path("/opt/python"),)) == "mount -t tmpfs tmp /tmp"
