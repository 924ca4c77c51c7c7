"""The probe's input test: something of every kind, harmless on a desktop."""

from __future__ import annotations

import asyncio
import math

from punktfunk.client.pad_board import PadState
from punktfunk.client.session import Session
from punktfunk.wire.punktfunk1.enums import Gamepad

SHIFT = 0xA0
STEPS = 60
STEP_S = 1 / 60
_PAD_A = 0x1000


async def send_input_pattern(session: Session) -> int:
    """The pointer in a circle, some motion back and forth, Shift, one notch of the wheel both ways, and a pad that
    comes, presses A and goes: about two seconds. How many events were sent."""
    before = session.input.statistics.events
    loop, send, mode = asyncio.get_running_loop(), session.input, session.mode
    radius = min(mode.width, mode.height) // 4
    for step in range(STEPS):
        angle = 2 * math.pi * step / STEPS
        x, y = mode.width // 2 + radius * math.cos(angle), mode.height // 2 + radius * math.sin(angle)
        send.move_to(int(x), int(y), mode.width, mode.height)
        await asyncio.sleep(STEP_S)
    for delta in (20, -20):
        send.move(delta, delta // 2)
        send.scroll(vertical=6 * delta)
        await asyncio.sleep(STEP_S)
    for pressed in (True, False):
        send.key(SHIFT, pressed)
        await asyncio.sleep(STEP_S)
    send.pad_arrived(0, Gamepad.XBOX_360, loop.time())
    for state in (PadState(), PadState(buttons=_PAD_A, left_x=16000), PadState()):
        send.pad(0, state, loop.time())
        await asyncio.sleep(0.15)
    send.pad_removed(0, loop.time())
    await asyncio.sleep(0.25)
    return session.input.statistics.events - before
