from __future__ import annotations

import struct
from pathlib import Path

import pytest

from punktfunk.media.x11.address import (
    MAX_ENTRIES,
    AddressError,
    cookies,
    display_number,
    find_cookie,
    read_cookie,
    socket_paths,
)

LOCAL, WILD, INTERNET = 256, 65535, 0
COOKIE = b"MIT-MAGIC-COOKIE-1"


def entry(family: int, address: bytes, number: bytes, data: bytes, name: bytes = COOKIE) -> bytes:
    fields = b"".join(struct.pack(">H", len(field)) + field for field in (address, number, name, data))
    return struct.pack(">H", family) + fields


@pytest.mark.parametrize(("name", "number"), [(":0", 0), (":0.1", 0), ("unix:12", 12), (":65535", 65535)])
def test_local_displays(name: str, number: int) -> None:
    assert display_number(name) == number


@pytest.mark.parametrize("name", ["", "0", "host:0", "localhost:10.0", ":", ":x", ":1.2.3", ":123456", "/tmp/x:0"])
def test_other_displays_are_refused_with_an_example(name: str) -> None:
    with pytest.raises(AddressError, match="looks like :0"):
        display_number(name)


def test_a_server_is_reached_by_file_and_without() -> None:
    assert socket_paths(3) == ("/tmp/.X11-unix/X3", "\0/tmp/.X11-unix/X3")


def test_the_cookie_of_this_machine_and_display_comes_first() -> None:
    data = (
        entry(INTERNET, b"\x7f\0\0\1", b"1", b"remote")
        + entry(WILD, b"", b"", b"any")
        + entry(LOCAL, b"elsewhere", b"1", b"former name")
        + entry(LOCAL, b"here", b"2", b"second")
        + entry(LOCAL, b"here", b"1", b"other kind", b"XDM-AUTHORIZATION-1")
        + entry(LOCAL, b"here", b"1", b"first")
    )
    assert find_cookie(data, 1, "here") == b"first"
    assert find_cookie(data, 2, "here") == b"second"
    assert find_cookie(data, 3, "here") == b"any"


def test_a_machine_that_was_renamed_keeps_its_cookie() -> None:
    assert find_cookie(entry(LOCAL, b"old-name", b"0", b"secret"), 0, "new-name") == b"secret"


@pytest.mark.parametrize("cut", range(1, 40))
def test_what_is_cut_off_ends_the_list(cut: int) -> None:
    whole = entry(LOCAL, b"here", b"1", b"secret-secret-16")
    assert [cookie.data for cookie in cookies((whole + whole)[:-cut])] == [b"secret-secret-16"]


def test_a_flood_of_entries_is_cut() -> None:
    assert sum(1 for _ in cookies(entry(WILD, b"", b"", b"") * (MAX_ENTRIES + 10))) == MAX_ENTRIES


def test_a_file_that_cannot_be_read_gives_none(tmp_path: Path) -> None:
    assert read_cookie(str(tmp_path / "none"), 0) == b""
    assert read_cookie(str(tmp_path), 0) == b""
