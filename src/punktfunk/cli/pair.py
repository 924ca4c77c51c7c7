"""`pair`: answer the PIN that a Moonlight client shows, or make one for a punktfunk client."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from punktfunk.cli.common import ConfigOption, JsonOption, ask_host
from punktfunk.cli.knocks import show_pending
from punktfunk.cli.output import FAILED, WRONG_SETTINGS, Example, examples, fail, print_json
from punktfunk.host.control_messages import (
    ArmPairing,
    DeviceList,
    DisarmPairing,
    Done,
    GetPairing,
    ListDevices,
    PairingWindow,
    SubmitPin,
)

POLL_S = 0.5
LAST_PROOF_S = 10.0
"""How long a client that has used the PIN may take to finish."""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        epilog=examples(
            Example("punktfunk-host pair --native", "make a PIN for a punktfunk client"),
            Example("punktfunk-host pair 1234", "the PIN that Moonlight shows"),
            Example("punktfunk-host pair 1234 --name 'Living room'", "and how to call the device"),
            Example("punktfunk-host pair --list", "who is waiting"),
        )
    )(pair)


def pair(
    pin: Annotated[str | None, typer.Argument(metavar="PIN", help="The PIN that Moonlight shows.")] = None,
    native: Annotated[bool, typer.Option("--native", help="Make a PIN to be typed into a punktfunk client.")] = False,
    window: Annotated[int, typer.Option(min=15, max=600, metavar="SECONDS", help="How long that PIN is good.")] = 120,
    name: Annotated[str, typer.Option(help="How to call the new device.", show_default=False)] = "",
    attempt: Annotated[
        str, typer.Option(metavar="ID", help="Which attempt (see --list), when several wait.", show_default=False)
    ] = "",
    list_attempts: Annotated[bool, typer.Option("--list", help="Show the clients that wait.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Let a client in.

    A Moonlight client shows four digits when you choose this computer: give them here. For a punktfunk client,
    --native shows four digits here: type them into the client. With --json that returns at once.
    """
    if list_attempts:
        show_pending(config, json)
    elif native:
        _pair_native(window, config, json)
    elif pin is None:
        fail("Give the PIN that Moonlight shows, as in: punktfunk-host pair 1234; or use --native", WRONG_SETTINGS)
    else:
        answer = ask_host(config, SubmitPin(pin=pin, attempt=attempt, name=name))
        if json:
            print_json(answer)
        elif isinstance(answer, Done):
            typer.echo(answer.message)


def _pair_native(window_s: int, config: ConfigOption, json: bool) -> None:
    known = set(_devices(config))
    armed = ask_host(config, ArmPairing(window_s=window_s))
    if json:
        print_json(armed)
        return
    assert isinstance(armed, PairingWindow)
    typer.echo(f"PIN: {armed.pin}   (type it into the client; for one device, {window_s} s)")
    try:
        _await_device(known, config)
    except KeyboardInterrupt:
        ask_host(config, DisarmPairing())
        raise


def _await_device(known: set[str], config: ConfigOption) -> None:
    """Count down until a device is there or the window is shut."""
    used_at: float | None = None
    while used_at is None or time.monotonic() - used_at < LAST_PROOF_S:
        window = ask_host(config, GetPairing())
        assert isinstance(window, PairingWindow)
        new = {key: name for key, name in _devices(config).items() if key not in known}
        if new:
            typer.echo(f"\rPaired: {', '.join(new.values())}")
            return
        if window.pin:
            typer.echo(f"\r{window.expires_in_s:4.0f} s left ", nl=False)
        elif used_at is None:
            used_at = time.monotonic()
        time.sleep(POLL_S)
    typer.echo()
    fail("No device has paired. The PIN is used up or too old; run this again for a new one.", FAILED)


def _devices(config: ConfigOption) -> dict[str, str]:
    """Key and name of every paired punktfunk device; pairing anew changes the key."""
    answer = ask_host(config, ListDevices())
    assert isinstance(answer, DeviceList)
    return {f"{d.fingerprint} {d.paired_unix}": d.name for d in answer.devices if d.protocol == "native"}
