"""The client by hand: ``python -m tests.conformance.moonlight --host HOST pair --pin 1234 | apps | stream``."""

import argparse
import asyncio
import dataclasses
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from . import ClientError, Codec, Encryption, Identity, Impairment, MoonlightClient, StreamOptions, find_app
from .decode import VideoDecoder, write_png


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        report = asyncio.run(_run(options))
    except (ClientError, OSError, TimeoutError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=2, default=str) if options.json else _readable(report))
    return 3 if report.get("violations") else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="moonlight", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=47989)
    parser.add_argument("--identity", type=Path, default=Path.home() / ".cache/moonlight-conformance")
    parser.add_argument("--json", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info")
    pair = commands.add_parser("pair")
    pair.add_argument("--pin", default=f"{secrets.randbelow(10000):04}")
    pair.add_argument("--passphrase")
    commands.add_parser("apps")
    commands.add_parser("cancel")
    stream = commands.add_parser("stream")
    stream.add_argument("--app", default="Desktop")
    stream.add_argument("--mode", default="1280x720x60")
    stream.add_argument("--seconds", type=float, default=10)
    stream.add_argument("--bitrate", type=int, default=10000, help="kbit/s")
    stream.add_argument("--codec", type=Codec, default=Codec.H264)
    stream.add_argument("--channels", type=int, choices=(2, 6, 8), default=2)
    stream.add_argument("--encryption", type=int, default=7, help="1 control, 2 video, 4 audio")
    stream.add_argument("--rfi", action="store_true")
    stream.add_argument("--loss", type=float, default=0.0, help="0 to 1")
    stream.add_argument("--seed", type=int, default=0)
    stream.add_argument("--png", type=Path, help="write the last picture here")
    # Also accepted after the command, where people type them.
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    return parser


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    identity = Identity.load_or_create(options.identity)
    pinned_file = options.identity / f"{options.host}-{options.port}.pem"
    pinned = None
    if pinned_file.exists():
        certificate = x509.load_pem_x509_certificate(pinned_file.read_bytes())
        pinned = certificate.public_bytes(serialization.Encoding.DER)
    async with MoonlightClient(options.host, options.port, identity=identity, pinned=pinned) as client:
        report = await _COMMANDS[options.command](client, options)
        if options.command == "pair":
            pinned_file.write_text(client.pinned_pem)
        return {**report, "violations": [f"{v.rule}: {v.detail}" for v in client.violations]}


async def _info(client: MoonlightClient, options: argparse.Namespace) -> dict[str, Any]:
    return dataclasses.asdict(await client.serverinfo(https=client.http.pinned is not None))


async def _pair(client: MoonlightClient, options: argparse.Namespace) -> dict[str, Any]:
    print(f"PIN {options.pin}", file=sys.stderr, flush=True)
    client.http.pinned = None
    certificate = await client.pair(options.pin, passphrase=options.passphrase)
    return {"paired": True, "host": certificate.subject.rfc4514_string()}


async def _apps(client: MoonlightClient, options: argparse.Namespace) -> dict[str, Any]:
    return {"apps": [dataclasses.asdict(app) for app in await client.app_list()]}


async def _cancel(client: MoonlightClient, options: argparse.Namespace) -> dict[str, Any]:
    await client.cancel()
    return {"cancelled": True}


async def _stream(client: MoonlightClient, options: argparse.Namespace) -> dict[str, Any]:
    width, height, fps = map(int, options.mode.split("x"))
    wanted = StreamOptions(
        width=width,
        height=height,
        fps=fps,
        bitrate_kbps=options.bitrate,
        codecs=(options.codec,),
        channels=options.channels,
        encryption=Encryption(options.encryption),
        rfi=options.rfi,
    )
    impair = Impairment(seed=options.seed, loss=options.loss) if options.loss else None
    app = find_app(await client.app_list(), options.app)
    running = (await client.serverinfo(https=True)).current_game
    start = client.resume if running == app.id else client.launch
    stream = await start(app.id, wanted, impair=impair)
    decoder = VideoDecoder(stream.agreement.codec) if options.png else None
    last_picture = None
    until = time.monotonic() + options.seconds
    async for frame in stream.frames():
        if decoder is not None:
            for picture in decoder.decode(frame):
                last_picture = picture
        if time.monotonic() >= until:
            break
    await stream.close()
    if options.png and last_picture is not None:
        write_png(options.png, last_picture)
    return {
        "result": stream.result,
        "agreement": dataclasses.asdict(stream.agreement),
        "feedback": [repr(message) for message in stream.feedback],
        **dataclasses.asdict(stream.statistics()),
    }


_COMMANDS = {"info": _info, "pair": _pair, "apps": _apps, "cancel": _cancel, "stream": _stream}


def _readable(report: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in report.items())
