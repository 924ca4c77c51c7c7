"""The punktfunk/1 plane from the settings and what this machine can do, and its advert."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Collection

from punktfunk.discovery.mdns import Advert, native_advert
from punktfunk.discovery.network import mac_addresses, os_chain
from punktfunk.gamestream.serverinfo import CodecSupport
from punktfunk.host.capabilities import VideoFacts
from punktfunk.host.settings import Settings
from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.input.gamepads.drivers import kinds_without_driver
from punktfunk.native.adaptive_fec import START_PERCENT
from punktfunk.native.negotiation import HostOffer
from punktfunk.native.pads import wire_kind
from punktfunk.native.path_search import JUMBO_MTU, STANDARD_MTU
from punktfunk.native.plane import NativePlane, PlaneSettings
from punktfunk.session.manager import SessionManager
from punktfunk.trust.identity import load_native_identity, load_unique_id
from punktfunk.trust.store import DeviceStore
from punktfunk.wire.punktfunk1.caps import HostCaps
from punktfunk.wire.punktfunk1.enums import ClipReason, Compositor, Gamepad, VideoCodec

MAX_ADVERTISED_MACS = 4
_CODECS = {
    CodecSupport.H264: VideoCodec.H264,
    CodecSupport.HEVC: VideoCodec.HEVC,
    CodecSupport.AV1: VideoCodec.AV1,
}
_PLAIN_PADS = (Gamepad.XBOX_360, Gamepad.XBOX_ONE, Gamepad.XBOX_ELITE)
_REPORTING_PADS = (
    Gamepad.DUALSENSE,
    Gamepad.DUALSENSE_EDGE,
    Gamepad.DUALSHOCK_4,
    Gamepad.SWITCH_PRO,
    Gamepad.STEAM_CONTROLLER,
    Gamepad.STEAM_DECK,
)
_COMPOSITORS = {"embedded": Compositor.WLROOTS, "wlroots": Compositor.WLROOTS, "kwin": Compositor.KWIN}
_CLIPBOARD_PROGRAMS = ("wl-copy", "wl-paste")


def available_pads(may_open: Callable[[Node], bool], without_driver: Collection[PadKind] = ()) -> tuple[Gamepad, ...]:
    """The kinds of controller that this host can make; Xbox 360 stands for none, as the protocol wants a name."""
    plain = _PLAIN_PADS if may_open(Node.UINPUT) else (Gamepad.XBOX_360,)
    driverless = {wire_kind(kind) for kind in without_driver}
    reporting = tuple(kind for kind in _REPORTING_PADS if kind not in driverless)
    return (*plain, *reporting) if may_open(Node.UHID) else plain


def has_kernel_touch(settings: Settings) -> bool:
    """Whether fingers and pens become devices of the kernel: asked for, and possible."""
    return settings.input.touch == "kernel" and os.access(Node.UINPUT.value, os.W_OK)


async def make_native_plane(
    settings: Settings,
    video: VideoFacts,
    display_kind: str,
    store: DeviceStore,
    sessions: SessionManager,
    *,
    frames: int = 0,
) -> NativePlane:
    """The plane, not yet started; with ``frames`` each session ends after so many. Raises IdentityError."""
    native = settings.native
    clipboard = clipboard_state(display_kind, allowed=native.clipboard)
    codecs = VideoCodec.NONE
    for support, codec in _CODECS.items():
        codecs |= codec if support & video.codecs else VideoCodec.NONE
    caps = HostCaps.GAMEPAD_STATE | HostCaps.AUDIO_RED
    if display_kind != "synthetic":
        caps |= HostCaps.TEXT_INPUT
    if has_kernel_touch(settings):
        caps |= HostCaps.PEN
    if clipboard is ClipReason.OK:
        caps |= HostCaps.CLIPBOARD
    percent = native.fec_percentage
    offer = HostOffer(
        codecs=codecs,
        gamepads=available_pads(lambda node: os.access(node.value, os.W_OK), kinds_without_driver()),
        gamepad_setting=wire_kind(PadKind(settings.input.gamepad)),
        compositors=tuple(_COMPOSITORS[kind] for kind in (display_kind,) if kind in _COMPOSITORS),
        caps=caps,
        max_bitrate_kbps=settings.video.max_bitrate_kbps,
        fec_percent=percent if percent >= 0 else START_PERCENT,
        lossless_audio=native.lossless_audio,
        management_port=settings.network.mgmt_port if settings.mgmt.enabled else 0,
    )
    first = native.data_port
    plane_settings = PlaneSettings(
        address=settings.network.bind_address,
        port=settings.network.native_port,
        open_access=native.open,
        data_ports=range(first, first + settings.limits.sessions) if first else None,
        pinned_fec=None if percent < 0 else percent,
        reference_invalidation=video.reference_invalidation,
        clipboard=clipboard,
        frames=frames,
        max_mtu=JUMBO_MTU if native.jumbo else STANDARD_MTU,
    )
    return NativePlane(
        settings=plane_settings,
        identity=await asyncio.to_thread(load_native_identity, settings.host.config_dir),
        store=store,
        sessions=sessions,
        apps=settings.apps,
        offer=offer,
    )


def clipboard_state(display_kind: str, *, allowed: bool) -> ClipReason:
    """Whether desktops of this kind have a clipboard that can be shared."""
    if not allowed:
        return ClipReason.DISABLED
    usable = display_kind in _COMPOSITORS and all(map(shutil.which, _CLIPBOARD_PROGRAMS))
    return ClipReason.OK if usable else ClipReason.UNAVAILABLE


def native_advert_of(settings: Settings, plane: NativePlane, address: str) -> Advert:
    """What clients read before they connect (punktfunk1.md §1)."""
    properties = {
        "fp": plane.host_fingerprint.hex(),
        "pair": "optional" if settings.native.open else "required",
        "id": load_unique_id(settings.host.config_dir),
        "os": os_chain(),
    }
    if settings.mgmt.enabled:
        properties["mgmt"] = str(settings.network.mgmt_port)
    macs = mac_addresses()[:MAX_ADVERTISED_MACS]
    if macs:
        properties["mac"] = ",".join(macs)
    return native_advert(settings.host.name, settings.network.native_port, (address,), properties)
