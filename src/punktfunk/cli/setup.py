"""`setup`: what is done once, before the host can do something more."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from punktfunk.cli.output import FAILED, Example, examples, fail
from punktfunk.input.gamepads.permissions import Step, StepFailed, installation, perform, removal
from punktfunk.session.desktops import kde_permission

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
    _show(steps)
    if os.geteuid() != 0:
        fail("That needs root. Run it again with sudo.", FAILED)
    _do(steps, yes=yes)
    if remove:
        typer.echo("Done. Devices that are open stay open until the host ends.")
    else:
        typer.echo("Done. Log out and in again: group membership counts from the next login.")


@app.command(
    "desktop",
    epilog=examples(
        Example("punktfunk-host setup desktop", "show what will be done, ask, do it"),
        Example("punktfunk-host setup desktop --remove", "undo it"),
    ),
)
def setup_desktop(
    sudo_user: Annotated[str | None, typer.Option(envvar="SUDO_USER", hidden=True)] = None,
    data_home: Annotated[str, typer.Option(envvar="XDG_DATA_HOME", hidden=True)] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Undo what this command did.")] = False,
) -> None:
    """Let this program stream your KDE session: KWin allows that only to applications whose desktop file asks for it.

    KWin tells programs apart by their executable, which is the Python interpreter here: every program of yours that
    runs in the same one may then do so as well.
    """
    if os.geteuid() == 0 and sudo_user:
        fail(f"That is for the desktop of one user. Run it as {sudo_user}, without sudo.", FAILED)
    file = kde_permission.desktop_file(Path.home(), data_home)
    executable = kde_permission.interpreter()
    steps = kde_permission.removal(file) if remove else kde_permission.installation(file, executable)
    _show(steps)
    if not remove:
        typer.echo(f"KWin will then let {executable} use {' and '.join(kde_permission.INTERFACES)}.")
    _do(steps, yes=yes)
    typer.echo("Done." if remove else "Done. Now: punktfunk-host serve --display kwin")


def _show(steps: Sequence[Step]) -> None:
    typer.echo("This will:")
    for step in steps:
        typer.echo(f"  {step}")


def _do(steps: Sequence[Step], *, yes: bool) -> None:
    if not yes and not typer.confirm("Go on?"):
        fail("Nothing was changed.", FAILED)
    for step in steps:
        try:
            perform(step)
        except StepFailed as error:
            fail(f"Stopped at: {error}", FAILED)
