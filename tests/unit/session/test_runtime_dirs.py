from __future__ import annotations

import dataclasses
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from punktfunk.session import runtime_dirs
from punktfunk.session.identity import UserIdentity
from punktfunk.session.runtime_dirs import RuntimeDir, RuntimeDirError


@pytest.fixture
def owner() -> Iterator[UserIdentity]:
    entry = pwd.getpwuid(os.geteuid())
    # Not tmp_path: its length would be refused.
    with tempfile.TemporaryDirectory(prefix="pf") as folder:
        yield UserIdentity(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, folder)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folder_is_private_and_goes_with_the_host(owner: UserIdentity) -> None:
    runtime = RuntimeDir.create(owner)
    assert runtime.path.parent == Path(owner.runtime_dir, "punktfunk")
    assert (mode(runtime.path), mode(runtime.path.parent)) == (0o700, 0o700)
    assert mode(runtime.subdir("s")) == 0o700
    runtime.close()
    runtime.close()
    assert list(runtime.path.parent.glob("??????*")) == []


def test_two_hosts_have_two_folders(owner: UserIdentity) -> None:
    first, second = RuntimeDir.create(owner), RuntimeDir.create(owner)
    assert first.path != second.path
    assert first.path.is_dir()
    assert second.path.is_dir()
    first.close()
    second.close()


def test_folder_of_a_killed_host_is_removed_by_the_next(owner: UserIdentity) -> None:
    code = (
        "import os,signal;from punktfunk.session.identity import UserIdentity;"
        "from punktfunk.session.runtime_dirs import RuntimeDir;"
        f"r=RuntimeDir.create(UserIdentity(*{dataclasses.astuple(owner)!r}));r.subdir('left');"
        "print(r.path,flush=True);os.kill(os.getpid(),signal.SIGKILL)"
    )
    left = Path(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout.strip())
    assert (left / "left").is_dir()
    runtime = RuntimeDir.create(owner)
    assert not left.exists()
    runtime.close()


def test_planted_link_is_refused(owner: UserIdentity, tmp_path: Path) -> None:
    Path(owner.runtime_dir, "punktfunk").symlink_to(tmp_path)
    with pytest.raises(RuntimeDirError, match="not a folder of this user"):
        RuntimeDir.create(owner)


@pytest.mark.skipif(os.geteuid() != 0, reason="making a folder of another user needs root")
def test_planted_folder_of_another_user_is_refused(owner: UserIdentity) -> None:
    planted = Path(owner.runtime_dir, "punktfunk")
    planted.mkdir()
    os.chown(planted, 65534, 65534)
    with pytest.raises(RuntimeDirError, match="not a folder of this user"):
        RuntimeDir.create(owner)


def test_open_folder_of_ours_is_closed(owner: UserIdentity) -> None:
    Path(owner.runtime_dir, "punktfunk").mkdir(mode=0o755)
    runtime = RuntimeDir.create(owner)
    assert mode(runtime.path.parent) == 0o700
    runtime.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder for another user needs root")
def test_folder_for_the_desktop_user_belongs_to_them() -> None:
    entry = pwd.getpwnam("nobody")
    runtime = RuntimeDir.create(UserIdentity("nobody", entry.pw_uid, entry.pw_gid, "/", ""))
    try:
        assert runtime.path.stat().st_uid == entry.pw_uid
        assert mode(runtime.path) == 0o700
        assert runtime.subdir("x").stat().st_uid == entry.pw_uid
        assert runtime.path.parent.stat().st_uid == 0
        assert not mode(runtime.path.parent) & 0o022
    finally:
        runtime.close()


def test_socket_paths_fit_the_kernels_limit(owner: UserIdentity) -> None:
    runtime = RuntimeDir.create(owner)
    assert len(runtime.socket_path("sound/pulse/native")) <= runtime_dirs.MAX_SOCKET_PATH_BYTES
    with pytest.raises(RuntimeDirError, match="longer than"):
        runtime.socket_path("x" * 100)
    runtime.close()


def test_cleaning_is_bounded(owner: UserIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_dirs, "_MAX_STALE_REMOVED", 2)
    RuntimeDir.create(owner).close()
    base = Path(owner.runtime_dir, "punktfunk")
    for number in range(4):
        (base / f"{number:06}.lock").touch()
    RuntimeDir.create(owner).close()
    assert len(list(base.glob("??????.lock"))) == 2
