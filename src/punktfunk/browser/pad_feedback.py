"""What games send to controllers, as messages for a page. The Gamepad API has motors and nothing else."""

from __future__ import annotations

from punktfunk.browser import wire as w
from punktfunk.input.events import Feedback, Rumbled, TriggersRumbled


def page_message(feedback: Feedback) -> w.Rumble | w.TriggerRumble | None:
    """The message of one piece of feedback; None for what a page cannot show."""
    match feedback:
        case Rumbled(pad=pad, low=low, high=high):
            return w.Rumble(pad, low, high)
        case TriggersRumbled(pad=pad, left=left, right=right):
            return w.TriggerRumble(pad, left, right)
    return None
