"""The page's messages: known answers that web/src/player/wire.test.ts shares, and what is refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.browser import wire as w

VECTORS = json.loads((Path(__file__).parents[2] / "wire" / "vectors" / "browser.json").read_text())


def plain(message: w.Message) -> dict[str, object]:
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(message).items()}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["is"])
def test_known_answers_in_both_directions(vector):
    message = w.decode(bytes.fromhex(vector["hex"]))

    assert type(message).__name__ == vector["is"]
    assert plain(message) == vector["fields"]
    assert w.encode(message).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["is"])
def test_a_message_that_is_cut_off_is_refused(vector):
    data = bytes.fromhex(vector["hex"])
    if vector["is"] in ("Video", "Audio", "Voice", "Clipboard", "KeyframeWanted", "ReleaseAll", "ClipboardTaken"):
        data = b"\xff" + data
    with pytest.raises(w.WireError):
        w.decode(data[:-1])


@given(st.binary(max_size=200))
def test_nonsense_is_refused_with_one_exception(data):
    with contextlib.suppress(w.WireError):
        w.decode_from_page(data)


def test_a_page_cannot_send_what_only_the_host_says_nor_too_much():
    with pytest.raises(w.WireError):
        w.decode_from_page(w.encode(w.Ended(True, 0, "x")))
    with pytest.raises(w.WireError):
        w.decode_from_page(b"\x20" + b"a" * w.MAX_MESSAGE_BYTES)
