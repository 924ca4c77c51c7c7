from punktfunk.host.native import available_pads
from punktfunk.input.events import PadKind
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.wire.punktfunk1.enums import Gamepad


def test_only_what_the_kernel_lets_us_make_is_offered() -> None:
    assert available_pads(lambda _node: False) == (Gamepad.XBOX_360,)
    assert Gamepad.XBOX_ELITE in available_pads(lambda node: node is Node.UINPUT)
    assert Gamepad.DUALSENSE not in available_pads(lambda node: node is Node.UINPUT)
    assert {Gamepad.XBOX_360, Gamepad.DUALSENSE, Gamepad.STEAM_DECK} <= set(available_pads(lambda _node: True))


def test_what_has_no_driver_is_not_offered() -> None:
    offered = available_pads(lambda _node: True, {PadKind.STEAM_DECK, PadKind.DUALSENSE_EDGE})
    assert not {Gamepad.STEAM_DECK, Gamepad.DUALSENSE_EDGE} & set(offered)
    assert Gamepad.DUALSENSE in offered
