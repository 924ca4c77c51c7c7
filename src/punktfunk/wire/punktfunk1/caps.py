"""Capability and grant bits (punktfunk1.md §3.6, §4.4). Unknown bits are kept, so that they survive a round trip."""

from __future__ import annotations

import enum


class VideoCaps(enum.IntFlag, boundary=enum.KEEP):
    """Hello.video_caps."""

    NONE = 0
    TEN_BIT = 0x01
    HDR = 0x02
    CHROMA_444 = 0x04
    HOST_TIMING = 0x08
    PROBE_SEQ = 0x10
    STREAMED_AU = 0x20
    CHACHA20 = 0x40
    MULTI_SLICE = 0x80


class ClientCaps(enum.IntFlag, boundary=enum.KEEP):
    """Hello.client_caps."""

    NONE = 0
    CURSOR = 0x01
    PHASE_LOCK = 0x02
    AUDIO_RED = 0x04
    PAD_AUDIO = 0x08
    AUDIO_HIRES = 0x10
    KEEP_HOST_AUDIO = 0x20
    EXT = 0x40


class HostCaps(enum.IntFlag, boundary=enum.KEEP):
    """Welcome.host_caps."""

    NONE = 0
    GAMEPAD_STATE = 0x01
    CLIPBOARD = 0x02
    TEXT_INPUT = 0x04
    CURSOR = 0x08
    PEN = 0x10
    AUDIO_RED = 0x20
    PAD_AUDIO = 0x40
    AUDIO_HIRES = 0x80


class HostCaps2(enum.IntFlag, boundary=enum.KEEP):
    """Welcome.host_caps2 (late)."""

    NONE = 0
    REPEAT_MARK = 0x01
    TOUCH = 0x02
    EXT = 0x04
    SCROLL = 0x08
    RAMP = 0x10
    DELIVERY = 0x20
    INPUT_EDGES = 0x40


class Grants(enum.IntFlag, boundary=enum.KEEP):
    """What a paired device may do."""

    NONE = 0
    GAMEPAD = 1
    POINTER = 2
    KEYBOARD = 4
    CLIPBOARD = 8
    MICROPHONE = 16
    LAUNCH = 32


ALL_GRANTS = Grants(63)


class ClipPolicy(enum.IntFlag, boundary=enum.KEEP):
    """ClipState.policy."""

    NONE = 0
    TEXT = 1
    FILES = 2
