"""Every captured input packet must come out of the builders byte for byte."""

import pytest
from tests.conformance.moonlight import inputs
from tests.conformance.moonlight.inputs import Touch

R = 32767


BUILT = [
    inputs.enable_haptics(),
    inputs.mouse_move(1, 1),
    inputs.mouse_move(-1, -1),
    inputs.mouse_move(10, -5),
    inputs.mouse_move(-3, 7),
    inputs.mouse_position(640, 360, 1280, 720),
    *(inputs.mouse_button(button, down) for button in (1, 3, 4) for down in (True, False)),
    inputs.key(0x41, True),
    inputs.key(0x41, False),
    inputs.key(0xA0, True, 1),
    inputs.key(0x42, True, 1),
    inputs.key(0x42, False, 1),
    inputs.key(0xA0, False),
    inputs.key(0x31, True, flags=1),
    inputs.key(0x31, False, flags=1),
    *(inputs.utf8_text(char) for char in "hélo €😀"),
    inputs.scroll(120),
    inputs.scroll(-30),
    inputs.hscroll(240),
    inputs.hscroll(-45),
    inputs.controller_arrival(0, 1, 3, 0xFFFF),
    inputs.controller_state(0, 1),
    inputs.controller_state(0, 1, inputs.Pad.A),
    inputs.controller_state(0, 1, 0, 255, 128, (1000, -1000), (R, -32768)),
    inputs.controller_state(0, 1, inputs.Pad.MISC | inputs.Pad.PADDLE1 | inputs.Pad.GUIDE),
    inputs.controller_arrival(1, 2, 0xFF, 0x3FFFFF),
    inputs.controller_state(1, 3),
    inputs.controller_motion(1, 1, 0.5, 9.81, -0.25),
    inputs.controller_motion(1, 2, 1.5, -2.5, 3.5),
    inputs.controller_battery(1, 2, 77),
    inputs.controller_touch(1, Touch.DOWN, 7, 0.25, 0.75, 0.5),
    inputs.controller_touch(1, Touch.MOVE, 7, 0.3, 0.7, 0.5),
    inputs.controller_touch(1, Touch.UP, 7, 0.3, 0.7),
    inputs.controller_touch(1, Touch.DOWN, 9, 0.1, 0.2, 1.0, touchpad=1),
    inputs.controller_touch(1, Touch.UP, 9, 0.1, 0.2, touchpad=1),
    inputs.touch(Touch.DOWN, 42, 0.5, 0.5, 1.0, (0.01, 0.02), 90),
    inputs.touch(Touch.MOVE, 42, 0.55, 0.45, 1.0, (0.01, 0.02), 90),
    inputs.touch(Touch.UP, 42, 0.55, 0.45),
    inputs.touch(Touch.CANCEL_ALL, 0, 0, 0),
    inputs.pen(Touch.HOVER, 0.2, 0.3, 0.5),
    inputs.pen(Touch.DOWN, 0.2, 0.3, 0.8, buttons=1, rotation=45, tilt=30, contact=(0.01, 0.01), buttons_changed=True),
    inputs.pen(Touch.MOVE, 0.25, 0.35, 0.9, buttons=1, rotation=45, tilt=30, contact=(0.01, 0.01)),
    inputs.pen(Touch.UP, 0.25, 0.35, rotation=45, tilt=30, buttons_changed=True),
    inputs.controller_state(1, 1),
    inputs.controller_state(0, 0),
]


@pytest.mark.parametrize("index", range(len(BUILT)))
def test_captured_packet(vectors, index):
    case, built = vectors["input_captured"]["packets"][index], BUILT[index]
    assert built.payload.hex() == case["payload"], case["kind"]
    assert built.channel == case["enet_channel"], case["kind"]
    assert built.reliable == (case["delivery"] == "reliable"), case["kind"]


def test_every_captured_packet_is_covered(vectors):
    assert len(BUILT) == len(vectors["input_captured"]["packets"])


def test_still_gyro_is_reliable():
    assert inputs.controller_motion(0, 2, 0, 0, 0).reliable
    assert not inputs.controller_motion(0, 1, 0, 0, 0).reliable
