"""`punktfunk-probe`: a client without a face that finds hosts, pairs, streams and measures; `--window` gives it one."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from punktfunk.cli.output import Example, examples, fail, print_json, print_table
from punktfunk.client.connection import Mode
from punktfunk.client.discovery import discover as find_hosts
from punktfunk.client.errors import (
    ClientError,
    ConnectionClosedError,
    FingerprintMismatchError,
    NotApprovedError,
    UnreachableError,
    WrongPinError,
)
from punktfunk.client.identity import KnownHost, KnownHosts, load_identity
from punktfunk.client.measure import Plan, measure
from punktfunk.client.pairing import pair as pair_with
from punktfunk.client.report import Report, lines
from punktfunk.client.session import Options, Session, connect
from punktfunk.wire.punktfunk1 import DEFAULT_PORT
from punktfunk.wire.punktfunk1.caps import ClientCaps, VideoCaps
from punktfunk.wire.punktfunk1.enums import VideoCodec

FAILED, WRONG_OPTIONS, UNREACHABLE, REFUSED, CHANGED = 1, 2, 3, 4, 5
_CODES = (
    "\n\nExit codes: 0 all well; 1 no picture, or a test failed; 2 wrong options; 3 no host answers; "
    "4 the host refused (not paired, wrong PIN, busy, denied); 5 the host's certificate changed."
)


class CodecChoice(enum.StrEnum):
    """Values of --codec."""

    AUTO = "auto"
    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"


_CODECS = {CodecChoice.H264: VideoCodec.H264, CodecChoice.HEVC: VideoCodec.HEVC, CodecChoice.AV1: VideoCodec.AV1}

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.command(
    no_args_is_help=True,
    epilog=examples(
        Example("punktfunk-probe --discover", "list the hosts of this network"),
        Example("punktfunk-probe --host 192.0.2.7 --pair --pin 1234", "pair by the PIN that the host shows"),
        Example("punktfunk-probe --host 192.0.2.7 --seconds 10", "stream for 10 s and report"),
        Example("punktfunk-probe --host 192.0.2.7 --mode 1920x1080@60 --remode 2560x1440@60", "change in mid-stream"),
        Example("punktfunk-probe --host 192.0.2.7 --speed-test --json", "for scripts"),
        Example("punktfunk-probe --host 192.0.2.7 --window", "play"),
    )
    + _CODES,
)
def probe(
    discover: Annotated[bool, typer.Option("--discover", help="List hosts by mDNS.")] = False,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS[:PORT]", help="The host to talk to.")] = None,
    pair: Annotated[bool, typer.Option("--pair", help="Pair by the PIN that the host shows.")] = False,
    pin: Annotated[str | None, typer.Option(metavar="DIGITS", help="The PIN; asked for when missing.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Forget the host's certificate.")] = False,
    fingerprint: Annotated[
        str | None, typer.Option(metavar="HEX", help="Accept this host certificate only (SHA-256).")
    ] = None,
    name: Annotated[str, typer.Option(help="Name that the host shows for this device.")] = "punktfunk probe",
    mode: Annotated[str, typer.Option(metavar="WxH@HZ", help="Size and refresh rate.")] = "1280x720@60",
    remode: Annotated[
        list[str] | None, typer.Option(metavar="WxH@HZ", help="Change the mode in mid-stream; may be repeated.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=86400, help="How long to stream.")] = 5.0,
    codec: Annotated[CodecChoice, typer.Option(help="Video codec.")] = CodecChoice.AUTO,
    bitrate: Annotated[int, typer.Option(min=0, metavar="KBPS", help="Video bitrate; 0: adapt to the path.")] = 0,
    channels: Annotated[int, typer.Option(help="Audio channels: 2, 6 or 8.")] = 2,
    lossless: Annotated[int, typer.Option(metavar="BITS", help="Ask for uncompressed sound: 16 or 24.")] = 0,
    launch: Annotated[str | None, typer.Option(metavar="ID", help="Start this game of the host's library.")] = None,
    chacha: Annotated[bool, typer.Option("--chacha", help="Ask for ChaCha20-Poly1305.")] = False,
    decode: Annotated[bool, typer.Option(help="Decode the pictures.")] = True,
    speed_test: Annotated[bool, typer.Option("--speed-test", help="Measure the path with filler.")] = False,
    speed_test_mbps: Annotated[int, typer.Option(min=1, max=10000, help="Rate of the filler.")] = 2000,
    input_test: Annotated[bool, typer.Option("--input-test", help="Move pointer, wheel, Shift and a pad.")] = False,
    mic_test: Annotated[bool, typer.Option("--mic-test", help="Send 2 s of a tone as microphone.")] = False,
    audio_out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the sound as WAV.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the last picture as PNG.")] = None,
    window: Annotated[bool, typer.Option("--window", help="Show the stream, with sound and input.")] = False,
    fullscreen: Annotated[bool, typer.Option("--fullscreen", help="The window fills the screen.")] = False,
    microphone: Annotated[bool, typer.Option("--microphone", help="With --window: send the microphone.")] = False,
    approval_seconds: Annotated[
        float, typer.Option(min=1, max=600, help="How long to wait for approval at the host.")
    ] = 185.0,
    discover_seconds: Annotated[float, typer.Option(min=0.1, max=60, help="How long to look for hosts.")] = 2.0,
    folder: Annotated[
        Path | None,
        typer.Option("--client-dir", envvar="PUNKTFUNK_CLIENT_DIR", help="This client's identity and hosts."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Find punktfunk hosts, pair with one, stream from it and measure."""
    folder = folder or Path.home() / ".config/punktfunk/client"
    if discover:
        _discover(discover_seconds, json)
        return
    if host is None:
        fail("say which host: --host ADDRESS[:PORT], or find one with --discover", WRONG_OPTIONS)
    address, port = _address(host)
    if forget:
        found = KnownHosts(folder).forget(address, port)
        fail(f"{host} was not known", FAILED) if not found else typer.echo(f"{host} is forgotten")
        return
    if channels not in (2, 6, 8):
        fail("--channels: 2, 6 or 8", WRONG_OPTIONS)
    if lossless not in (0, 16, 24):
        fail("--lossless: 16 or 24", WRONG_OPTIONS)
    identity, hosts = load_identity(folder), KnownHosts(folder)
    known = hosts.find(address, port)
    expected = _fingerprint(fingerprint) or (bytes.fromhex(known.fingerprint) if known else None)
    if pair:
        digits = pin if pin is not None else typer.prompt("PIN that the host shows")
        if not re.fullmatch(r"[0-9]{4}", digits):
            fail("--pin: four digits", WRONG_OPTIONS)
        seen = asyncio.run(pair_with(address, port, digits, identity, name=name, expected=_fingerprint(fingerprint)))
        hosts.add(KnownHost(address, port, seen.hex(), paired=True))
        _say(f"paired with {host}, certificate {seen.hex()}", json, {"paired": True, "host_fingerprint": seen.hex()})
        return
    options = Options(
        mode=_mode(mode),
        bitrate_kbps=bitrate,
        codecs=_CODECS.get(codec, Options().codecs),
        preferred=_CODECS.get(codec, VideoCodec.NONE),
        name=name,
        launch_id=launch,
        audio_channels=channels,
        video_caps=VideoCaps.CHACHA20 if chacha else VideoCaps.NONE,
        client_caps=_client_caps(window=window, lossless=bool(lossless)),
        audio_bits=lossless or 16,
        decode=decode or window or png is not None,
        pin=expected,
        approval_timeout_s=approval_seconds,
    )
    plan = Plan(
        seconds=seconds,
        modes=tuple(_mode(text) for text in remode or []),
        speed_test_kbps=speed_test_mbps * 1000 if speed_test else 0,
        input_test=input_test,
        microphone_seconds=2.0 if mic_test else 0.0,
        audio_file=audio_out,
        picture_file=png,
    )

    @contextlib.asynccontextmanager
    async def open_session() -> AsyncIterator[Session]:
        async with connect(address, identity, options, port=port) as session:
            hosts.add(KnownHost(address, port, session.host_fingerprint.hex()))
            if known is None and fingerprint is None:
                typer.echo(f"trusting {host} on first use: {session.host_fingerprint.hex()}", err=True)
            yield session

    if window:
        from punktfunk.client.window import play

        play(open_session, f"{address} - punktfunk", fullscreen=fullscreen, microphone=microphone)
        return

    async def run() -> Report:
        started = time.monotonic()
        async with open_session() as session:
            return await measure(session, plan, host, started, decode=options.decode)

    report = asyncio.run(run())
    if json:
        print_json(report)
    else:
        typer.echo("\n".join(lines(report)))
    if not report.passed:
        raise typer.Exit(FAILED)


def _discover(seconds: float, json: bool) -> None:
    hosts = asyncio.run(find_hosts(seconds))
    if json:
        print_json([{field: getattr(host, field) for field in host.__slots__} for host in hosts])
    elif hosts:
        rows = [
            (h.name, f"{h.address}:{h.port}", "pairing" if h.pairing_required else "open", h.fingerprint or "")
            for h in hosts
        ]
        print_table(("NAME", "ADDRESS", "ACCESS", "CERTIFICATE"), rows)
    if not hosts:
        fail("no host announces itself on this network", UNREACHABLE)


def _say(text: str, json: bool, document: object) -> None:
    print_json(document) if json else typer.echo(text)


def _client_caps(*, window: bool, lossless: bool) -> ClientCaps:
    caps = ClientCaps.AUDIO_RED
    if window:
        caps |= ClientCaps.CURSOR
    return caps | ClientCaps.AUDIO_HIRES if lossless else caps


def _mode(text: str) -> Mode:
    match = re.fullmatch(r"(\d{2,5})x(\d{2,5})@(\d{1,3})", text)
    if match is None:
        fail(f"{text} is no mode; write it as 1920x1080@60", WRONG_OPTIONS)
    width, height, refresh_hz = map(int, match.groups())
    return Mode(width, height, refresh_hz)


def _address(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?|([^:\[\]]+)(?::(\d{1,5}))?", text)
    if match is None:
        fail(f"{text} is no address; write it as 192.0.2.7, name:9777 or [2001:db8::7]:9777", WRONG_OPTIONS)
    port = int(match[2] or match[4] or DEFAULT_PORT)
    if not 0 < port < 65536:
        fail(f"{port} is no port", WRONG_OPTIONS)
    return match[1] or match[3], port


def _fingerprint(text: str | None) -> bytes | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        fail("--fingerprint: 64 hex digits", WRONG_OPTIONS)
    return bytes.fromhex(text)


def main() -> None:
    """Run; whatever goes wrong ends in one sentence and an exit code."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except FingerprintMismatchError as error:
        _exit(error, CHANGED)
    except UnreachableError as error:
        _exit(error, UNREACHABLE)
    except (ConnectionClosedError, NotApprovedError, WrongPinError) as error:
        _exit(error, REFUSED)
    except (ClientError, OSError) as error:
        _exit(error, FAILED)


def _exit(error: Exception, code: int) -> None:
    typer.echo(str(error), err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
