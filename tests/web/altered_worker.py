"""A browser session's worker with noise around the test pattern's stamp, and with echoes in the place of gamepads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from punktfunk.browser.worker import BrowserMedia
from punktfunk.input.events import Feedback, InputEvent, PadArrived, PadRemoved, PadState, Rumbled, TriggersRumbled
from punktfunk.media.displays.synthetic import Pattern, _plane
from punktfunk.media.stamp import HEIGHT
from punktfunk.session import worker

_noise = np.random.default_rng(1).integers(16, 235, 1 << 22, np.uint8)
_draw = Pattern.draw


def noisy(self: Pattern, number: int, clock_ns: int) -> VideoFrame:
    """The pattern with another noise in each picture below the stamp."""
    frame = _draw(self, number, clock_ns)
    luma = _plane(frame, 0)[HEIGHT:]
    start = number * 7919 % (_noise.size - luma.size)
    luma[:] = _noise[start : start + luma.size].reshape(luma.shape)
    return frame


class EchoPads:
    """Says on the log what comes, and shakes as strongly as the triggers are pulled."""

    def __init__(self, _open_node: Any, on_feedback: Callable[[Feedback], None], **_settings: Any) -> None:
        self._on_feedback = on_feedback
        self._states = 0

    def handle(self, event: InputEvent) -> None:
        """One event."""
        match event:
            case PadArrived(pad=pad, capabilities=capabilities):
                print(f"pad {pad} arrived with {capabilities}", file=sys.stderr, flush=True)
            case PadRemoved(pad=pad):
                print(f"pad {pad} removed after {self._states} states", file=sys.stderr, flush=True)
            case PadState():
                self._states += 1
                print(f"pad state {event}", file=sys.stderr, flush=True)
                self._on_feedback(Rumbled(event.pad, event.left_trigger * 257, event.right_trigger * 257))
                self._on_feedback(TriggersRumbled(event.pad, event.left_trigger * 257, 0))

    def close(self) -> None:
        """Nothing is held."""


if __name__ == "__main__":
    Pattern.draw = noisy  # type: ignore[method-assign]
    worker.PadHub = EchoPads  # type: ignore[assignment,misc]
    sys.exit(worker.run_worker(BrowserMedia()))
