"""The keyboard and the buttons of an X server: keys that have no meaning, locks, and what is held."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from punktfunk.media.x11.atoms import read_property
from punktfunk.media.x11.connection import X11Connection, request

MAX_SPARE_KEYCODES = 47
"""As many as the other displays have for text."""
SHIFT_LOCK = 1 << 1
_QUERY_POINTER, _QUERY_KEYMAP = 38, 44
_CHANGE_MAPPING, _GET_MAPPING, _GET_MODIFIERS = 100, 101, 119
_XTEST_FAKE_INPUT = 2
_XKB_USE, _XKB_GET_STATE, _XKB_LATCH_LOCK = 0, 4, 5
_CORE_KEYBOARD = 0x100
_KEY_RELEASE, _BUTTON_RELEASE = 3, 5
_NUM_LOCK_SYMBOL = 0xFF7F
_BUTTONS = range(1, 14)
_FAKE = struct.Struct("<BB2xII8xhh7xB")


def fake_input(opcode: int, kind: int, detail: int, root: int = 0, x: int = 0, y: int = 0) -> bytes:
    """XTEST's FakeInput; ``kind`` is an event's number."""
    return request(opcode, _XTEST_FAKE_INPUT, _FAKE.pack(kind, detail, 0, root, x, y, 0))


def spare_keycodes(x: X11Connection) -> tuple[int, ...]:
    """Keycodes without any symbol, from the top: text is typed with these. Those of modifiers are left alone."""
    used = {code for codes in _modifiers(x) for code in codes}
    mapping = _mapping(x, x.facts.first_keycode, x.facts.last_keycode)
    spare = [keycode for keycode, symbols in mapping.items() if not any(symbols) and keycode not in used]
    return tuple(sorted(spare, reverse=True)[:MAX_SPARE_KEYCODES])


def symbols(x: X11Connection, first: int, last: int) -> dict[int, int]:
    """What keycodes ``first`` to ``last`` mean without Shift; 0: nothing."""
    return {keycode: found[0] if found else 0 for keycode, found in _mapping(x, first, last).items()}


def bind(x: X11Connection, symbols: Mapping[int, int]) -> None:
    """Give keycodes a symbol each, whatever Shift says; 0 takes it away. Programs are told by the server."""
    x.send(*(request(_CHANGE_MAPPING, 1, struct.pack("<BB2xII", code, 2, s, s)) for code, s in symbols.items()))


def locked_modifiers(x: X11Connection) -> int:
    """The modifiers that are locked, a bit each."""
    state = x.call(request(_xkb(x), _XKB_GET_STATE, struct.pack("<H2x", _CORE_KEYBOARD)))
    return state[11]


def lock_modifiers(x: X11Connection, mask: int, locked: int) -> None:
    """Lock those of ``mask`` that are in ``locked``, unlock its others."""
    data = struct.pack("<HBBBBBBxBH", _CORE_KEYBOARD, mask, mask & locked, 0, 0, 0, 0, 0, 0)
    x.checked(request(_xkb(x), _XKB_LATCH_LOCK, data))


def lock_mask(x: X11Connection) -> int:
    """The modifiers of Caps Lock and Num Lock."""
    return SHIFT_LOCK | _num_lock_bit(x)


def release_held(x: X11Connection) -> None:
    """Release every key and button that injected events still hold: the server does not when their sender dies."""
    opcode = x.needed("XTEST").opcode
    bits = x.call(request(_QUERY_KEYMAP, 0))[8:40]
    down = [code for code in range(8, 256) if bits[code // 8] >> code % 8 & 1]
    releases = [fake_input(opcode, _KEY_RELEASE, code) for code in down]
    pointer = x.call(request(_QUERY_POINTER, 0, struct.pack("<I", x.facts.root)))
    (mask,) = struct.unpack_from("<H", pointer, 24)
    # The state tells of five buttons only; releasing one that is up does nothing.
    held = [button for button in _BUTTONS if button > 5 or mask & 1 << (7 + button)]
    releases += [fake_input(opcode, _BUTTON_RELEASE, button) for button in held]
    x.send(*releases)
    x.sync()


def layout_names(x: X11Connection) -> tuple[str, str, str]:
    """Layout, variant and options that the server's keyboard was made from, as XKB's tools note them."""
    parts = read_property(x, "_XKB_RULES_NAMES").decode(errors="replace").split("\0")
    return (parts[2], parts[3], parts[4]) if len(parts) >= 5 and parts[2] else ("us", "", "")


def _xkb(x: X11Connection) -> int:
    opcode = x.needed("XKEYBOARD").opcode
    x.call(request(opcode, _XKB_USE, struct.pack("<HH", 1, 0)))
    return opcode


def _mapping(x: X11Connection, first: int, last: int) -> dict[int, tuple[int, ...]]:
    reply = x.call(request(_GET_MAPPING, 0, struct.pack("<BB2x", first, last - first + 1)))
    width, places = reply[1], range(last - first + 1)
    return {first + place: struct.unpack_from(f"<{width}I", reply, 32 + 4 * width * place) for place in places}


def _modifiers(x: X11Connection) -> list[list[int]]:
    reply = x.call(request(_GET_MODIFIERS, 0))
    width = reply[1]
    return [[code for code in reply[32 + index * width : 32 + (index + 1) * width] if code] for index in range(8)]


def _num_lock_bit(x: X11Connection) -> int:
    for index, codes in enumerate(_modifiers(x)):
        for code in codes:
            if _NUM_LOCK_SYMBOL in _mapping(x, code, code)[code]:
                return 1 << index
    return 0
