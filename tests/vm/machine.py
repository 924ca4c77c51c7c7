"""One run of the virtual machine: boot, one script, power off."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.vm import initramfs, uml
from tests.vm.errors import VmFailed, VmUnavailable
from tests.vm.kernel import Kernel
from tests.vm.uml import UserModeKernel

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 1024
KERNEL_COMMAND_LINE = "console=ttyS0 quiet panic=-1 mitigations=off"
CONSOLE_TAIL_CHARS = 4000


@dataclass(frozen=True)
class Finished:
    """What a run left behind: the console's text and the files that the script wrote to its exchange folder."""

    console: str
    files: Mapping[str, bytes]


ACCELERATORS = {
    # Emulation, fastest with few CPU features; this model has just what wheels of today ask for (x86-64-v2).
    "tcg": ("-accel", "tcg,thread=multi,tb-size=256", "-cpu", "Nehalem,+rdrand"),
    "kvm": ("-accel", "kvm", "-cpu", "host"),
}


def run_script(kernel: Kernel | UserModeKernel, script: str, *, timeout_s: float, accelerator: str = "tcg") -> Finished:
    """Run a shell script as root in the guest; the machine's own file system is there, read-only.

    ``$EXCHANGE`` names a writable folder whose files come back. Raises VmFailed when the guest does not power off
    within ``timeout_s``, VmUnavailable without QEMU.
    """
    if isinstance(kernel, Kernel) and shutil.which(QEMU) is None:
        raise VmUnavailable(f"{QEMU} is missing; install qemu-system-x86")
    with tempfile.TemporaryDirectory(prefix="punktfunk-vm-") as folder:
        exchange = Path(folder) / "exchange"
        exchange.mkdir()
        (exchange / "guest.sh").write_text(f"export EXCHANGE=/tmp/exchange\n{script}\nbusybox poweroff -f\n")
        try:
            if isinstance(kernel, UserModeKernel):
                console = uml.boot(kernel, exchange, timeout_s)
            else:
                ramdisk = Path(folder) / "initramfs"
                initramfs.build(kernel, ramdisk)
                console = _boot(kernel, ramdisk, exchange, timeout_s, ACCELERATORS[accelerator])
        except VmFailed as error:
            raise VmFailed(str(error), _files(exchange)) from None
        return Finished(console, _files(exchange))


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def _boot(kernel: Kernel, ramdisk: Path, exchange: Path, timeout_s: float, accelerator: tuple[str, ...]) -> str:
    command = [
        *(QEMU, "-machine", "q35", *accelerator, "-smp", "2", "-m", str(MEMORY_MIB)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel.image), "-initrd", str(ramdisk), "-append", KERNEL_COMMAND_LINE),
        *("-fsdev", "local,id=root,path=/,security_model=none,multidevs=remap,readonly=on"),
        *("-device", "virtio-9p-pci,fsdev=root,mount_tag=root"),
        *("-fsdev", f"local,id=exchange,path={exchange},security_model=none"),
        *("-device", "virtio-9p-pci,fsdev=exchange,mount_tag=exchange"),
        *("-device", "virtio-rng-pci"),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as qemu:
        try:
            output, _ = qemu.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            qemu.kill()
            output, _ = qemu.communicate()
            tail = output.decode(errors="replace")[-CONSOLE_TAIL_CHARS:]
            raise VmFailed(f"the machine did not finish within {timeout_s:.0f} s:\n{tail}") from None
    return output.decode(errors="replace")
