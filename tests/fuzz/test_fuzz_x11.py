"""Random bytes as an Xauthority file, as a server's first words, as its modes and as a note on it: read or refused."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.media.video_source import SourceError
from punktfunk.media.x11 import connection
from punktfunk.media.x11.address import AddressError, cookies, display_number, find_cookie
from punktfunk.media.x11.connection import X11Connection, request
from punktfunk.media.x11.loan import Loan
from punktfunk.media.x11.modeline import Modeline

_ACCEPTED = struct.pack("<BBHHH", 1, 0, 11, 0, 20)


@given(st.binary(max_size=400))
def test_authority_files(data: bytes) -> None:
    for cookie in cookies(data):
        assert cookie.data in data
    find_cookie(data, 0, "here")


@given(st.text(max_size=20))
def test_display_names(name: str) -> None:
    with contextlib.suppress(AddressError):
        assert 0 <= display_number(name) < 100_000


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_modes(infos: bytes, names: bytes) -> None:
    for line in Modeline.unpack_all(infos, names):
        assert line.refresh_mhz >= 0


@given(st.binary(max_size=200))
def test_notes(data: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        msgspec.json.decode(data, type=Loan)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(min_size=80, max_size=300).map(lambda body: _ACCEPTED + body)))
def test_what_a_server_says(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mine, theirs = socket.socketpair()
        patch.setattr(connection, "_connect", lambda _display, _number: mine)

        def speak() -> None:
            with theirs:
                theirs.sendall(data)
                theirs.shutdown(socket.SHUT_WR)
                while theirs.recv(4096):
                    pass

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            with contextlib.suppress(SourceError), X11Connection(":0") as x:
                x.call(request(43, 0))
        finally:
            mine.close()
            thread.join()
