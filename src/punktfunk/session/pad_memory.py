"""What a replaced worker has to be told about the client's controllers, which the client says only once."""

from __future__ import annotations

from punktfunk.input.events import InputEvent, PadArrived, PadRemoved, PadState

MAX_PADS = 16


class PadMemory:
    """The last arrival and state of each controller."""

    def __init__(self) -> None:
        self._arrivals: dict[int, PadArrived] = {}
        self._states: dict[int, PadState] = {}

    def note(self, events: tuple[InputEvent, ...]) -> None:
        """Remember what these events change."""
        for event in events:
            match event:
                case PadArrived(pad=pad) if 0 <= pad < MAX_PADS:
                    self._arrivals[pad] = event
                case PadState(pad=pad) if 0 <= pad < MAX_PADS:
                    self._states[pad] = event
                case PadRemoved(pad=pad):
                    self._arrivals.pop(pad, None)
                    self._states.pop(pad, None)

    def let_go(self) -> None:
        """Nothing is pressed any more."""
        self._states.clear()

    def replay(self) -> tuple[InputEvent, ...]:
        """Events that bring a worker that knows nothing up to date."""
        return (*self._arrivals.values(), *self._states.values())
