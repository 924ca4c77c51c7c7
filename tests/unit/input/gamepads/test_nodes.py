"""Finding a session's nodes in a sysfs of the test's own."""

from __future__ import annotations

from pathlib import Path

from punktfunk.input.gamepads.nodes import (
    bound_driver,
    bubblewrap_arguments,
    device_nodes,
    pad_folders,
    pad_phys,
    raw_nodes_of_others,
)


def hid_pad(sysfs: Path, name: str, phys: str) -> None:
    folder = sysfs / "bus/hid/devices" / name
    (folder / "input/input7/event3").mkdir(parents=True)
    (folder / "input/input7/js0").mkdir()
    (folder / "hidraw/hidraw2").mkdir(parents=True)
    (folder / "uevent").write_text(f"DRIVER=playstation\nHID_PHYS={phys}\nHID_UNIQ=02:00\n")


def plain_pad(sysfs: Path, name: str, phys: str) -> None:
    folder = sysfs / "devices/virtual/input" / name
    (folder / "event9").mkdir(parents=True)
    (folder / "phys").write_text(f"{phys}\n")


def test_nodes_of_one_session_only(tmp_path: Path) -> None:
    hid_pad(tmp_path, "0003:054C:0CE6.0001", pad_phys("ours", 0))
    plain_pad(tmp_path, "input9", pad_phys("ours", 1))
    hid_pad(tmp_path, "0003:054C:0CE6.0002", pad_phys("theirs", 0))
    assert set(device_nodes("ours", tmp_path)) == {"input/event3", "input/js0", "hidraw2", "input/event9"}
    assert list(device_nodes("nobody", tmp_path)) == []


def test_the_driver_of_a_pad(tmp_path: Path) -> None:
    hid_pad(tmp_path, "a", pad_phys("ours", 0))
    assert bound_driver(pad_phys("ours", 0), tmp_path) == ""
    (tmp_path / "playstation").mkdir()
    (tmp_path / "bus/hid/devices/a/driver").symlink_to(tmp_path / "playstation")
    assert bound_driver(pad_phys("ours", 0), tmp_path) == "playstation"
    assert bound_driver(pad_phys("ours", 1), tmp_path) is None


def test_pad_1_is_not_pad_10(tmp_path: Path) -> None:
    hid_pad(tmp_path, "a", pad_phys("ours", 10))
    plain_pad(tmp_path, "input9", pad_phys("ours", 11))
    assert pad_folders(pad_phys("ours", 1), tmp_path) == []


def test_what_a_game_in_bubblewrap_is_given(tmp_path: Path) -> None:
    hid_pad(tmp_path, "a", pad_phys("ours", 0))
    hid_pad(tmp_path, "b", pad_phys("ours2", 0))
    plain_pad(tmp_path, "input9", pad_phys("theirs", 1))
    hid_pad(tmp_path, "real", "usb-0000:00:14.0-1/input3")
    (tmp_path / "bus/hid/devices/b/hidraw/hidraw2").rename(tmp_path / "bus/hid/devices/b/hidraw/hidraw4")
    assert list(raw_nodes_of_others("ours", tmp_path)) == ["hidraw4"]
    assert " ".join(bubblewrap_arguments("ours", tmp_path)) == (
        "--dev-bind / / --tmpfs /dev/input --dev-bind /dev/input/event3 /dev/input/event3 "
        "--dev-bind /dev/input/js0 /dev/input/js0 --dev-bind /dev/null /dev/hidraw4"
    )
