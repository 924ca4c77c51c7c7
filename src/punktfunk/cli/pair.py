"""`pair`: answer the PIN that a client shows."""

from __future__ import annotations

from typing import Annotated

import typer

from punktfunk.cli.common import ConfigOption, JsonOption, ask_host
from punktfunk.cli.output import WRONG_SETTINGS, Example, examples, fail, print_json, print_table, seconds_in_words
from punktfunk.host.control_messages import Done, ListPending, PendingList, SubmitPin


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog=examples(
            Example("punktfunk-host pair 1234", "the PIN that Moonlight shows"),
            Example("punktfunk-host pair 1234 --name 'Living room'", "and how to call the device"),
            Example("punktfunk-host pair --list", "who is waiting"),
        )
    )(pair)


def pair(
    pin: Annotated[str | None, typer.Argument(metavar="PIN", help="The PIN that the client shows.")] = None,
    name: Annotated[str, typer.Option(help="How to call the new device.", show_default=False)] = "",
    attempt: Annotated[
        str, typer.Option(metavar="ID", help="Which attempt (see --list), when several wait.", show_default=False)
    ] = "",
    list_attempts: Annotated[bool, typer.Option("--list", help="Show the clients that wait for a PIN.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let a client in that shows a PIN.

    Choose this computer in Moonlight first; it shows four digits. Then give them here.
    """
    if list_attempts:
        _show_pending(config, json)
    elif pin is None:
        fail("Give the PIN that the client shows, as in: punktfunk-host pair 1234", WRONG_SETTINGS)
    else:
        answer = ask_host(config, SubmitPin(pin=pin, attempt=attempt, name=name))
        if json:
            print_json(answer)
        elif isinstance(answer, Done):
            typer.echo(answer.message)


def _show_pending(config: ConfigOption, json: bool) -> None:
    answer = ask_host(config, ListPending())
    if json:
        print_json(answer)
    elif isinstance(answer, PendingList) and answer.attempts:
        rows = [(a.attempt, a.name, a.address, seconds_in_words(a.waited_s), a.protocol) for a in answer.attempts]
        print_table(("ATTEMPT", "NAME", "ADDRESS", "WAITED", "PROTOCOL"), rows)
    else:
        typer.echo("No client is waiting for a PIN.")
