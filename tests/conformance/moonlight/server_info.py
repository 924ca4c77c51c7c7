"""What ``/serverinfo`` and ``/applist`` say, and the rules for saying it (gamestream.md §2.3, §2.6)."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from .errors import HttpFailed
from .http import Response, parse_root, text_of
from .options import CodecSupport
from .violations import Violations

APP_VERSION = "7.1.431.-1"
DEFAULT_HTTPS_PORT = 47984
PLACEHOLDER_MAC = "00:00:00:00:00:00"
MANDATORY = ("appversion", "uniqueid", "PairStatus", "currentgame", "state")
HEVC_BITS = (
    CodecSupport.HEVC_MAIN | CodecSupport.HEVC_MAIN10 | CodecSupport.HEVC_REXT8_444 | CodecSupport.HEVC_REXT10_444
)
MAX_APP_ID = 0x7FFFFFFF


@dataclass(frozen=True)
class ServerInfo:
    hostname: str
    app_version: str
    unique_id: str
    https_port: int
    external_port: int
    max_luma_pixels_hevc: int
    mac: str
    local_ip: str
    codec_support: CodecSupport
    paired: bool
    current_game: int
    state: str
    missing: tuple[str, ...]
    """Mandatory elements that are absent or empty."""

    @classmethod
    def parse(cls, root: ElementTree.Element) -> "ServerInfo":
        def text(name: str) -> str:
            return text_of(root, name) or ""

        def number(name: str, default: int = 0) -> int:
            return int(text(name)) if re.fullmatch(r"-?\d+", text(name)) else default

        busy = text("state").endswith("_SERVER_BUSY")
        return cls(
            hostname=text("hostname"),
            app_version=text("appversion"),
            unique_id=text("uniqueid"),
            https_port=number("HttpsPort") or DEFAULT_HTTPS_PORT,
            external_port=number("ExternalPort"),
            max_luma_pixels_hevc=number("MaxLumaPixelsHEVC"),
            mac=text("mac"),
            local_ip=text("LocalIP"),
            codec_support=CodecSupport(number("ServerCodecModeSupport")),
            paired=text("PairStatus") == "1",
            current_game=number("currentgame") if busy else 0,
            state=text("state"),
            missing=tuple(name for name in MANDATORY if not text(name)),
        )


def check_server_info(info: ServerInfo, https: bool, before: ServerInfo | None, violations: Violations) -> None:
    add = violations.add
    if info.missing:
        add("serverinfo.missing", info.missing)
    if info.app_version != APP_VERSION:
        add("serverinfo.appversion", info.app_version)
    if info.state not in ("SUNSHINE_SERVER_FREE", "SUNSHINE_SERVER_BUSY"):
        add("serverinfo.state", info.state)
    if CodecSupport.H264 not in info.codec_support:
        add("serverinfo.codec-support", int(info.codec_support))
    if bool(info.codec_support & HEVC_BITS) != bool(info.max_luma_pixels_hevc):
        add("serverinfo.hevc", f"{info.codec_support!r} with MaxLumaPixelsHEVC {info.max_luma_pixels_hevc}")
    if not https and info.paired:
        add("serverinfo.paired-over-http", "PairStatus 1")
    if not https and info.mac != PLACEHOLDER_MAC:
        add("serverinfo.mac-over-http", info.mac)
    if not re.fullmatch(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", info.mac):
        add("serverinfo.mac", info.mac)
    if not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", info.local_ip):
        add("serverinfo.local-ip", info.local_ip)
    if before is not None and before.unique_id != info.unique_id:
        add("serverinfo.uniqueid-changed", f"{before.unique_id} to {info.unique_id}")


@dataclass(frozen=True)
class App:
    id: int
    title: str
    hdr: bool


def parse_apps(response: Response, violations: Violations) -> list[App]:
    """The apps; HttpFailed for an error document."""
    root = parse_root("/applist", response, violations)
    if re.search(rb">\s+<", response.body.partition(b"<root")[2]):
        violations.add("applist.white-space", "between elements")
    apps = []
    for element in root:
        title, number = element.findtext("AppTitle") or "", element.findtext("ID") or ""
        if element.tag != "App" or not title:
            violations.add("applist.element", f"<{element.tag}> {title!r}")
        if not number.isdigit() or not 1 <= int(number) <= MAX_APP_ID:
            violations.add("applist.id", number)
            continue
        if element.findtext("IsHdrSupported") not in ("0", "1"):
            violations.add("applist.hdr", title)
        apps.append(App(int(number), title, element.findtext("IsHdrSupported") == "1"))
    if not apps:
        violations.add("applist.empty")
    if len({app.id for app in apps}) != len(apps):
        violations.add("applist.duplicate-id")
    return apps


def find_app(apps: list[App], title: str) -> App:
    for app in apps:
        if app.title.casefold() == title.casefold():
            return app
    raise HttpFailed("/applist", 404, f"no app called {title!r}")
