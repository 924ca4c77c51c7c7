"""The one schema of every setting; docs/configure.md explains each key. How values come to it is in `settings_load`."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from punktfunk.host.paths import default_directories
from punktfunk.host.settings_apps import with_desktop
from punktfunk.session.plan import App

GAMESTREAM_PORT_SPAN = (-5, 21)
"""Lowest and highest port that GameStream takes, relative to its base port (gamestream.md §1.1)."""


class HostSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who this host is and where it keeps its files."""

    name: Annotated[
        str, Meta(min_length=1, max_length=63, description="Name that clients show. Default: the machine's name.")
    ] = msgspec.field(default_factory=socket.gethostname)
    config_dir: Annotated[Path, Meta(description="Identity and paired devices.")] = msgspec.field(
        default_factory=lambda: default_directories(os.environ).config
    )
    state_dir: Annotated[Path, Meta(description="Caches and logs of programs; may be lost.")] = msgspec.field(
        default_factory=lambda: default_directories(os.environ).state
    )
    runtime_dir: Annotated[Path, Meta(description="The control socket; made owner-only.")] = msgspec.field(
        default_factory=lambda: default_directories(os.environ).runtime
    )


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses and ports."""

    bind_address: Annotated[str, Meta(description="Address to listen on. Empty: every address of the machine.")] = ""
    gamestream_port: Annotated[
        int, Meta(ge=1029, le=65514, description="GameStream base port; ports 5 below to 21 above it move along.")
    ] = 47989
    native_port: Annotated[int, Meta(ge=1024, le=65535, description="UDP port of punktfunk/1.")] = 9777
    mgmt_port: Annotated[int, Meta(ge=1024, le=65535, description="TCP port of the management API.")] = 47990
    mdns: Annotated[bool, Meta(description="Announce this host on the local network.")] = True


class GameStreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Moonlight clients."""

    enabled: Annotated[bool, Meta(description="Let Moonlight clients in.")] = False
    fec_percentage: Annotated[
        int, Meta(ge=0, le=255, description="Parity packets per 100 video packets, against loss.")
    ] = 20
    encryption: Annotated[
        Literal["off", "optional", "required"],
        Meta(description="Encryption of video: never, when the client wants it, or refuse clients without it."),
    ] = "optional"
    max_sessions: Annotated[int, Meta(ge=1, le=64, description="Moonlight sessions at the same time.")] = 4


class NativeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """punktfunk/1 clients."""

    enabled: Annotated[bool, Meta(description="Let punktfunk clients in.")] = True
    open: Annotated[
        bool, Meta(description="Let every device in without asking, and remember it. Only for networks you trust.")
    ] = False
    fec_percentage: Annotated[
        int, Meta(ge=-1, le=90, description="Recovery packets per 100 video packets. -1: as much as losses ask for.")
    ] = -1
    data_port: Annotated[
        int,
        Meta(ge=0, le=65535, description="First of the UDP ports for video, one a session. 0: any free ones."),
    ] = 0
    jumbo: Annotated[
        bool, Meta(description="Send video in packets of up to 9000 bytes where the whole path carries them.")
    ] = False
    lossless_audio: Annotated[bool, Meta(description="Send sound uncompressed to clients that ask for it.")] = True
    clipboard: Annotated[bool, Meta(description="Share the clipboard with clients that ask for it.")] = True
    microphone: Annotated[bool, Meta(description="Give each desktop a microphone that its client speaks into.")] = True


class ManagementSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The management API and its console."""

    enabled: Annotated[bool, Meta(description="Serve the management API and the console.")] = True
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="Names besides the machine's own by which browsers may reach the console."),
    ] = ()
    certificate: Annotated[
        str, Meta(description="PEM file with a certificate of your own, for its names. Empty: the host's own alone.")
    ] = ""
    key: Annotated[str, Meta(description="PEM file with the key of that certificate.")] = ""


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once."""

    sessions: Annotated[int, Meta(ge=1, le=64, description="Clients of all protocols at the same time.")] = 4
    waiting: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="Desktops kept for clients that are away. One more, and the one that waited longest ends.",
        ),
    ] = 8
    linger_s: Annotated[
        int,
        Meta(ge=0, le=604_800, description="Seconds that a desktop waits for its client. 0: for ever."),
    ] = 0
    pending: Annotated[int, Meta(ge=1, le=64, description="Pairing attempts that may wait for an answer.")] = 8


class DisplaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is streamed."""

    kind: Annotated[
        Literal["auto", "embedded", "bare", "kwin", "mutter", "wlroots", "x11", "synthetic"],
        Meta(description="Display of a session; auto takes the best one that this machine can do."),
    ] = "auto"
    output: Annotated[
        str,
        Meta(
            pattern=r"^[\w.-]{0,64}$",
            description="Output of your desktop (wlroots), such as HDMI-A-1, to stream as it is. Empty: sessions get"
            " outputs of their own where it can make them.",
        ),
    ] = ""
    wayland_display: Annotated[
        str,
        Meta(description="Wayland socket of your desktop (wlroots), a name or a path. Empty: the one that is found."),
    ] = ""
    desktop_command: Annotated[
        str, Meta(description="Program that is the desktop inside the embedded display. Empty: the built-in desktop.")
    ] = ""
    x11_display: Annotated[
        str,
        Meta(
            pattern=r"^(:\d{1,5}(\.\d)?)?$",
            description="X server that the kind x11 streams, such as :0. Empty: the one that DISPLAY names.",
        ),
    ] = ""
    user: Annotated[
        str, Meta(description="Account that desktops run as when the host runs as root. Empty: punktfunk-desktop.")
    ] = ""
    wallpaper: Annotated[str, Meta(description="Picture behind the built-in desktop. Empty: the built-in one.")] = ""
    keyboard_layout: Annotated[
        str,
        Meta(
            pattern=r"^[a-z]{2,20}(\([\w-]{1,32}\))?(,[a-z]{2,20}(\([\w-]{1,32}\))?){0,3}$",
            description="XKB layout of the sessions' keyboards, such as de, us(intl) or, with two to switch, us,ru.",
        ),
    ] = "us"
    keyboard_options: Annotated[
        str,
        Meta(
            pattern=r"^([\w]{1,32}:[\w-]{1,64}(,[\w]{1,32}:[\w-]{1,64}){0,7})?$",
            description="XKB options, such as grp:alt_shift_toggle to switch between two layouts, or compose:menu.",
        ),
    ] = ""


class InputSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Controllers, fingers and pens."""

    gamepad: Annotated[
        Literal[
            "auto",
            "xbox_360",
            "xbox_one",
            "xbox_elite",
            "dualshock_4",
            "dualsense",
            "dualsense_edge",
            "switch_pro",
            "steam_controller",
            "steam_deck",
        ],
        Meta(description="What every controller appears as to games. auto: as what the client says that it is."),
    ] = "auto"
    touch: Annotated[
        Literal["pointer", "kernel"],
        Meta(
            description="What fingers and pens become: gestures of the pointer, or a touchscreen and a tablet of this"
            " machine, for desktops that read its input devices; the embedded one does not."
        ),
    ] = "pointer"


class AudioSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Sound."""

    mode: Annotated[
        Literal["auto", "private", "system", "off"],
        Meta(description="auto uses your running sound server, else starts a private one."),
    ] = "auto"


class VideoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Encoding."""

    codecs: Annotated[
        tuple[Literal["h264", "hevc", "av1"], ...],
        Meta(description="Codecs to offer, best first. Empty: whatever the encoder manages in real time."),
    ] = ()
    encoder: Annotated[Literal["auto", "software", "nvenc", "vaapi"], Meta(description="Who encodes.")] = "auto"
    max_bitrate_kbps: Annotated[
        int, Meta(ge=500, le=1_000_000, description="Upper limit, whatever a client asks for.")
    ] = 150_000


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the host says."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level that is shown.")] = (
        "info"
    )
    format: Annotated[Literal["text", "json"], Meta(description="Lines for people, or one JSON object a line.")] = (
        "text"
    )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, checked. ``apps`` always starts with "Desktop" unless the file has an app of that name."""

    host: HostSettings = msgspec.field(default_factory=HostSettings)
    network: NetworkSettings = NetworkSettings()
    native: NativeSettings = NativeSettings()
    gamestream: GameStreamSettings = GameStreamSettings()
    mgmt: ManagementSettings = ManagementSettings()
    limits: LimitSettings = LimitSettings()
    display: DisplaySettings = DisplaySettings()
    input: InputSettings = InputSettings()
    audio: AudioSettings = AudioSettings()
    video: VideoSettings = VideoSettings()
    log: LogSettings = LogSettings()
    apps: tuple[App, ...] = with_desktop(())


class SettingField(msgspec.Struct, frozen=True):
    """One key of the schema: what `config show` and the documentation test need to know."""

    key: str
    type: Any
    description: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that the value, or each of its items, may be; empty when it is not a choice."""
        plain = self.type.__origin__
        item = get_args(plain)[0] if get_origin(plain) is tuple else plain
        return get_args(item) if get_origin(item) is Literal else ()


def _schema() -> dict[str, SettingField]:
    fields: dict[str, SettingField] = {}
    for section in msgspec.structs.fields(Settings):
        if section.name == "apps":
            continue
        for field in msgspec.structs.fields(section.type):
            key = f"{section.name}.{field.name}"
            fields[key] = SettingField(key, field.type, field.type.__metadata__[0].description)
    return fields


SCHEMA: dict[str, SettingField] = _schema()
"""Every ``section.key`` in documentation order; ``[[apps]]`` tables stand apart."""


def value_of(settings: Settings, key: str) -> object:
    """The value of ``section.key``."""
    section, name = key.split(".")
    return getattr(getattr(settings, section), name)
