"""What a person sees on the terminal once the host is ready: one screenful that fits, a QR code where there is room.

The link to choose the console's password is shown here once and is in no log.
"""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import segno

MAX_COLUMNS = 110
"""Longer lines are hard to read."""
MIN_TEXT_COLUMNS = 40
"""What has to be left beside the code for the text."""
_GAP = "  "
# Scanners want dark on light; terminals of either kind get it by colours of its own.
_CODE_COLOURS = ("\x1b[97;40m", "\x1b[0m")


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to know. ``commands`` stand on lines of their own and are never broken; ``more`` belongs to the point
    before."""

    text: str
    commands: tuple[str, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class FirstLook:
    """Everything to show. ``setup_link`` is empty once a password was chosen; ``console`` where there is none."""

    title: str
    console: str
    setup_link: str
    fingerprint: str
    points: tuple[Point, ...]


def show_setup_link(link: str, output: TextIO, form: str) -> None:
    """Write ``link`` where no person's terminal is: among lines of text, or as one line of a JSON log."""
    if form == "json":
        output.write(json.dumps({"message": "choose the console's password", "setup_link": link}) + "\n")
    else:
        output.write(f"\n  Open the console and choose its password (the link works once):\n\n  {link}\n\n")
    output.flush()


def compose(look: FirstLook, columns: int, rows: int, *, blocks: bool) -> str:
    """The text for a terminal of this size; ``blocks`` says whether it can show block characters.

    The first of the layouts that fits is taken: code beside the text, below it, none; each with air or without. A link
    is never broken, because people copy it.
    """
    width = min(columns, MAX_COLUMNS)
    head = [*textwrap.wrap(look.title, width), "", *_console_lines(look, width), ""]
    code = _code(look.setup_link or look.console) if blocks and look.console else []
    code_width = len(code[0]) if code else 0
    beside = width - code_width - len(_GAP)
    layouts: list[list[str]] = []
    for airy in (True, False):
        if code and beside >= MIN_TEXT_COLUMNS:
            layouts.append([*head, *_side_by_side(_text(look, beside, airy=airy), code, beside)])
    for airy in (True, False):
        if code and code_width <= width:
            layouts.append([*head, *_text(look, width, airy=airy), "", *map(_coloured, code)])
    for airy in (True, False):
        layouts.append([*head, *_text(look, width, airy=airy)])
    chosen = next((lines for lines in layouts if _height(lines, columns) < rows), layouts[-1])
    return "\n".join(line.rstrip() for line in chosen) + "\n"


class Progress:
    """Says on a terminal what the host waits for while it starts; the next line of the log takes its place."""

    def __init__(self, output: TextIO, form: str) -> None:
        self._output = output if form == "text" and output.isatty() else None

    def says(self, text: str) -> None:
        """Show ``text``; "" takes it away."""
        if self._output is not None:
            self._output.write(f"\x1b[K{text}\r")
            self._output.flush()


def _console_lines(look: FirstLook, width: int) -> Iterator[str]:
    if look.setup_link:
        yield from textwrap.wrap("Open this link to choose the console's password; it works once:", width)
        yield look.setup_link
    elif look.console:
        yield f"Console: {look.console}"


def _text(look: FirstLook, width: int, *, airy: bool) -> list[str]:
    lines: list[str] = []
    if look.fingerprint:
        lines += [*textwrap.wrap("Its certificate, to compare with what the browser shows (SHA-256):", width)]
        lines += _in_pairs(look.fingerprint, width)
    for point in look.points:
        if airy and lines and not point.more:
            lines.append("")
        lines += textwrap.wrap(point.text, width)
        lines += [f"  {command}" if len(command) + 2 <= width else command for command in point.commands]
    return lines


def _in_pairs(fingerprint: str, width: int) -> Iterator[str]:
    """The form in which browsers show it, in lines that end between two bytes."""
    pairs = [fingerprint[i : i + 2].upper() for i in range(0, len(fingerprint), 2)]
    count = max(1, min(16, width // 3))
    for start in range(0, len(pairs), count):
        yield ":".join(pairs[start : start + count]) + (":" if start + count < len(pairs) else "")


def _code(text: str) -> list[str]:
    drawing = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawing, compact=True, border=1)
    return drawing.getvalue().splitlines()


def _coloured(line: str) -> str:
    before, after = _CODE_COLOURS
    return f"{before}{line}{after}"


def _side_by_side(text: Sequence[str], code: Sequence[str], width: int) -> Iterator[str]:
    for number in range(max(len(text), len(code))):
        left = text[number] if number < len(text) else ""
        yield f"{left:<{width}}{_GAP}{_coloured(code[number])}" if number < len(code) else left


def _height(lines: Sequence[str], columns: int) -> int:
    """Rows that the lines take, those counted that the terminal has to break; colours take no room."""
    before, after = _CODE_COLOURS
    lengths = (len(line.replace(before, "").replace(after, "")) for line in lines)
    return sum(max(1, -(-length // columns)) for length in lengths)
