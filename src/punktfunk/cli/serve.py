"""`serve`, `status` and `stop`: the host's own life."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from punktfunk.cli.common import ConfigOption, JsonOption, ask_host, settings_or_exit
from punktfunk.cli.output import (
    ALREADY_RUNNING,
    FAILED,
    WRONG_SETTINGS,
    Example,
    examples,
    fail,
    print_json,
    seconds_in_words,
)
from punktfunk.host.control_messages import GetStatus, Status, Stop
from punktfunk.host.ports import busy_ports, describe_busy, ports_of
from punktfunk.host.settings_load import LoadedSettings

_FLAGS = {
    "gamestream": ("--gamestream", "gamestream.enabled"),
    "native": ("--native", "native.enabled"),
    "open_": ("--open", "native.open"),
    "name": ("--name", "host.name"),
    "bind": ("--bind", "network.bind_address"),
    "base_port": ("--base-port", "network.gamestream_port"),
    "native_port": ("--native-port", "network.native_port"),
    "mgmt_port": ("--mgmt-port", "network.mgmt_port"),
    "mdns": ("--mdns", "network.mdns"),
    "display": ("--display", "display.kind"),
    "audio": ("--audio", "audio.mode"),
    "encoder": ("--encoder", "video.encoder"),
    "log_level": ("--log-level", "log.level"),
    "log_format": ("--log-format", "log.format"),
}
"""Parameter of `serve` → (flag, setting)."""


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        epilog=examples(
            Example("punktfunk-host serve --gamestream", "Moonlight clients may pair and play"),
            Example("punktfunk-host serve --gamestream --base-port 48989", "next to another host"),
            Example("punktfunk-host serve --display synthetic --log-level debug", "a test picture, every detail"),
            Example("punktfunk-host serve --set gamestream.fec_percentage=30", "any setting of docs/configure.md"),
        )
    )(serve)
    app.command(epilog=examples(Example("punktfunk-host status --json", "for scripts")))(status)
    app.command(epilog=examples(Example("punktfunk-host stop", "from another terminal")))(stop)


def serve(
    gamestream: Annotated[
        bool | None, typer.Option("--gamestream/--no-gamestream", help="Let Moonlight clients in.", show_default=False)
    ] = None,
    native: Annotated[
        bool | None,
        typer.Option("--native/--no-native", help="Let punktfunk clients in (the default).", show_default=False),
    ] = None,
    open_: Annotated[
        bool | None,
        typer.Option("--open", help="Let every punktfunk device in, and remember it.", show_default=False),
    ] = None,
    config: ConfigOption = None,
    name: Annotated[str | None, typer.Option(help="Name that clients show.")] = None,
    bind: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Listen on this address only.")] = None,
    base_port: Annotated[int | None, typer.Option(metavar="PORT", help="GameStream base port [47989].")] = None,
    native_port: Annotated[int | None, typer.Option(metavar="PORT", help="Port of punktfunk/1 [9777].")] = None,
    mgmt_port: Annotated[int | None, typer.Option(metavar="PORT", help="Port of the management API [47990].")] = None,
    mdns: Annotated[
        bool | None, typer.Option("--mdns/--no-mdns", help="Announce this host on the network.", show_default=False)
    ] = None,
    display: Annotated[
        str | None, typer.Option(metavar="KIND", help="auto, embedded, bare, kwin, mutter, wlroots, x11 or synthetic.")
    ] = None,
    audio: Annotated[str | None, typer.Option(metavar="MODE", help="auto, private, system or off.")] = None,
    encoder: Annotated[str | None, typer.Option(metavar="KIND", help="auto, software, nvenc or vaapi.")] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(metavar="FORMAT", help="text or json.")] = None,
    more: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any other setting; may be repeated.")
    ] = None,
) -> None:
    """Run the host in the foreground until it is stopped (Ctrl-C, SIGTERM or `punktfunk-host stop`)."""
    given = locals()
    flags = {key: (flag, given[parameter]) for parameter, (flag, key) in _FLAGS.items() if given[parameter] is not None}
    flags |= dict(_parse_set(text) for text in more or [])
    raise typer.Exit(run_host(settings_or_exit(config, flags), _serve))


def _serve(loaded: LoadedSettings) -> int:
    from punktfunk.host import app

    return app.run(loaded)


def run_host(loaded: LoadedSettings, run: Callable[[LoadedSettings], int]) -> int:
    """Run a host; what a person can mend ends the command with a sentence."""
    settings = loaded.settings
    from punktfunk.host import logs
    from punktfunk.host.control_socket import ControlError, HostAlreadyRunning
    from punktfunk.host.paths import PathError

    logs.configure(settings.log.level, settings.log.format)
    from punktfunk.host import app as host

    try:
        status = run(loaded)
        if status == host.RESTART:
            # The same program with the same words; the interpreter itself is named by its file, whatever PATH says.
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        return status
    except HostAlreadyRunning as error:
        fail(str(error), ALREADY_RUNNING)
    except (ControlError, PathError, host.HostError) as error:
        fail(str(error), FAILED)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL and settings.network.bind_address:
            fail(f"this machine has no address {settings.network.bind_address} (setting network.bind_address)", FAILED)
        if error.errno != errno.EADDRINUSE:
            raise
        busy = busy_ports(ports_of(settings), settings.network.bind_address)
        fail(describe_busy(busy) or str(error), ALREADY_RUNNING)


def _parse_set(text: str) -> tuple[str, tuple[str, Any]]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        fail(
            f"--set {text}: write it as SECTION.KEY=VALUE, for example --set gamestream.fec_percentage=30",
            WRONG_SETTINGS,
        )
    return key.strip(), ("--set", value)


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say what the running host does."""
    answer = ask_host(config, GetStatus())
    if json:
        print_json(answer)
    elif isinstance(answer, Status):
        moonlight = f"Moonlight on port {answer.gamestream_port}" if answer.gamestream_port else "Moonlight not let in"
        native = f"punktfunk on port {answer.native_port}" if answer.native_port else "punktfunk not let in"
        typer.echo(
            f"{answer.name}: process {answer.pid}, up {seconds_in_words(answer.uptime_s)}, {native}, {moonlight}"
        )
        typer.echo(f"{answer.devices} paired devices, {answer.sessions} sessions, {answer.pending} waiting to pair")


def stop(config: ConfigOption = None) -> None:
    """Stop the running host; its sessions end in an orderly way."""
    ask_host(config, Stop())
    typer.echo("The host is stopping.")
