"""The attributes of an ANNOUNCE body, parsed once into a typed value (gamestream.md §3.6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_ATTRIBUTES = 256
MAX_PACKET_SIZE = 1408
"""A datagram of packetSize + 48 bytes still fits into an Ethernet frame."""

_INTEGER = re.compile(r"-?[0-9]{1,10}\Z")


class SdpError(Exception):
    """An attribute is missing or unusable; the message names it."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What the client wants, in the protocol's own units; every number is within its bounds."""

    width: int
    height: int
    max_fps: int
    packet_size: int
    maximum_bitrate_kbps: int
    slices_per_frame: int
    max_reference_frames: int
    audio_channels: int
    audio_channel_mask: int
    audio_quality: int
    client_features: int
    encryption_enabled: int
    chroma_sampling: int
    intra_refresh: int
    refresh_rate_x100: int
    configured_bitrate_kbps: int
    min_fec_packets: int
    video_qos: int
    audio_qos: int
    legacy_features: int
    codec: int
    dynamic_range: int
    csc_mode: int
    packet_duration_ms: int


@dataclass(frozen=True, slots=True)
class _Attribute:
    """Where a field comes from, its bounds, and its value when absent (None: it is required)."""

    name: str
    low: int
    high: int
    default: int | None = None
    step: int = 1


ATTRIBUTES = {
    "width": _Attribute("x-nv-video[0].clientViewportWd", 64, 16384, step=2),
    "height": _Attribute("x-nv-video[0].clientViewportHt", 64, 16384, step=2),
    "max_fps": _Attribute("x-nv-video[0].maxFPS", 1, 1_000_000),
    "packet_size": _Attribute("x-nv-video[0].packetSize", 64, MAX_PACKET_SIZE, step=16),
    "maximum_bitrate_kbps": _Attribute("x-nv-vqos[0].bw.maximumBitrateKbps", 0, 10_000_000),
    "slices_per_frame": _Attribute("x-nv-video[0].videoEncoderSlicesPerFrame", 0, 255),
    "max_reference_frames": _Attribute("x-nv-video[0].maxNumReferenceFrames", 0, 255),
    "audio_channels": _Attribute("x-nv-audio.surround.numChannels", 2, 8, step=2),
    "audio_channel_mask": _Attribute("x-nv-audio.surround.channelMask", 0, 0xFFFF),
    "audio_quality": _Attribute("x-nv-audio.surround.AudioQuality", 0, 255),
    "client_features": _Attribute("x-ml-general.featureFlags", 0, (1 << 32) - 1, 0),
    "encryption_enabled": _Attribute("x-ss-general.encryptionEnabled", 0, 7, 0),
    "chroma_sampling": _Attribute("x-ss-video[0].chromaSamplingType", 0, 1, 0),
    "intra_refresh": _Attribute("x-ss-video[0].intraRefresh", 0, 1, 0),
    "refresh_rate_x100": _Attribute("x-nv-video[0].clientRefreshRateX100", 0, 100_000, 0),
    "configured_bitrate_kbps": _Attribute("x-ml-video.configuredBitrateKbps", 0, 10_000_000, 0),
    "min_fec_packets": _Attribute("x-nv-vqos[0].fec.minRequiredFecPackets", 0, 64, 0),
    "video_qos": _Attribute("x-nv-vqos[0].qosTrafficType", 0, 255, 5),
    "audio_qos": _Attribute("x-nv-aqos.qosTrafficType", 0, 255, 4),
    "legacy_features": _Attribute("x-nv-general.featureFlags", 0, (1 << 32) - 1, 135),
    "codec": _Attribute("x-nv-vqos[0].bitStreamFormat", 0, 2, 0),
    "dynamic_range": _Attribute("x-nv-video[0].dynamicRangeMode", 0, 1, 0),
    "csc_mode": _Attribute("x-nv-video[0].encoderCscMode", 0, 5, 0),
    "packet_duration_ms": _Attribute("x-nv-aqos.packetDuration", 5, 10, 5, step=5),
}


def parse_announce(body: str) -> StreamRequest:
    """Read an ANNOUNCE body; raises SdpError."""
    attributes = _attributes(body)
    values = {field: _value(attributes, attribute) for field, attribute in ATTRIBUTES.items()}
    if values["audio_channels"] == 4:
        raise SdpError(f"{ATTRIBUTES['audio_channels'].name} must be 2, 6 or 8")
    return StreamRequest(**values)


def _attributes(body: str) -> Mapping[str, str]:
    """``a=name:value`` lines; the first of each name counts."""
    found: dict[str, str] = {}
    for line in body.splitlines():
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            found.setdefault(name, value.strip())
            if len(found) > MAX_ATTRIBUTES:
                raise SdpError(f"more than {MAX_ATTRIBUTES} attributes")
    return found


def _value(attributes: Mapping[str, str], attribute: _Attribute) -> int:
    text = attributes.get(attribute.name)
    if text is None:
        if attribute.default is None:
            raise SdpError(f"{attribute.name} is missing")
        return attribute.default
    if not _INTEGER.match(text):
        raise SdpError(f"{attribute.name} is not a number")
    value = int(text)
    if not attribute.low <= value <= attribute.high or value % attribute.step:
        raise SdpError(
            f"{attribute.name} is {value}, not a multiple of {attribute.step} from {attribute.low} to {attribute.high}"
        )
    return value
