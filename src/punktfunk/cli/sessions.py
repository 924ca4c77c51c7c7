"""`sessions`: what is being streamed."""

from __future__ import annotations

from typing import Annotated

import typer

from punktfunk.cli.common import ConfigOption, JsonOption, ask_host
from punktfunk.cli.output import Example, examples, print_json, print_table, seconds_in_words
from punktfunk.host.control_messages import Done, EndSession, ListSessions, SessionList
from punktfunk.input.gamepads.nodes import bubblewrap_arguments, device_nodes

app = typer.Typer(name="sessions", help="List and end sessions.", no_args_is_help=True)


@app.command("list", epilog=examples(Example("punktfunk-host sessions list --json", "for scripts")))
def list_sessions(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the sessions that live or linger."""
    answer = ask_host(config, ListSessions())
    if json:
        print_json(answer)
    elif isinstance(answer, SessionList) and answer.sessions:
        rows = [
            (s.session, s.device, s.app, s.mode, s.state, s.protocol, seconds_in_words(s.age_s))
            for s in answer.sessions
        ]
        print_table(("SESSION", "DEVICE", "APP", "MODE", "STATE", "PROTOCOL", "AGE"), rows)
    else:
        typer.echo("No session is running.")


@app.command(epilog=examples(Example("punktfunk-host sessions end 1", "its programs end, too")))
def end(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, as `sessions list` shows it.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """End a session with all of its programs."""
    answer = ask_host(config, EndSession(session=session))
    if json:
        print_json(answer)
    elif isinstance(answer, Done):
        typer.echo(answer.message)


@app.command(
    epilog=examples(
        Example("punktfunk-host sessions pads 4f1c", "a device a line"),
        Example("bwrap $(punktfunk-host sessions pads 4f1c --bwrap) -- GAME", "a game that sees no other pads"),
    )
)
def pads(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Its id, as `sessions list` shows it.")],
    bwrap: Annotated[bool, typer.Option("--bwrap", help="As options for bubblewrap, which hide all others.")] = False,
) -> None:
    """Show the devices of a session's gamepads."""
    if bwrap:
        typer.echo(" ".join(bubblewrap_arguments(session)))
        return
    for name in sorted(device_nodes(session)):
        typer.echo(f"/dev/{name}")
