"""How commands speak: tables, JSON, one-sentence errors with an exit code, and examples in the help."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import NamedTuple, NoReturn

import msgspec
import typer

FAILED = 1
WRONG_SETTINGS = 2
NOT_RUNNING = 3
ALREADY_RUNNING = 4

EXIT_CODES = (
    "\n\nExit codes: 0 done; 1 failed or refused; 2 wrong command line or settings; 3 no host is running; "
    "4 another host runs already or the ports are taken."
)


class Example(NamedTuple):
    """A command line and what it is good for."""

    command: str
    purpose: str


def examples(*rows: Example) -> str:
    """The examples as an epilog that click does not re-wrap."""
    width = max(len(row.command) for row in rows)
    lines = [f"  {row.command:<{width}}   {row.purpose}" for row in rows]
    return "\b\nExamples:\n" + "\n".join(lines)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say one sentence on standard error and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def unexpected(error: Exception) -> NoReturn:
    """The last word on a fault of ours: a sentence, and the traceback only for those who ask."""
    if os.environ.get("PUNKTFUNK_TRACEBACK"):
        traceback.print_exception(error)
    name = type(error).__name__
    typer.echo(f"Unexpected fault in punktfunk-host ({name}: {error}).", err=True)
    typer.echo(
        "Set PUNKTFUNK_TRACEBACK=1 to see where, and report it with the output of: punktfunk-host doctor", err=True
    )
    sys.exit(FAILED)


def print_json(value: object) -> None:
    """One JSON document, indented, on standard output."""
    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    typer.echo(text.decode())


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns of text under a header."""
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def seconds_in_words(seconds: float) -> str:
    """A rough age: ``42 s``, ``5 min``, ``3 h``, ``2 d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
