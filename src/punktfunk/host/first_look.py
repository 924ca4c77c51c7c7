"""What the terminal shows once and no log keeps: the link to choose the console's password, with a QR code."""

from __future__ import annotations

import io
import json
from typing import TextIO

import segno


def show_setup_link(link: str, output: TextIO, form: str) -> None:
    """Write ``link`` for people, or as one JSON line where the log is JSON; the QR code only onto a terminal."""
    if form == "json":
        output.write(json.dumps({"message": "choose the console's password", "setup_link": link}) + "\n")
    else:
        output.write(setup_block(link, with_code=output.isatty()))
    output.flush()


def setup_block(link: str, *, with_code: bool) -> str:
    """The text around the link."""
    code = ""
    if with_code:
        drawing = io.StringIO()
        segno.make(link, error="l", micro=False).terminal(drawing, compact=True, border=1)
        code = drawing.getvalue()
    return f"\n  Open the console and choose its password (the link works once):\n\n  {link}\n\n{code}"
