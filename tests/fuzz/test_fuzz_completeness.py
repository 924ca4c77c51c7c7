"""Every function of punktfunk/1 that takes a peer's bytes is reached by a fuzz target: found by looking, not by a list.

A new decoder fails here until a target feeds it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from tests.fuzz import (
    test_fuzz_client_connection,
    test_fuzz_native_decoders,
    test_fuzz_native_sessions,
    test_fuzz_native_streams,
)

import punktfunk.client
import punktfunk.native
import punktfunk.wire.punktfunk1

PACKAGES = (punktfunk.wire.punktfunk1, punktfunk.native, punktfunk.client)
LEFT_OUT = {"window", "window_pads", "window_sound"}
"""Modules that need a display; no peer's bytes get there undecoded."""
ROUNDS = 500

_SENDS = "sends what this side made"
_KEYS = "fingerprints and keys, of a length that TLS or the wire decoder has fixed"
_LINK = "from the process at the other end of the sealed link"
_HANDS_ON = "hands on to client.connection"
OWN_BYTES = {
    "client.endpoint.Endpoint.open_stream": _SENDS,
    "client.endpoint.Endpoint.send_control": _SENDS,
    "client.endpoint.Endpoint.send_datagram": _SENDS,
    "client.endpoint.dial": _KEYS,
    "client.microphone.Microphone.write": _SENDS,
    "client.opus.VoiceEncoder.encode": _SENDS,
    "client.pairing.pair": _KEYS,
    "client.session.Options.__init__": _KEYS,
    "client.session.Session._on_control": _HANDS_ON,
    "client.session.Session._on_datagram": _HANDS_ON,
    "client.session.Session.send_datagram": _SENDS,
    "client.sound.WavWriter.write": "samples of this side's decoder",
    "native.approval.Knock.__init__": _KEYS,
    "native.approval.KnockQueue.disconnected": _KEYS,
    "native.approval.KnockQueue.knock": _KEYS,
    "native.arming.ArmedWindow.__init__": _KEYS,
    "native.arming.PairingWindow.arm": _KEYS,
    "native.audio_sender.AudioNumbers.__init__": "shared memory of this host",
    "native.connection.NativeConnection.datagram_ready": _SENDS,
    "native.endpoint.QuicEndpoint._send": _SENDS,
    "native.live_stream.LiveStream._report": _LINK,
    "native.packetizer.VideoPacketizer.frame": _SENDS,
    "native.plane._new_device": _KEYS,
    "native.transport.HostQuic.queue_datagram": _SENDS,
    "native.transport.QuicTransport.send_datagram": _SENDS,
    "native.transport.QuicTransport.write": _SENDS,
    "native.worker.NativeMedia.command": _LINK,
    "punktfunk1.video.SealKey.__init__": _KEYS,
}
"""Functions whose bytes are not a peer's to choose, and why."""


def functions() -> Iterator[tuple[str, FunctionType]]:
    """Every function and method of the protocol, by name."""
    for package in PACKAGES:
        for found in pkgutil.iter_modules(package.__path__):
            if found.name in LEFT_OUT:
                continue
            module = importlib.import_module(f"{package.__name__}.{found.name}")
            for name, value in vars(module).items():
                if getattr(value, "__module__", "") != module.__name__:
                    continue
                short = f"{package.__name__.rpartition('.')[2]}.{found.name}"
                if inspect.isfunction(value):
                    yield f"{short}.{name}", value
                elif inspect.isclass(value) and "Protocol" not in {base.__name__ for base in value.__bases__}:
                    for member, method in vars(value).items():
                        if inspect.isfunction(method):
                            yield f"{short}.{name}.{member}", method


def takes_bytes(function: FunctionType) -> bool:
    """Whether an argument is bytes, however annotated."""
    arguments = {name: text for name, text in function.__annotations__.items() if name != "return"}
    return any(str(text).replace(" ", "").split("|")[0] in ("bytes", "memoryview") for text in arguments.values())


def targets() -> Iterator[Callable[[], Any]]:
    """Every fuzz target of punktfunk/1."""
    for module in (
        test_fuzz_native_decoders,
        test_fuzz_client_connection,
        test_fuzz_native_sessions,
        test_fuzz_native_streams,
    ):
        yield from module.TARGETS


def reached(targets: Iterator[Callable[[], Any]]) -> set[CodeType]:
    """The code that runs under the targets."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    for target in targets:
        sys.setprofile(note)
        try:
            target()
        finally:
            sys.setprofile(None)
    return seen


def test_every_decoder_has_a_fuzz_target(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (test_fuzz_native_decoders, test_fuzz_client_connection, test_fuzz_native_streams):
        monkeypatch.setattr(module, "ROUNDS", ROUNDS)
    decoders = {name: function for name, function in functions() if takes_bytes(function)}
    assert decoders.keys() >= OWN_BYTES.keys()
    seen = reached(targets())
    missing = {name for name, function in decoders.items() if function.__code__ not in seen}
    unfuzzed = sorted(missing - OWN_BYTES.keys())
    assert not unfuzzed, "\n".join(unfuzzed)
