"""`doctor`: prove that this machine can stream."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from punktfunk.cli.common import ConfigOption, JsonOption
from punktfunk.cli.output import FAILED, Example, examples, fail, print_json


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog=examples(
            Example("punktfunk-host doctor", "every check, with a fix in words"),
            Example("punktfunk-host doctor --only ports --only encoder", "two of them"),
            Example("punktfunk-host doctor --json", "for scripts"),
        )
    )(doctor)


def doctor(
    config: ConfigOption = None,
    json: JsonOption = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="Run this check only; may be repeated.")
    ] = None,
) -> None:
    """Check each link from the settings to the network, by doing it. Exit code 1 when something fails."""
    import asyncio

    from punktfunk.host.doctor import Status, make_context, run_checks, standard_checks

    checks = standard_checks()
    if unknown := set(only or ()) - {check.name for check in checks}:
        fail(f"There is no check {min(unknown)}; known are {', '.join(check.name for check in checks)}.", 2)
    chosen = [check for check in checks if not only or check.name in only]
    context = make_context(os.environ, config)
    results = []

    async def run() -> None:
        async for result in run_checks(chosen, context):
            results.append(result)
            if not json:
                _show(result.status.value, result.name, result.message, result.fix)

    asyncio.run(run())
    failed = [result for result in results if result.status is Status.FAIL]
    if json:
        print_json({"ok": not failed, "checks": results})
    else:
        warned = sum(result.status is Status.WARN for result in results)
        typer.echo(f"\n{len(results)} checks, {len(failed)} failed, {warned} with a warning.")
    if failed:
        raise typer.Exit(FAILED)


def _show(status: str, name: str, message: str, fix: str) -> None:
    colours = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}
    typer.echo(f"{typer.style(f'{status:<4}', fg=colours[status])}  {name:<12} {message}")
    if fix:
        typer.echo(f"{'':<19}→ {fix}")
