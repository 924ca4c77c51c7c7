"""What a device may do and for how long, as words on the command line."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from punktfunk.cli.output import WRONG_SETTINGS, fail
from punktfunk.trust.devices import Grants

WORDS = {str(grant.name).lower(): grant for grant in Grants if grant.bit_count() == 1}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

AllowOption = Annotated[
    str,
    typer.Option(
        "--allow", metavar="WORDS", help=f"What it may use, with commas: {', '.join(WORDS)}, or all, or none."
    ),
]
ForOption = Annotated[
    str, typer.Option("--for", metavar="TIME", help="How long, such as 30m, 2h or 7d. Default: for ever.")
]


def parse_grants(text: str) -> int:
    """The bits of ``--allow``; anything else ends the command."""
    if text in ("all", "none"):
        return int(Grants.ALL if text == "all" else Grants.NONE)
    bits = Grants.NONE
    for word in text.split(","):
        if word.strip() not in WORDS:
            fail(f"--allow {text}: {word!r} is none of {', '.join(WORDS)}, all, none", WRONG_SETTINGS)
        bits |= WORDS[word.strip()]
    return int(bits)


def parse_duration(text: str) -> int:
    """Seconds of ``--for``, 0 for ever; anything else ends the command."""
    if not text:
        return 0
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if match is None:
        fail(f"--for {text}: write a number with s, m, h or d, such as 2h", WRONG_SETTINGS)
    return int(match[1]) * _UNITS_S[match[2]]


def grants_in_words(bits: int) -> str:
    """For tables."""
    if bits == Grants.ALL:
        return "all"
    return ",".join(word for word, grant in WORDS.items() if bits & grant) or "view only"
