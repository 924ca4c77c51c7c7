"""User-Mode Linux: a kernel that is an ordinary program. Native speed, half a second to start, the same drivers.

Debian's own has no input devices, so it is built from Debian's kernel source: once, by hand, in about five minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.vm.errors import VmFailed, VmUnavailable
from tests.vm.kernel import cache_dir, locked, run_command
from tests.vm.scratch import mount_scratch

NAME = "uml"
"""What ``--kernel`` calls it."""
SOURCE_PACKAGE = "linux-source-6.12"
CONFIG = Path(__file__).with_name("uml.config")
BUILD_PACKAGES = ("gcc", "make", "flex", "bison", "bc", "libc6-dev", "libelf-dev", "xz-utils")
BUILD_TIMEOUT_S = 3600
MEMORY_MIB = 2048
CONSOLE_TAIL_CHARS = 4000

INIT = """#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
{scratch}
mkdir /tmp/exchange
mount -t hostfs none /tmp/exchange -o {exchange}
mount -t tmpfs run /run
mkdir -p /dev/shm /dev/pts
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
busybox ip link set lo up
exec /bin/sh /tmp/exchange/guest.sh
"""


@dataclass(frozen=True)
class UserModeKernel:
    """The program that is the kernel."""

    program: Path


def get_user_mode_kernel() -> UserModeKernel:
    """The one that was built. Raises VmUnavailable where none was."""
    program = _program()
    if not program.exists():
        raise VmUnavailable(
            "no User-Mode Linux was built for this version; build it with: python -m tests.vm build-uml"
        )
    return UserModeKernel(program)


def build() -> Path:
    """Fetch the source, configure and compile it, keep the program. Raises VmUnavailable or VmFailed."""
    program = _program()
    for tool in ("gcc", "make", "flex", "bison", "bc"):
        if shutil.which(tool) is None:
            raise VmUnavailable(f"{tool} is missing; install: {' '.join(BUILD_PACKAGES)}")
    with locked(cache_dir()) as cache, tempfile.TemporaryDirectory(dir=cache) as work:
        _compile(_source(Path(work)), program)
    return program


def _program() -> Path:
    """Another configuration is another program."""
    digest = hashlib.blake2s(CONFIG.read_bytes() + SOURCE_PACKAGE.encode(), digest_size=4).hexdigest()
    return cache_dir() / f"linux-uml-{digest}"


def _source(work: Path) -> Path:
    run_command("apt-get", "download", SOURCE_PACKAGE, cwd=str(work))
    archive = next(work.glob("*.deb"), None)
    if archive is None:
        raise VmUnavailable(f"apt could not download {SOURCE_PACKAGE}")
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as files:
            for member in files:
                source = files.extractfile(member) if member.name.endswith(".tar.xz") else None
                if source is not None:
                    with (work / "source.tar.xz").open("wb") as target:
                        shutil.copyfileobj(source, target)
    run_command("tar", "-xJf", "source.tar.xz", cwd=str(work))
    return work / SOURCE_PACKAGE


def _compile(source: Path, program: Path) -> None:
    merge = f"./scripts/kconfig/merge_config.sh -m -O . .config {CONFIG}"
    jobs = f"make ARCH=um -j{os.cpu_count() or 1} linux"
    steps = ("make ARCH=um allnoconfig", merge, "make ARCH=um olddefconfig", jobs, "strip linux")
    for step in steps:
        done = subprocess.run(
            ["nice", "sh", "-c", step],
            cwd=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise VmFailed(f"{step}:\n{done.stdout[-CONSOLE_TAIL_CHARS:]}")
    shutil.move(source / "linux", program)


def boot(kernel: UserModeKernel, exchange: Path, timeout_s: float) -> str:
    """Run ``guest.sh`` of the exchange folder to its end; the console's text. Raises VmFailed on timeout."""
    init = exchange / "init.sh"
    init.write_text(INIT.format(exchange=exchange, scratch=mount_scratch()))
    init.chmod(0o755)
    command = [
        *(str(kernel.program), f"mem={MEMORY_MIB}M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"),
        *("con=null", "con0=null,fd:1", "quiet"),
    ]
    # It is several processes; they end together.
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            tail = output.decode(errors="replace")[-CONSOLE_TAIL_CHARS:]
            raise VmFailed(f"the machine did not finish within {timeout_s:.0f} s:\n{tail}") from None
    return output.decode(errors="replace")
