"""What several commands need: the settings, and a question to the running host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from punktfunk.cli.output import FAILED, NOT_RUNNING, WRONG_SETTINGS, fail
from punktfunk.host.control_messages import AnyAnswer, Request
from punktfunk.host.control_socket import ControlError, HostNotRunning, RequestRefused, ask
from punktfunk.host.settings_load import LoadedSettings, load
from punktfunk.host.settings_sources import SettingsError

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Read this file instead of host.toml.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def settings_or_exit(file: Path | None, flags: Mapping[str, tuple[str, object]] | None = None) -> LoadedSettings:
    """The settings; what is wrong in them goes to standard error, one line each, with exit code 2."""
    try:
        loaded = load(flags, file=file)
    except SettingsError as error:
        fail(str(error), WRONG_SETTINGS)
    for warning in loaded.warnings:
        typer.echo(str(warning), err=True)
    return loaded


def ask_host(file: Path | None, request: Request) -> AnyAnswer:
    """The running host's answer; a refusal or a missing host ends the command with a sentence."""
    runtime_dir = settings_or_exit(file).settings.host.runtime_dir
    try:
        return ask(runtime_dir, request)
    except RequestRefused as error:
        fail(str(error), FAILED)
    except HostNotRunning as error:
        fail(str(error), NOT_RUNNING)
    except ControlError as error:
        fail(str(error), FAILED)
