"""`devices`: the paired ones."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from punktfunk.cli.common import ConfigOption, JsonOption, ask_host
from punktfunk.cli.output import Example, examples, print_json, print_table
from punktfunk.host.control_messages import AnyAnswer, DeviceList, Done, ListDevices, RemoveDevice, RenameDevice

app = typer.Typer(name="devices", help="List, rename and remove paired devices.", no_args_is_help=True)
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
            (d.device, d.name, d.protocol, _day(d.paired_unix), "yes" if d.connected else "no", d.fingerprint[:16])
            for d in answer.devices
        ]
        print_table(("DEVICE", "NAME", "PROTOCOL", "PAIRED", "CONNECTED", "FINGERPRINT"), rows)
    else:
        typer.echo("No device is paired. Connect with a client, then: punktfunk-host pair PIN")


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


def _tell(answer: AnyAnswer, json: bool) -> None:
    if json:
        print_json(answer)
    elif isinstance(answer, Done):
        typer.echo(answer.message)


def _day(unix: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(unix)) if unix else "unknown"
