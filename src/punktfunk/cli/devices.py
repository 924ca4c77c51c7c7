"""`devices`: the paired ones."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from punktfunk.cli.access import AllowOption, ForOption, grants_in_words, parse_duration, parse_grants
from punktfunk.cli.common import ConfigOption, JsonOption, ask_host
from punktfunk.cli.output import Example, examples, print_json, print_table
from punktfunk.host.control_messages import (
    AnyAnswer,
    DeviceList,
    Done,
    ListDevices,
    RemoveDevice,
    RenameDevice,
    SetAccess,
)

app = typer.Typer(name="devices", help="List, rename, restrict and remove paired devices.", no_args_is_help=True)
DeviceArgument = Annotated[str, typer.Argument(metavar="DEVICE", help="Its id, name, or the start of its fingerprint.")]


@app.command(
    "list",
    epilog=examples(
        Example("punktfunk-host devices list", "a table"),
        Example("punktfunk-host devices list --json", "for scripts"),
    ),
)
def list_devices(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the devices that may connect."""
    answer = ask_host(config, ListDevices())
    if json:
        print_json(answer)
    elif isinstance(answer, DeviceList) and answer.devices:
        rows = [
            (
                *(d.device, d.name, d.protocol, _day(d.paired_unix), "yes" if d.connected else "no"),
                *(grants_in_words(d.grants), _day(d.expires_unix) if d.expires_unix else "never", d.fingerprint[:16]),
            )
            for d in answer.devices
        ]
        print_table(("DEVICE", "NAME", "PROTOCOL", "PAIRED", "CONNECTED", "MAY", "ENDS", "FINGERPRINT"), rows)
    else:
        typer.echo("No device is paired. Connect with a client, then: punktfunk-host pair")


@app.command(epilog=examples(Example("punktfunk-host devices rename 3f2a 'Living room'", "clients keep working")))
def rename(
    device: DeviceArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="How to call it.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Call a device something else."""
    _tell(ask_host(config, RenameDevice(device=device, name=name)), json)


@app.command(epilog=examples(Example("punktfunk-host devices remove 'Old phone'", "it is cut off at once")))
def remove(device: DeviceArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Unpair a device; its sessions end within a second."""
    _tell(ask_host(config, RemoveDevice(device=device)), json)


@app.command(
    epilog=examples(
        Example("punktfunk-host devices access 'Old phone' --allow none", "it may only look"),
        Example("punktfunk-host devices access Guest --allow gamepad,pointer --for 2h", "for this evening"),
        Example("punktfunk-host devices access Guest", "everything, for ever"),
    )
)
def access(
    device: DeviceArgument,
    allow: AllowOption = "all",
    duration: ForOption = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a punktfunk device may do and for how long; a live session follows at once."""
    request = SetAccess(device=device, grants=parse_grants(allow), for_s=parse_duration(duration))
    _tell(ask_host(config, request), json)


def _tell(answer: AnyAnswer, json: bool) -> None:
    if json:
        print_json(answer)
    elif isinstance(answer, Done):
        typer.echo(answer.message)


def _day(unix: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(unix)) if unix else "unknown"
