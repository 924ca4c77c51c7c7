"""The service files: what an attacker who is on the machine already could use, and what systemd itself says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[2] / "packaging/systemd").glob("*.service"))
SYSTEM = next(unit for unit in UNITS if ".user." not in unit.name)
RELATIVE_TO_SYSTEMD = ("StateDirectory", "RuntimeDirectory")


def directives(unit: Path) -> list[tuple[str, str]]:
    lines = [line for line in unit.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_commands_are_absolute_and_folders_are_not_open_to_everybody(unit: Path) -> None:
    found = directives(unit)
    commands = [value for key, value in found if key.startswith("Exec")]
    assert commands
    for command in commands:
        program = command.split()[0]
        assert re.fullmatch(r"(/[A-Za-z0-9_.-]+)+", program), "a quote or a search path is a way in"
        assert not program.startswith(("/tmp", "/var/tmp", "/dev/shm", "/home"))
    assert ("UMask", "0077") in found
    assert ("NoNewPrivileges", "yes") in found
    for key, value in found:
        assert key != "PassEnvironment"
        assert "/tmp" not in value, f"{key}={value}"


def test_the_machines_service_is_nobody_special() -> None:
    found = dict(directives(SYSTEM))
    assert found["User"] not in ("", "root")
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == ""
    assert {found[f"{name}Mode"] for name in RELATIVE_TO_SYSTEMD} == {"0700"}
    assert found["ProtectSystem"] == "strict"
    assert found["ProtectHome"] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_to_say(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / "punktfunk-host.service"
    # systemd-analyze looks whether program and account are there; the files name where an administrator puts them.
    text = re.sub(r"/opt/punktfunk-host/\S+ serve \S+", "/bin/true", unit.read_text())
    text = re.sub(
        r"(?m)^WorkingDirectory=.*$", "WorkingDirectory=/", re.sub(r"(?m)^(User|Group)=.*$", r"\1=daemon", text)
    )
    copy.write_text(text)
    scope = ["--user"] if ".user." in unit.name else []
    result = subprocess.run(
        ["systemd-analyze", "verify", *scope, str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )
    about_it = [line for line in (result.stdout + result.stderr).splitlines() if "punktfunk-host" in line]
    assert about_it == []
    if os.geteuid() != 0 and not Path("/run/systemd").exists() and "'/run/systemd/'" in result.stderr:
        pytest.skip("needs /run/systemd, which only root can make where systemd does not run")
    assert result.returncode == 0, result.stderr
