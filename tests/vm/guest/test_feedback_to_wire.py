"""The whole way back: what a game writes to a pad's device, through the kernel's driver, to the bytes that clients get.

The bytes are those of gamestream.md §6.7, punktfunk1.md §7.6 and §7.7, and the page's own messages.
"""

from __future__ import annotations

import fcntl
import struct
import time
from pathlib import Path

import evdev
import pytest
from evdev import ecodes as e
from tests.vm.guest.clients import BrowserClient, Client, MoonlightClient, NativeClient
from tests.vm.guest.conftest import Plug
from tests.vm.guest.pad_session import KNOWS_THE_DECK, STEAM_FF, PadSession, erase_effect, eventually, upload_rumble
from tests.vm.guest.real_pads import REAL

from punktfunk.client.rumble import RumbleTimer
from punktfunk.input.events import PadKind
from punktfunk.wire.punktfunk1.pad_feedback import decode_rumble

pytestmark = pytest.mark.vm

LOW, HIGH = 0xC000, 0x4000
LENGTH_MS = 900
"""Long enough for several renewals, which come every 120 ms."""
# What a driver makes of a motor's 16 bits: all of them, the upper eight, or a step of an exponential curve.
LEVEL_TOLERANCE = {
    **dict.fromkeys((PadKind.XBOX_360, PadKind.XBOX_ONE, PadKind.XBOX_ELITE), 0),
    **dict.fromkeys((PadKind.DUALSHOCK_4, PadKind.DUALSENSE, PadKind.DUALSENSE_EDGE), 0x100),
    PadKind.SWITCH_PRO: 1200,
    **({PadKind.STEAM_DECK: 0} if STEAM_FF else {}),
}
Levels = tuple[int, int]
SILENCE: Levels = (0, 0)


def plug_with_all_clients(plug: Plug, kind: PadKind) -> tuple[PadSession, MoonlightClient, NativeClient, BrowserClient]:
    session = plug(kind, MoonlightClient)
    native, page = NativeClient(session.handle), BrowserClient(session.handle)
    session.further_clients = [native, page]
    assert isinstance(session.client, MoonlightClient)
    return session, session.client, native, page


def moonlight_levels(message: bytes) -> Levels | None:
    if len(message) != 12 or message[:8] != struct.pack("<HIH", 0x010B, 0x00C0FFEE, 0):
        return None
    low, high = struct.unpack_from("<HH", message, 8)
    return low, high


def native_levels(message: bytes) -> Levels | None:
    """A datagram of the third form, for this pad, that runs out after 400 ms, without trigger motors."""
    if len(message) != 14 or message[:3] != b"\xca\0\0" or message[8:] != struct.pack("<HHH", 400, 0, 0):
        return None
    low, high = struct.unpack_from("<HH", message, 3)
    return low, high


def page_levels(message: bytes) -> Levels | None:
    if len(message) != 6 or message[:2] != b"\x86\0":
        return None
    low, high = struct.unpack_from(">HH", message, 2)
    return low, high


@pytest.mark.parametrize("kind", LEVEL_TOLERANCE)
def test_a_game_rumbles(plug: Plug, kind: PadKind) -> None:
    session, moonlight, native, page = plug_with_all_clients(plug, kind)
    game = session.node(REAL[kind].nodes[0].name)
    effect = upload_rumble(game.fd, LOW, HIGH, LENGTH_MS)
    for client in (moonlight, native, page):
        client.messages.clear()
    game.write(e.EV_FF, effect, 1)
    _renew_until_silent(native)
    tolerance = LEVEL_TOLERANCE[kind]
    for client, read in ((moonlight, moonlight_levels), (page, page_levels)):
        # Only what changed is told: the level once, its end once.
        levels = _levels(client, read)
        assert [level == SILENCE for level in levels] == [False, True], levels
        _assert_close(levels[0], tolerance)
    levels = _levels(native, native_levels)
    assert levels[-3:] == [SILENCE] * 3, levels
    sounding = levels[:-3]
    assert len(sounding) >= 4, "renewed every 120 ms"
    assert len(set(sounding)) == 1
    _assert_close(sounding[0], tolerance)
    sequence = [message[7] for message in native.messages if native_levels(message) is not None]
    assert sequence == [(sequence[0] + step) & 0xFF for step in range(len(sequence))]
    _play_as_client(native)


def _levels(client: Client, read: object) -> list[Levels]:
    return [level for message in client.messages if (level := read(message)) is not None]  # type: ignore[operator]


def _assert_close(level: Levels, tolerance: int) -> None:
    assert abs(level[0] - LOW) <= tolerance, level
    assert abs(level[1] - HIGH) <= tolerance, level


def _renew_until_silent(native: NativeClient) -> None:
    """What the plane's timer does with `PadOutput`, until nothing is left to repeat."""
    eventually(lambda: native.output.deadline is not None, "no rumble")
    while (due := native.output.deadline) is not None:
        time.sleep(max(due - time.monotonic(), 0.002))
        native.messages += native.output.poll(time.monotonic())


def _play_as_client(native: NativeClient) -> None:
    """The client library with every second datagram lost: one level, one end."""
    timer = RumbleTimer()
    heard = [
        timer.receive(decode_rumble(message), 0.0) for message in native.messages[::-2][::-1] if message[0] == 0xCA
    ]
    changes = [level for level in heard if level is not None]
    assert len(changes) == 2
    assert changes[0].low > 0
    assert (changes[1].low, changes[1].high) == SILENCE


def test_erasing_a_playing_effect_stops_it(plug: Plug) -> None:
    session, moonlight, _, _ = plug_with_all_clients(plug, PadKind.XBOX_360)
    game = session.node(REAL[PadKind.XBOX_360].nodes[0].name)
    effect = upload_rumble(game.fd, LOW, HIGH, 0)
    game.write(e.EV_FF, effect, 1)
    eventually(lambda: _levels(moonlight, moonlight_levels) == [(LOW, HIGH)])
    erase_effect(game.fd, effect)
    eventually(lambda: _levels(moonlight, moonlight_levels)[-1] == SILENCE)


def test_several_effects_mix_with_their_lengths_and_the_gain(plug: Plug) -> None:
    session, moonlight, _, _ = plug_with_all_clients(plug, PadKind.XBOX_ONE)
    game = session.node(REAL[PadKind.XBOX_ONE].nodes[0].name)
    long = upload_rumble(game.fd, 0x4000, 0, 4000)
    short = upload_rumble(game.fd, 0x2000, 0x6000, 500)
    game.write(e.EV_FF, e.FF_GAIN, 0xFFFF)
    game.write(e.EV_FF, long, 1)
    game.write(e.EV_FF, short, 1)
    eventually(lambda: (0x6000, 0x6000) in _levels(moonlight, moonlight_levels), "both")
    eventually(lambda: _levels(moonlight, moonlight_levels)[-1] == (0x4000, 0), "the long one is left")
    game.write(e.EV_FF, e.FF_GAIN, 0x8000)
    eventually(lambda: _levels(moonlight, moonlight_levels)[-1] == (0x2000, 0), "at half the strength")
    game.write(e.EV_FF, long, 0)
    eventually(lambda: _levels(moonlight, moonlight_levels)[-1] == SILENCE, "stopped")


def test_a_game_that_dies_leaves_no_rumble(plug: Plug) -> None:
    session, moonlight, _, _ = plug_with_all_clients(plug, PadKind.XBOX_360)
    game = evdev.InputDevice(session.node(REAL[PadKind.XBOX_360].nodes[0].name).path)
    game.write(e.EV_FF, upload_rumble(game.fd, 0xFFFF, 0xFFFF, 0), 1)
    eventually(lambda: _levels(moonlight, moonlight_levels) == [(0xFFFF, 0xFFFF)])
    game.close()
    eventually(lambda: _levels(moonlight, moonlight_levels)[-1] == SILENCE)


def test_a_pad_that_is_unplugged_while_it_rumbles_is_stopped(plug: Plug) -> None:
    session, _, native, page = plug_with_all_clients(plug, PadKind.DUALSENSE)
    game = session.node(REAL[PadKind.DUALSENSE].nodes[0].name)
    game.write(e.EV_FF, upload_rumble(game.fd, LOW, HIGH, 0), 1)
    eventually(lambda: _levels(page, page_levels))
    session.client.remove()
    assert _levels(page, page_levels)[-1] == SILENCE
    assert _levels(native, native_levels)[-1] == SILENCE


@pytest.mark.parametrize("kind", [PadKind.DUALSHOCK_4, PadKind.DUALSENSE, PadKind.DUALSENSE_EDGE])
def test_a_program_sets_the_light(plug: Plug, kind: PadKind) -> None:
    session, moonlight, native, page = plug_with_all_clients(plug, kind)
    session.node(REAL[kind].nodes[0].name)
    leds = session.hid_folder() / "leds"
    if kind is PadKind.DUALSHOCK_4:
        for colour, value in (("red", 10), ("green", 200), ("blue", 30)):
            (_led(leds, f"*:{colour}") / "brightness").write_text(str(value))
    else:
        light = _led(leds, "*:rgb:indicator")
        (light / "brightness").write_text("255")
        (light / "multi_intensity").write_text("10 200 30")
    _wait_message(moonlight, b"\x02\x55\0\0\x0a\xc8\x1e")
    _wait_message(native, b"\xcd\x01\0\x0a\xc8\x1e")
    assert not any(levels != SILENCE for levels in _levels(page, page_levels))


@pytest.mark.parametrize(
    ("kind", "pattern", "lit"),
    [
        (PadKind.DUALSENSE, "*:white:player-{}", (1, 5)),
        (PadKind.DUALSENSE_EDGE, "*:white:player-{}", (2, 3)),
        (PadKind.SWITCH_PRO, "*:green:player-{}", (2, 3)),
    ],
)
def test_a_program_sets_the_player_lights(plug: Plug, kind: PadKind, pattern: str, lit: tuple[int, int]) -> None:
    session, moonlight, native, _ = plug_with_all_clients(plug, kind)
    session.node(REAL[kind].nodes[0].name)
    leds = session.hid_folder() / "leds"
    for number in range(1, 5 if kind is PadKind.SWITCH_PRO else 6):
        (_led(leds, pattern.format(number)) / "brightness").write_text(str(int(number in lit)))
    _wait_message(native, b"\xcd\x02\0" + bytes([sum(1 << number - 1 for number in lit)]))
    # GameStream has no message for them; the driver's own first light may come late.
    assert {message[:2] for message in moonlight.messages} <= {b"\x0b\x01", b"\x01\x55", b"\x02\x55"}


@pytest.mark.parametrize("kind", [PadKind.DUALSENSE, PadKind.DUALSENSE_EDGE])
def test_a_game_sets_the_triggers(plug: Plug, kind: PadKind) -> None:
    session, moonlight, native, _ = plug_with_all_clients(plug, kind)
    session.node(REAL[kind].nodes[0].name)
    right, left = bytes([0x21, *range(1, 11)]), bytes([0x25, *range(11, 21)])
    report = bytearray(48)
    report[0:2] = b"\x02\x0c"
    report[11:22], report[22:33] = right, left
    with open(session.raw_path(), "wb", buffering=0) as game:
        game.write(report)
    _wait_message(moonlight, b"\x03\x55\0\0\x04\0\x21" + bytes(10) + right[1:])
    _wait_message(moonlight, b"\x03\x55\0\0\x08\x25\0" + left[1:] + bytes(10))
    _wait_message(native, b"\xcd\x03\0\x01" + right)
    _wait_message(native, b"\xcd\x03\0\0" + left)


@pytest.mark.parametrize(
    "kind",
    [
        PadKind.STEAM_CONTROLLER,
        pytest.param(
            PadKind.STEAM_DECK,
            marks=pytest.mark.skipif(not KNOWS_THE_DECK, reason="this kernel's hid-steam does not know the Deck"),
        ),
    ],
)
def test_steam_rumbles_by_a_feature_report(plug: Plug, kind: PadKind) -> None:
    session, moonlight, native, page = plug_with_all_clients(plug, kind)
    session.node(REAL[kind].nodes[0].name)
    with open(session.raw_path(), "r+b", buffering=0) as steam:
        for left, right in ((0x1234, 0x5678), SILENCE):
            report = struct.pack("<BBBBHHHBB", 0, 0xEB, 9, 0, 0, left, right, 2, 0).ljust(65, b"\0")
            fcntl.ioctl(steam, 3 << 30 | len(report) << 16 | ord("H") << 8 | 0x06, bytearray(report))
            eventually(lambda wanted=(left, right): _levels(moonlight, moonlight_levels)[-1:] == [wanted])  # type: ignore[misc]
    assert _levels(native, native_levels) == _levels(page, page_levels) == [(0x1234, 0x5678), SILENCE]


@pytest.mark.parametrize("kind", [PadKind.DUALSENSE, PadKind.SWITCH_PRO, PadKind.DUALSHOCK_4])
def test_motion_is_asked_for_from_the_start(plug: Plug, kind: PadKind) -> None:
    session = plug(kind)
    for sensor in (1, 2):
        _wait_message(session.client, b"\x01\x55\0\0\xfa\0" + bytes([sensor]))


def _led(folder: Path, pattern: str) -> Path:
    found: Path = eventually(lambda: next(folder.glob(pattern), None), f"no light {pattern}")
    return found


def _wait_message(client: Client, wanted: bytes) -> None:
    eventually(
        lambda: wanted in client.messages, f"no {wanted.hex()} in {[each.hex() for each in client.messages[-8:]]}"
    )
