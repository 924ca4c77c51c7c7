"""`version`: what is installed."""

from __future__ import annotations

import platform

import typer

from punktfunk import __version__
from punktfunk.cli.common import JsonOption
from punktfunk.cli.output import Example, examples, print_json

_LIBRARIES = ("pixelflux", "pcmflux", "av", "cryptography", "msgspec", "zeroconf")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples(Example("punktfunk-host version --json", "with the versions of the libraries")))(
        version
    )


def version(json: JsonOption = False) -> None:
    """Print the version of the host and of the libraries that matter for it."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    libraries: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = installed(name)
        except PackageNotFoundError:
            libraries[name] = None
    if json:
        facts = {"version": __version__, "python": platform.python_version(), "system": platform.platform()}
        print_json(facts | {"libraries": libraries})
        return
    typer.echo(f"punktfunk-host {__version__}")
    typer.echo(f"Python {platform.python_version()} on {platform.platform()}")
    typer.echo(", ".join(f"{name} {number or 'missing'}" for name, number in libraries.items()))
