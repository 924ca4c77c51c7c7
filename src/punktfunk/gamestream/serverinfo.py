"""What ``/serverinfo`` and ``/applist`` say about the host (gamestream.md §2.3, §2.4, §2.6)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from punktfunk.gamestream.http import HttpResponse
from punktfunk.gamestream.xml_reply import xml_reply
from punktfunk.session.plan import App

APP_VERSION = "7.1.431.-1"
"""The only dialect that this host speaks; other numbers change header sizes in the client."""
GFE_VERSION = "3.23.0.74"
MAX_LUMA_PIXELS_HEVC = 1869449984
NO_MAC = "00:00:00:00:00:00"


class CodecSupport(enum.IntFlag):
    """``ServerCodecModeSupport``; must agree with the DESCRIBE body."""

    H264 = 0x1
    HEVC = 0x100
    HEVC_MAIN10 = 0x200
    AV1 = 0x10000
    AV1_MAIN10 = 0x20000
    H264_444 = 0x40000
    HEVC_444 = 0x80000
    HEVC_444_10 = 0x100000
    AV1_444 = 0x200000
    AV1_444_10 = 0x400000

    @property
    def any_hevc(self) -> bool:
        """Whether some HEVC profile is offered."""
        cls = CodecSupport
        return bool(self & (cls.HEVC | cls.HEVC_MAIN10 | cls.HEVC_444 | cls.HEVC_444_10))

    @property
    def any_av1(self) -> bool:
        """Whether some AV1 profile is offered."""
        cls = CodecSupport
        return bool(self & (cls.AV1 | cls.AV1_MAIN10 | cls.AV1_444 | cls.AV1_444_10))

    @property
    def any_10_bit(self) -> bool:
        """Whether some 10-bit profile is offered."""
        cls = CodecSupport
        return bool(self & (cls.HEVC_MAIN10 | cls.HEVC_444_10 | cls.AV1_MAIN10 | cls.AV1_444_10))


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The host as clients see it. ``extra`` elements (such as Apollo's) come last and only over HTTPS."""

    name: str
    unique_id: str
    http_port: int
    https_port: int
    rtsp_port: int
    codecs: CodecSupport
    mac: str = NO_MAC
    extra: tuple[tuple[str, str], ...] = ()


def server_info(facts: HostFacts, local_address: str, *, paired: bool, running_app: int) -> HttpResponse:
    """The ``/serverinfo`` document. ``running_app`` is the asking client's own app, 0 when none or not paired."""
    codecs = facts.codecs | CodecSupport.H264
    elements = [
        ("hostname", facts.name),
        ("appversion", APP_VERSION),
        ("GfeVersion", GFE_VERSION),
        ("uniqueid", facts.unique_id),
        ("HttpsPort", str(facts.https_port)),
        ("ExternalPort", str(facts.http_port)),
        ("MaxLumaPixelsHEVC", str(MAX_LUMA_PIXELS_HEVC if codecs.any_hevc else 0)),
        ("mac", facts.mac if paired else NO_MAC),
        ("LocalIP", "127.0.0.1" if ":" in local_address else local_address),
        ("ServerCodecModeSupport", str(int(codecs))),
        ("PairStatus", "1" if paired else "0"),
        ("currentgame", str(running_app)),
        ("state", "SUNSHINE_SERVER_BUSY" if running_app else "SUNSHINE_SERVER_FREE"),
    ]
    return xml_reply(elements + list(facts.extra if paired else ()))


def app_list(apps: Iterable[App], codecs: CodecSupport) -> HttpResponse:
    """The ``/applist`` document."""
    hdr = "1" if codecs.any_10_bit else "0"
    return xml_reply(
        nested=[("App", (("IsHdrSupported", hdr), ("AppTitle", app.name), ("ID", str(app.id)))) for app in apps]
    )
