from __future__ import annotations

import json
from pathlib import Path

import pytest

from punktfunk.input.xkb import KeyboardLayout
from punktfunk.media.plan import Mode
from punktfunk.session.desktops.look import LookSettings, Programs, write_look

MODE = Mode(1280, 720, 60_000)
ALL = Programs("foot", "fuzzel", "thunar", "firefox-esr", has_waybar=True)
NONE = Programs("", "", "", "", has_waybar=False)


def test_everything_installed(tmp_path: Path) -> None:
    config = write_look(tmp_path, MODE, LookSettings(), ALL, KeyboardLayout("de", "nodeadkeys")).read_text()
    assert "output * mode --custom 1280x720@66.666Hz" in config
    assert f"exec waybar -c {tmp_path}/panel.conf -s {tmp_path}/panel.css" in config
    assert (tmp_path / "wallpaper.png").read_bytes().startswith(b"\x89PNG")
    assert "-T Welcome" in config
    assert 'xkb_layout "de"\n    xkb_variant "nodeadkeys"' in config
    panel = json.loads((tmp_path / "panel.conf").read_text())
    assert panel["custom/browser"]["on-click"] == "firefox-esr"
    assert panel["custom/files"]["on-click"] == "thunar"
    style = (tmp_path / "panel.css").read_text()
    for button in (name for name in panel["modules-left"] if name.startswith("custom/")):
        assert f"#{button.replace('/', '-')}:hover" in style


def test_nothing_installed_still_has_a_bar_and_no_welcome(tmp_path: Path) -> None:
    config = write_look(tmp_path, MODE, LookSettings(), NONE, KeyboardLayout()).read_text()
    assert "status_command" in config
    assert "Welcome" not in config


@pytest.mark.parametrize("programs", [ALL, NONE])
@pytest.mark.parametrize("settings", [LookSettings(), LookSettings("startxfce4", "/pictures/mine.png")])
def test_no_name_is_left_open(tmp_path: Path, programs: Programs, settings: LookSettings) -> None:
    write_look(tmp_path, MODE, settings, programs, KeyboardLayout())
    for file in tmp_path.iterdir():
        if file.suffix != ".png":
            assert "@" not in file.read_text().replace("@66.666Hz", "")


def test_a_command_of_the_users_replaces_panel_and_welcome(tmp_path: Path) -> None:
    config = write_look(
        tmp_path, MODE, LookSettings(command="startxfce4 && echo 'bye'"), ALL, KeyboardLayout("de", "nodeadkeys")
    ).read_text()
    assert "waybar" not in config
    assert f"exec sh {tmp_path}/desktop.sh" in config
    assert (tmp_path / "desktop.sh").read_text() == "startxfce4 && echo 'bye'\nexec swaymsg exit\n"


def test_a_wallpaper_of_the_users(tmp_path: Path) -> None:
    config = write_look(
        tmp_path, MODE, LookSettings(wallpaper="/pictures/my own.png"), ALL, KeyboardLayout("de", "nodeadkeys")
    ).read_text()
    assert 'bg "/pictures/my own.png" fill' in config
    assert not (tmp_path / "wallpaper.png").exists()


def test_the_best_installed_programs_are_taken() -> None:
    has = {"xterm", "wofi", "pcmanfm", "waybar"}
    programs = Programs.installed(lambda name: name if name in has else None)
    assert programs == Programs("xterm", "wofi --show drun", "pcmanfm", "", has_waybar=True)
