import os
import stat

import pytest

from punktfunk.host.paths import PathError, default_directories, ensure_private_directory


def test_without_a_runtime_folder_nothing_goes_to_tmp(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    folders = default_directories({"HOME": "/home/p"})
    assert str(folders.runtime) == "/home/p/.local/state/punktfunk/run"
    assert str(folders.config) == "/home/p/.config/punktfunk"


def test_the_folder_of_root_is_not_the_one_that_desktops_pass_through(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert str(default_directories({"HOME": "/root"}).runtime) == "/run/punktfunk/host"


def test_xdg_folders_are_followed():
    folders = default_directories(
        {"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}
    )
    assert [str(folders.config), str(folders.state), str(folders.runtime)] == [
        "/c/punktfunk",
        "/s/punktfunk",
        "/r/punktfunk",
    ]


def test_private_folders_become_private(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True, mode=0o755)
    assert stat.S_IMODE(ensure_private_directory(folder).stat().st_mode) == 0o700


def test_a_link_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(PathError, match="is a link"):
        ensure_private_directory(tmp_path / "link")


def test_a_foreign_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PathError, match="belongs to user id"):
        ensure_private_directory(tmp_path)


def test_what_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PathError, match="cannot be used"):
        ensure_private_directory(tmp_path / "file" / "below")
