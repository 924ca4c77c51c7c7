"""scripts/setup where something is in its way: what it says, with apt-get, sudo and Python played by small scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = (
    "bash", "cat", "cut", "dirname", "env", "flock", "grep", "id", "ldconfig", "mkdir", "mktemp", "rm", "sha256sum",
    "sleep", "tail", "touch", "true",
)  # fmt: skip
OFFLINE_APT = "Err:1 http://deb.example bookworm InRelease\n  Temporary failure resolving 'deb.example'"
OFFLINE_PIP = "WARNING: Retrying after connection broken by 'NewConnectionError(...: Network is unreachable)'"
ONLINE = "is this machine connected to the internet?"
FULL = "the disk is full"
NOBODY = 65534


class Machine:
    """A checkout in a folder of its own, and a PATH that has nothing but what is put there."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.bin = folder / "my checkout", folder / "bin"
        (self.checkout / "scripts").mkdir(parents=True)
        (self.checkout / "requirements").mkdir()
        self.bin.mkdir()
        shutil.copy(ROOT / "scripts/setup", self.checkout / "scripts/setup")
        for name in ("requirements/run.txt", "requirements/dev.txt", "pyproject.toml"):
            (self.checkout / name).write_text("library==1\n")
        self.packages("")
        for tool in TOOLS:
            found = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
            assert found, tool
            (self.bin / tool).symlink_to(found)
        self.tool("useradd", "exit 0")
        self.tool("id", "[ $# = 0 ] || echo 1000")

    def packages(self, text: str) -> None:
        (self.checkout / "scripts/packages-run.txt").write_text(f"{text}\n")

    def tool(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return path

    def python(self, pip: str) -> None:
        """A Python whose environments have this for pip."""
        self.tool(
            "python3",
            'case "$*" in\n*--version*) echo Python 3.11.2 ;;\n'
            '*"-m venv"*) mkdir -p .venv/bin; cat > .venv/bin/python <<"X"\n#!/bin/bash\n'
            f'case "$*" in *"pip install"*) {pip} ;; esac\nX\n'
            '/bin/chmod +x .venv/bin/python; echo "VIRTUAL_ENV=$PWD/.venv" > .venv/bin/activate ;;\nesac',
        )

    def setup(self, *, user: int | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / "bash"), str(self.checkout / "scripts/setup"), "run"],
            env={"PATH": str(self.bin), "HOME": str(self.checkout)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
            user=user,
            extra_groups=None if user is None else [],
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def apt(machine: Machine, says: str, status: int) -> None:
    machine.packages("nonesuch cmd:nonesuch a reason")
    script = f'case "$*" in *install*) cat <<"X"\n{says}\nX\nexit {status} ;; esac'
    machine.tool("apt-get", script)
    machine.tool("dpkg", "exit 0")
    machine.tool("sudo", '[ "$1" != --non-interactive ] || shift\nexec "$@"')


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (OFFLINE_APT, ONLINE),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", FULL),
        ("E: Unable to locate package nonesuch", "apt-get failed"),
    ],
)
def test_why_packages_could_not_be_installed(machine: Machine, says: str, expected: str) -> None:
    apt(machine, says, 100)
    result = machine.setup()
    assert result.returncode == 1
    assert expected in result.stderr
    assert says.splitlines()[-1] in result.stderr
    assert "As root, run: apt-get install --no-install-recommends nonesuch" in result.stderr
    assert (ONLINE in result.stderr) == (expected == ONLINE)


@pytest.mark.parametrize(
    ("says", "expected"),
    [(OFFLINE_PIP, ONLINE), ("ERROR: [Errno 28] No space left on device", FULL), ("ERROR: hashes differ", "")],
)
def test_why_libraries_could_not_be_installed(machine: Machine, says: str, expected: str) -> None:
    machine.python(f'echo "{says}"; exit 1')
    result = machine.setup()
    assert result.returncode == 1
    assert says in result.stderr
    assert expected in result.stderr
    assert "start this again" in result.stderr
    assert (ONLINE in result.stderr) == (expected == ONLINE)


def test_a_setup_that_failed_is_not_taken_for_done(machine: Machine) -> None:
    machine.python("exit 1")
    assert machine.setup().returncode == 1
    machine.python("exit 0")
    again = machine.setup()
    assert again.returncode == 0, again.stderr
    assert "ready after" in again.stdout
    assert machine.setup().stdout == ""


def test_without_sudo_the_command_for_root_is_said() -> None:
    # Not pytest's folder, which is closed to the ordinary user that this is about.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder))
        machine.checkout.chmod(0o777)
        apt(machine, "", 0)
        (machine.bin / "sudo").unlink()
        result = machine.setup(user=NOBODY if os.geteuid() == 0 else None)
    assert result.returncode == 1
    assert "there is no sudo. As root, run: apt-get install --no-install-recommends nonesuch" in result.stderr


def test_elsewhere_than_on_debian_it_goes_on_without(machine: Machine) -> None:
    machine.packages("nonesuch cmd:nonesuch a reason")
    machine.python("exit 0")
    result = machine.setup()
    assert result.returncode == 0, result.stderr
    assert "neither Debian nor Ubuntu" in result.stdout
    assert "nonesuch" in result.stdout
