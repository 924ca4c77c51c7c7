import io
import json
import logging
import sys

import pytest

from punktfunk.host import logs
from punktfunk.session.context import bind_session


@pytest.fixture
def root_handlers():
    root, ours = logging.getLogger(), logging.getLogger("punktfunk")
    saved = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = saved
    logging.captureWarnings(False)


def record(message, *args, created=1_000_000.0, exc_info=None, **extra):
    made = logging.LogRecord("punktfunk.session.worker", logging.INFO, "x.py", 1, message, args, exc_info)
    made.created = created
    made.msecs = 0
    vars(made).update(extra)
    return made


def text_of(*args, **kwargs):
    return logs.TextFormatter(colour=False).format(record(*args, **kwargs))


def test_text_names_level_place_session_and_extras():
    with bind_session("s7"):
        line = text_of("ready in %d ms", 12, codec="h264")
    assert line.endswith("INFO    session.worker [s7] ready in 12 ms codec=h264")


def test_json_is_one_object_a_line():
    with bind_session("s7"):
        entry = json.loads(logs.JsonFormatter().format(record("two\nlines", codec="h264")))
    assert entry["session"] == "s7"
    assert entry["message"] == "two\\nlines"
    assert entry["codec"] == "h264"
    assert entry["time"] == "1970-01-12T13:46:40.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "rikey=00112233445566778899aabbccddeeff",
        "GET /pair?uniqueid=1&pin=00112233445566778899aabbccddeeff",
        "{'pin': '00112233445566778899aabbccddeeff'}",
        '{"session_key": "00112233445566778899aabbccddeeff"}',
        "Authorization: Bearer 00112233445566778899aabbccddeeff",
        "-----BEGIN PRIVATE KEY-----\n00112233445566778899aabbccddeeff\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n00112233445566778899aabbccddeeff",
    ],
)
def test_secrets_never_come_out(text):
    for line in (text_of("%s", text), text_of("x", value=text), logs.JsonFormatter().format(record("%s", text))):
        assert "00112233" not in line
        assert "[redacted]" in line


@pytest.mark.parametrize("text", ["pinned to core 3", "keyframe=true", "fingerprint=00112233", "key pressed: 65"])
def test_what_is_no_secret_stays(text):
    assert text_of("%s", text).endswith(text)


def test_secrets_in_tracebacks_are_cut_and_lines_are_marked():
    try:
        raise ValueError("bad rikey=0011223344\n12:00:00.000 ERROR forged")
    except ValueError:
        lines = text_of("failed", exc_info=sys.exc_info()).splitlines()
    assert not any("0011223344" in line for line in lines)
    assert all(line.startswith("    | ") for line in lines[1:])


def test_a_peer_cannot_add_lines_or_colours():
    line = text_of("name %s", "a\r\nb\x1b[31m\u2028c", device="x\ny")
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_long_lines_are_cut():
    assert len(text_of("%s", "x" * 1_000_000)) < logs.MAX_LINE_CHARACTERS + 200


def test_repeats_are_held_back_and_counted():
    repeats = logs.RepeatFilter()
    passed = [repeats.filter(record("bad packet from %s", n, created=1000.0 + n / 1000)) for n in range(1000)]
    assert sum(passed) == logs.REPEATS_PER_WINDOW
    later = record("bad packet from %s", 1, created=1000.0 + logs.REPEAT_WINDOW_S)
    assert repeats.filter(later)
    assert logs.TextFormatter(colour=False).format(later).endswith("(and 980 more like it)")


def test_a_clock_that_jumps_back_opens_a_new_window():
    repeats = logs.RepeatFilter()
    for _ in range(100):
        last = repeats.filter(record("x", created=1000.0))
    assert not last
    assert repeats.filter(record("x", created=10.0))


def test_a_flood_of_different_lines_is_remembered_up_to_a_limit():
    repeats = logs.RepeatFilter()
    for number in range(10 * logs.MAX_REPEAT_KEYS):
        repeats.filter(record(f"line {number}"))
    assert len(repeats._windows) == logs.MAX_REPEAT_KEYS


@pytest.mark.usefixtures("root_handlers")
def test_configure_writes_to_the_stream_without_colour():
    stream = io.StringIO()
    logs.configure("debug", "text", stream)
    logging.getLogger("punktfunk.x").debug("hello")
    logging.getLogger("other").info("not this")
    assert "hello" in stream.getvalue()
    assert "not this" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
