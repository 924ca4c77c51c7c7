"""`config`: what is set, where each value comes from, and what is wrong."""

from __future__ import annotations

import os

import typer

from punktfunk.cli.common import ConfigOption, JsonOption, settings_or_exit
from punktfunk.cli.output import WRONG_SETTINGS, Example, examples, print_json, print_table
from punktfunk.host.settings import SCHEMA, value_of
from punktfunk.host.settings_load import config_file, environment_name, load
from punktfunk.host.settings_sources import SettingsError

app = typer.Typer(name="config", help="Show and check the settings.", no_args_is_help=True)


@app.command(
    epilog=examples(
        Example("punktfunk-host config show", "every value and its origin"),
        Example("PUNKTFUNK_NETWORK_MDNS=off punktfunk-host config show", "see a variable take effect"),
    )
)
def show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show every setting, its value and where that comes from."""
    loaded = settings_or_exit(config)
    settings = loaded.settings
    if json:
        entries = {
            key: {
                "value": value_of(settings, key),
                "origin": loaded.origins[key],
                "variable": environment_name(key),
                "description": field.description,
            }
            for key, field in SCHEMA.items()
        }
        print_json({"file": loaded.file, "settings": entries, "apps": settings.apps})
        return
    print_table(
        ("SETTING", "VALUE", "FROM"),
        [(key, _in_words(value_of(settings, key)), str(loaded.origins[key])) for key in SCHEMA],
    )
    typer.echo()
    print_table(
        ("APP ID", "NAME", "COMMAND"),
        [(str(app.id), app.name, app.command or "(the desktop)") for app in settings.apps],
    )


@app.command(epilog=examples(Example("punktfunk-host config check --config new.toml", "before it takes its place")))
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check the settings; each mistake is named with its file and line. Exit code 2 when there is one."""
    mistakes = []
    try:
        loaded = load(file=config)
        notes = loaded.warnings
    except SettingsError as error:
        mistakes, notes = list(error.mistakes), ()
    if json:
        print_json({"ok": not mistakes, "mistakes": mistakes, "warnings": notes})
    else:
        for line in (*mistakes, *notes):
            typer.echo(str(line), err=True)
        if not mistakes:
            typer.echo(
                f"{loaded.file}: fine" if loaded.file.exists() else f"{loaded.file} does not exist: defaults apply"
            )
    if mistakes:
        raise typer.Exit(WRONG_SETTINGS)


@app.command(epilog=examples(Example('$EDITOR "$(punktfunk-host config path)"', "edit the settings")))
def path(config: ConfigOption = None) -> None:
    """Print where host.toml is read from, whether it exists or not."""
    typer.echo(str(config_file(os.environ, config)[0]))


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return str(value) or "-"
