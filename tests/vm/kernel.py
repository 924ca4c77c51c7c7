"""Debian's stock kernel, fetched once: the package is read, never installed."""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.vm.errors import VmUnavailable

# The first that the package lists know. Cloud kernels are no use: they lack uinput and 9p.
META_PACKAGES = ("linux-image-6.12-amd64", "linux-image-amd64")
MODULES = (
    *("virtio_pci", "9pnet_virtio", "9p", "virtio_rng"),
    *("evdev", "joydev", "uinput", "uhid", "hid_generic", "hid_playstation", "hid_sony", "hid_nintendo", "hid_steam"),
    "sch_netem",
)
"""Loaded in this order, each after what it depends on. Names that a kernel has built in, or lacks, are left out."""

MODULE_FOLDERS = (
    *("/net/9p/", "/fs/9p/", "/fs/netfs/", "/fs/fscache/", "/net/sched/"),
    *("/drivers/input/", "/drivers/hid/", "/drivers/leds/", "/drivers/virtio/", "/drivers/usb/", "/hw_random/"),
)
"""Where those and their dependencies live; the rest of the package is not unpacked."""


@dataclass(frozen=True)
class Kernel:
    """A boot image and the modules to load, in order."""

    release: str
    image: Path
    modules: tuple[Path, ...]


def cache_dir() -> Path:
    """Where kernels are kept, outside the repository."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "punktfunk" / "vm"


def get_kernel(package: str | None = None) -> Kernel:
    """The kernel of a package (default: the newest that Debian offers), unpacked into the cache on the first call.

    Raises VmUnavailable without apt, without a network on the first call, or on another architecture.
    """
    if os.uname().machine != "x86_64":
        raise VmUnavailable("the virtual machine tests are written for x86_64")
    with locked(cache_dir()) as cache:
        known = cache / "default" if package is None else None
        name = package or _remembered(known) or _image_package()
        folder = cache / f"{name}-{_selection()}"
        if not folder.exists():
            _unpack(name, folder)
        if known is not None:
            known.write_text(name)
    return _load(folder)


def _selection() -> str:
    """Another choice of modules is another folder."""
    return hashlib.blake2s(repr((MODULES, MODULE_FOLDERS)).encode(), digest_size=4).hexdigest()


def _remembered(file: Path | None) -> str | None:
    # Asking apt takes a second; what was unpacked once stays good until the cache is removed.
    return file.read_text() if file is not None and file.exists() else None


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """The folder while nobody else works on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _image_package() -> str:
    for meta in META_PACKAGES:
        result = run_command("apt-cache", "depends", meta)
        if match := re.search(r"Depends: (linux-image-\S+)", result):
            return match[1]
    raise VmUnavailable("apt knows no linux-image package; run: apt-get update")


def _unpack(package: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        run_command("apt-get", "download", package, cwd=work)
        archive = next(Path(work).glob("*.deb"), None)
        if archive is None:
            raise VmUnavailable(f"apt could not download {package}")
        unpacked = Path(work) / "kernel"
        unpacked.mkdir()
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as unpacker:
            assert unpacker.stdout is not None
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as files:
                for member in files:
                    _keep(files, member, unpacked)
        _prune(unpacked)
        unpacked.rename(folder)


def _keep(files: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(member.name).name
    source = files.extractfile(member) if member.isfile() else None
    if source is None:
        return
    if name.startswith("vmlinuz-"):
        with (folder / name).open("wb") as target:
            shutil.copyfileobj(source, target)
    elif name.endswith(".ko.xz") and _may_be_needed(member.name):
        (folder / _module_name(name)).write_bytes(lzma.decompress(source.read()))
    elif name.endswith(".ko") and _may_be_needed(member.name):
        (folder / _module_name(name)).write_bytes(source.read())


def _may_be_needed(path: str) -> bool:
    return any(folder in path for folder in MODULE_FOLDERS)


def _module_name(file_name: str) -> str:
    return file_name.split(".ko")[0].replace("-", "_") + ".ko"


def _prune(folder: Path) -> None:
    needed = set(load_order(folder))
    for module in folder.glob("*.ko"):
        if module not in needed:
            module.unlink()
    (folder / "modules").write_text("\n".join(module.name for module in load_order(folder)))


def load_order(folder: Path) -> list[Path]:
    """The modules in a folder that are wanted, each after what it says that it depends on."""
    order: list[Path] = []

    def visit(name: str) -> None:
        module = folder / f"{name}.ko"
        if not module.exists() or module in order:
            return
        for dependency in _dependencies(module):
            visit(dependency)
        order.append(module)

    for name in MODULES:
        visit(name)
    return order


def _dependencies(module: Path) -> list[str]:
    match = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [name.replace("-", "_") for name in match[1].decode().split(",") if name] if match else []


def _load(folder: Path) -> Kernel:
    image = next(folder.glob("vmlinuz-*"))
    modules = tuple(folder / name for name in (folder / "modules").read_text().split())
    return Kernel(image.name.removeprefix("vmlinuz-"), image, modules)


def run_command(*command: str, cwd: str | None = None) -> str:
    """What a program of the system prints. Raises VmUnavailable in its words."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=True)
    except FileNotFoundError:
        raise VmUnavailable(f"{command[0]} is not on this machine") from None
    except subprocess.CalledProcessError as error:
        raise VmUnavailable(f"{' '.join(command)}: {error.stderr.strip().splitlines()[-1:]}") from None
    except subprocess.TimeoutExpired:
        raise VmUnavailable(f"{' '.join(command)} took longer than five minutes") from None
    return done.stdout
