import zlib

from punktfunk.host.settings import Settings
from punktfunk.host.settings_apps import app_id
from punktfunk.host.settings_load import load

DESKTOP_ID = zlib.crc32(b"Desktop") & 0x7FFF_FFFF


def apps_of(tmp_path, text):
    file = tmp_path / "host.toml"
    file.write_text(text)
    return load(environment={"HOME": str(tmp_path)}, file=file).settings.apps


def test_the_desktop_is_always_there():
    assert [(app.id, app.name, app.command) for app in Settings().apps] == [(DESKTOP_ID, "Desktop", "")]


def test_apps_come_after_the_desktop_with_ids_of_their_names(tmp_path):
    text = """
[[apps]]
name = "Steam"
command = "steam -gamepadui"
environment = { A = "1" }
prepare = [{ do = "one", undo = "two" }]
"""
    desktop, steam = apps_of(tmp_path, text)
    assert desktop.name == "Desktop"
    assert steam.id == zlib.crc32(b"Steam") & 0x7FFF_FFFF
    assert steam.environment == {"A": "1"}
    assert (steam.prepare[0].do, steam.prepare[0].undo) == ("one", "two")


def test_a_desktop_of_ones_own_keeps_the_id(tmp_path):
    apps = apps_of(tmp_path, '[[apps]]\nname = "Z"\n[[apps]]\nname = "Desktop"\ncommand = "labwc"\n')
    assert [app.name for app in apps] == ["Z", "Desktop"]
    assert apps[1].id == DESKTOP_ID
    assert apps[1].command == "labwc"


def test_ids_are_positive_and_distinct():
    wanted = zlib.crc32(b"Steam") & 0x7FFF_FFFF
    assert app_id("Steam", {wanted}) == wanted + 1
    assert app_id("Steam", {wanted, wanted + 1}) == wanted + 2
    # "2vIJ5" is one of the names whose CRC-32 loses its only high bit and more; whatever the name, 0 never comes out.
    assert all(0 < app_id(name, ()) < 1 << 31 for name in ("", "a", "\x9d\x0a\xd9\x6d"))
