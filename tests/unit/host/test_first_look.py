"""One screenful for every terminal: nothing scrolls away, no link is broken, codes only where they show."""

import io
import json
import re

import pytest
import segno

from punktfunk.host.first_look import FirstLook, Point, Progress, compose, show_setup_link

CONSOLE = "https://192.168.178.123:47990"
LINK = f"{CONSOLE}/setup#" + "x" * 32
FINGERPRINT = "0123456789abcdef" * 4
PAIR = ".venv/bin/punktfunk-host pair --native"
LOOK = FirstLook(
    "punktfunk-host 0.1.0: living-room is ready after 1.2 s",
    CONSOLE,
    LINK,
    FINGERPRINT,
    (
        Point(
            "Moonlight (0 paired): choose living-room or add 192.168.178.123. Type its PIN into the console, or:",
            (".venv/bin/punktfunk-host pair PIN",),
        ),
        Point("punktfunk (0 paired). The console shows a PIN for the app, and so does:", (PAIR,)),
        Point("Display: embedded, a headless sway of the session's own"),
        Point("Encoder: x264, there is no graphics card", more=True),
        Point("Sound: a private PipeWire, each session in a sink of its own", more=True),
        Point("Ctrl-C stops the host."),
    ),
)
SIZES = [(80, 24), (80, 25), (110, 45), (100, 30), (60, 40), (200, 60), (132, 24), (72, 60), (40, 60)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


def rows_of(text: str, columns: int) -> int:
    return sum(max(1, -(-len(line) // columns)) for line in plain(text))


@pytest.mark.parametrize(("columns", "rows"), SIZES)
@pytest.mark.parametrize("setup", [LINK, ""])
def test_everything_is_on_one_screen_and_the_link_is_whole(columns, rows, setup):
    look = FirstLook(LOOK.title, CONSOLE, setup, FINGERPRINT, LOOK.points)
    text = compose(look, columns, rows, blocks=True)
    assert rows_of(text, columns) < rows
    lines = plain(text)
    assert (setup or f"Console: {CONSOLE}") in lines
    said = re.sub(r"[\s█▀▄:]", "", text)
    for point in LOOK.points:
        assert re.sub(r"[\s:]", "", point.commands[0] if point.commands else "") in said
    pairs = "".join(found[0] for line in lines if (found := re.match(r"([0-9A-F]{2}:)+([0-9A-F]{2})?", line)))
    assert pairs.replace(":", "") == FINGERPRINT.upper()
    broken = [line for line in lines if len(line) > columns]
    assert set(broken) <= {LINK}


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (80, 30), (110, 45), (200, 60), (132, 24), (60, 60)])
def test_the_code_is_that_of_the_link(columns, rows):
    drawing = io.StringIO()
    segno.make(LINK, error="l", micro=False).terminal(drawing, compact=True, border=1)
    shown = compose(LOOK, columns, rows, blocks=True)
    for row in drawing.getvalue().splitlines():
        assert f"\x1b[97;40m{row}\x1b[0m" in shown


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_without_blocks_it_is_plain_ascii(columns, rows):
    text = compose(LOOK, columns, rows, blocks=False)
    assert text.isascii()
    assert "\x1b" not in text
    assert LINK in text.splitlines()


def test_a_tiny_terminal_gets_the_text_all_the_same():
    text = compose(LOOK, 30, 10, blocks=True)
    assert LINK in text.splitlines()
    assert "█" not in text


def test_a_host_without_a_console_shows_neither_link_nor_code():
    text = compose(FirstLook(LOOK.title, "", "", "", LOOK.points), 110, 45, blocks=True)
    assert "https" not in text
    assert "█" not in text


def test_progress_is_for_terminals_and_leaves_no_line():
    terminal, file = Terminal(), io.StringIO()
    for output in (terminal, file):
        progress = Progress(output, "text")
        progress.says("Starting: console")
        progress.says("")
    assert terminal.getvalue() == "\x1b[KStarting: console\r\x1b[K\r"
    assert file.getvalue() == ""
    json_terminal = Terminal()
    Progress(json_terminal, "json").says("Starting")
    assert json_terminal.getvalue() == ""


def test_a_log_gets_the_link_alone():
    output = io.StringIO()
    show_setup_link(LINK, output, "text")
    assert LINK in output.getvalue().split()
    assert output.getvalue().isascii()


def test_a_json_log_stays_json():
    output = Terminal()
    show_setup_link(LINK, output, "json")
    assert json.loads(output.getvalue())["setup_link"] == LINK
