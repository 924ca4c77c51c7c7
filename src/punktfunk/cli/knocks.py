"""`pending`, `approve` and `deny`: punktfunk clients that ask to be let in."""

from __future__ import annotations

from typing import Annotated

import typer

from punktfunk.cli.access import AllowOption, ForOption, parse_duration, parse_grants
from punktfunk.cli.common import ConfigOption, JsonOption, ask_host
from punktfunk.cli.output import Example, examples, print_json, print_table, seconds_in_words
from punktfunk.host.control_messages import AnyAnswer, ApproveDevice, DenyDevice, Done, ListPending, PendingList

AttemptArgument = Annotated[
    str,
    typer.Argument(metavar="[ATTEMPT]", help="Which one (see `pending`), when several wait.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog=examples(Example("punktfunk-host pending", "who waits, and what for")))(pending)
    app.command(
        epilog=examples(
            Example("punktfunk-host approve", "let the one device in that waits"),
            Example("punktfunk-host approve 2 --name 'Living room'", "one of several, and how to call it"),
            Example("punktfunk-host approve --allow gamepad --for 2h", "a guest with a controller"),
        )
    )(approve)
    app.command(epilog=examples(Example("punktfunk-host deny 2", "it is told so")))(deny)


def pending(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the clients that wait for a PIN or to be let in."""
    show_pending(config, json)


def approve(
    attempt: AttemptArgument = "",
    name: Annotated[str, typer.Option(help="How to call the new device.", show_default=False)] = "",
    allow: AllowOption = "all",
    duration: ForOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let a punktfunk client in that waits; it is paired from then on."""
    request = ApproveDevice(attempt=attempt, name=name, grants=parse_grants(allow), for_s=parse_duration(duration))
    _tell(ask_host(config, request), json)


def deny(attempt: AttemptArgument = "", config: ConfigOption = None, json: JsonOption = False) -> None:
    """Turn a punktfunk client away that waits to be let in."""
    _tell(ask_host(config, DenyDevice(attempt=attempt)), json)


def show_pending(config: ConfigOption, json: bool) -> None:
    """The table of `pending` and `pair --list`."""
    answer = ask_host(config, ListPending())
    if json:
        print_json(answer)
    elif isinstance(answer, PendingList) and answer.attempts:
        rows = [(a.attempt, a.name, a.address, seconds_in_words(a.waited_s), a.protocol) for a in answer.attempts]
        print_table(("ATTEMPT", "NAME", "ADDRESS", "WAITED", "PROTOCOL"), rows)
    else:
        typer.echo("No client is waiting.")


def _tell(answer: AnyAnswer, json: bool) -> None:
    if json:
        print_json(answer)
    elif isinstance(answer, Done):
        typer.echo(answer.message)
