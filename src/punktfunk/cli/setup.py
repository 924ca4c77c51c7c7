"""`setup`: what needs root once."""

from __future__ import annotations

import getpass
import os
from typing import Annotated

import typer

from punktfunk.cli.output import FAILED, Example, examples, fail
from punktfunk.input.gamepads.permissions import StepFailed, installation, perform, removal

app = typer.Typer(name="setup", help="Prepare this machine, once.", no_args_is_help=True)


@app.callback()
def setup() -> None:
    """Prepare this machine, once."""


@app.command(
    "input",
    epilog=examples(
        Example("sudo punktfunk-host setup input", "show what will be done, ask, do it"),
        Example("sudo punktfunk-host setup input --remove", "undo it"),
    ),
)
def setup_input(
    user: Annotated[
        str | None,
        typer.Option(envvar="SUDO_USER", metavar="NAME", help="Who runs the host; default: who called sudo."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Undo what this command did.")] = False,
) -> None:
    """Let a user make virtual gamepads without root."""
    steps = (removal if remove else installation)(user or getpass.getuser())
    typer.echo("This will:")
    for step in steps:
        typer.echo(f"  {step}")
    if os.geteuid() != 0:
        fail("That needs root. Run it again with sudo.", FAILED)
    if not yes and not typer.confirm("Go on?"):
        fail("Nothing was changed.", FAILED)
    for step in steps:
        try:
            perform(step)
        except StepFailed as error:
            fail(f"Stopped at: {error}", FAILED)
    if remove:
        typer.echo("Done. Devices that are open stay open until the host ends.")
    else:
        typer.echo("Done. Log out and in again: group membership counts from the next login.")
