"""`openapi`: the document of the management API."""

from __future__ import annotations

import typer

from punktfunk.cli.output import Example, examples


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples(Example("punktfunk-host openapi > openapi.json", "for a generator of clients")))(
        openapi
    )


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the management API."""
    from punktfunk.mgmt.app import openapi_text

    typer.echo(openapi_text(), nl=False)
