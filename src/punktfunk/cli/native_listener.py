"""`punktfunk1-host`: a listener of punktfunk/1 alone, for tests of clients."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from punktfunk.cli.common import ConfigOption, settings_or_exit
from punktfunk.cli.output import WRONG_SETTINGS, Example, examples, fail
from punktfunk.cli.serve import run_host
from punktfunk.host.settings_load import LoadedSettings

_FRAMES_HELP = (
    "Send so many frames whose bytes clients can check, and end the session; 0: endless video. Test pattern only."
)
_DISPLAYS = {"virtual": "auto", "synthetic": "synthetic"}


class Source(enum.StrEnum):
    """Values of --source."""

    VIRTUAL = "virtual"
    SYNTHETIC = "synthetic"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        "punktfunk1-host",
        epilog=examples(
            Example(
                "punktfunk-host punktfunk1-host --source synthetic --frames 300", "300 frames to check to each client"
            ),
            Example("punktfunk-host punktfunk1-host --pairing-pin 0427 --max-sessions 1", "for a script"),
        ),
    )(native_listener)


def native_listener(
    port: Annotated[int, typer.Option(min=1024, max=65535, help="UDP port.")] = 9777,
    source: Annotated[Source, typer.Option(help="A desktop for each client, or the test pattern.")] = Source.VIRTUAL,
    frames: Annotated[int, typer.Option(min=0, help=_FRAMES_HELP)] = 0,
    seconds: Annotated[int, typer.Option(min=0, help="End a session after so long; 0: never.")] = 0,
    max_sessions: Annotated[int, typer.Option(min=0, help="Stop after so many sessions; 0: never.")] = 0,
    max_concurrent: Annotated[int, typer.Option(min=1, max=64, help="Sessions at the same time.")] = 4,
    pairing_pin: Annotated[str, typer.Option(metavar="PIN", help="Fixed PIN of four digits. Default: random.")] = "",
    open_: Annotated[bool, typer.Option("--open", help="Let every device in, and remember it.")] = False,
    bind: Annotated[str, typer.Option(metavar="ADDRESS", help="Listen on this address only.")] = "",
    config: ConfigOption = None,
) -> None:
    """Serve punktfunk/1 and nothing else, with a PIN always ready: for tests of clients."""
    if frames and source is not Source.SYNTHETIC:
        fail("--frames needs --source synthetic", WRONG_SETTINGS)
    if pairing_pin and not (len(pairing_pin) == 4 and pairing_pin.isascii() and pairing_pin.isdigit()):
        fail(f"--pairing-pin {pairing_pin}: a PIN has four digits", WRONG_SETTINGS)
    flags: dict[str, tuple[str, object]] = {
        "native.enabled": ("punktfunk1-host", True),
        "native.open": ("--open", open_),
        "gamestream.enabled": ("punktfunk1-host", False),
        "mgmt.enabled": ("punktfunk1-host", False),
        "network.mdns": ("punktfunk1-host", False),
        "network.native_port": ("--port", port),
        "network.bind_address": ("--bind", bind),
        "display.kind": ("--source", _DISPLAYS[source.value]),
        "limits.sessions": ("--max-concurrent", max_concurrent),
    }

    def run(loaded: LoadedSettings) -> int:
        from punktfunk.host.app import run
        from punktfunk.host.native_listener import ListenerOptions, NativeListener

        options = ListenerOptions(pairing_pin, max_sessions, frames, seconds)
        return run(loaded, lambda loaded: NativeListener(loaded, options, _announce))

    raise typer.Exit(run_host(settings_or_exit(config, flags), run))


def _announce(pin: str) -> None:
    typer.echo(f"PIN: {pin}")
