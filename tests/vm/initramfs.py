"""The first file system of the guest: busybox, the modules and a script, as a cpio archive."""

from __future__ import annotations

import gzip
import shutil
import stat
import subprocess
from pathlib import Path

from tests.vm.errors import VmUnavailable
from tests.vm.kernel import Kernel
from tests.vm.scratch import mount_scratch

INIT = """#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
for module in $(busybox cat /modules/order); do busybox insmod /modules/$module || echo "insmod $module failed"; done
mount_share() { busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,$3 $1 $2; }
mount_share root /root ro,cache=loose || busybox poweroff -f
for folder in dev proc sys; do busybox mount --move /$folder /root/$folder; done
@SCRATCH@
busybox mkdir /root/tmp/exchange
mount_share exchange /root/tmp/exchange rw,cache=none
busybox mount -t tmpfs run /root/run
busybox mkdir -p /root/dev/shm /root/dev/pts
busybox mount -t devpts pts /root/dev/pts
busybox mount -t tmpfs shm /root/dev/shm
busybox ip link set lo up
exec busybox chroot /root /bin/sh /tmp/exchange/guest.sh
"""


def build(kernel: Kernel, target: Path) -> None:
    """Write the gzip-compressed archive."""
    archive = bytearray()
    for folder in ("bin", "dev", "proc", "sys", "root", "modules"):
        archive += _entry(folder, stat.S_IFDIR | 0o755, b"")
    archive += _entry("bin/busybox", stat.S_IFREG | 0o755, _busybox().read_bytes())
    archive += _entry(
        "init", stat.S_IFREG | 0o755, INIT.replace("@SCRATCH@", mount_scratch("/root", "busybox ")).encode()
    )
    for module in kernel.modules:
        archive += _entry(f"modules/{module.name}", stat.S_IFREG | 0o644, module.read_bytes())
    archive += _entry("modules/order", stat.S_IFREG | 0o644, "\n".join(m.name for m in kernel.modules).encode())
    archive += _entry("TRAILER!!!", 0, b"")
    target.write_bytes(gzip.compress(bytes(archive), compresslevel=1))


def _busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise VmUnavailable("busybox is missing; install busybox-static")
    if b"/lib" in subprocess.run(["ldd", found], capture_output=True, check=False).stdout:
        raise VmUnavailable("busybox is linked dynamically; install busybox-static")
    return Path(found)


def _entry(name: str, mode: int, data: bytes) -> bytes:
    """One file of a cpio archive of the "newc" kind: 13 numbers in hex, the name, the data, each padded to 4 bytes."""
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(header) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
