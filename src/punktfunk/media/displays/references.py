"""Which encoded frames a peer can decode: reference tracking for loss recovery without keyframes."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass

from punktfunk.media.frames import FrameKind

DECODES_ALONE = -1
UNTRACKED = -2
REMEMBERED_FRAMES = 512
"""Frames of history (8 s at 60 Hz); a loss reported later than that costs a keyframe."""


@dataclass(slots=True)
class _Frame:
    source_id: int
    encoder_id: int
    reference: int
    clean: bool
    recovery: bool = False


class ReferenceLedger:
    """Names frames, says what kind they are, and turns losses into what the encoder must leave out.

    The encoder names its frames by ids of its own, which may wrap and start again at a keyframe; the ledger gives out
    ``source_id``, +1 each. A frame is clean when the peer can decode it: a keyframe that was not lost, or a frame that
    was not lost and predicts from a clean one. The first clean frame after others that were not is a RECOVERY.
    """

    def __init__(self) -> None:
        self._frames: OrderedDict[int, _Frame] = OrderedDict()
        self._by_encoder_id: dict[int, _Frame] = {}
        self._next_id = 0
        self._tracked = True

    @property
    def tracked(self) -> bool:
        """Whether the encoder tells what its frames predict from."""
        return self._tracked

    def add(self, encoder_id: int, reference: int, *, keyframe: bool) -> tuple[int, FrameKind]:
        """A frame left the encoder: its source id and kind. ``reference`` is an encoder id or one of the constants."""
        if keyframe:
            self._forget()
        previous = next(reversed(self._frames.values())) if self._frames else None
        self._tracked = reference != UNTRACKED
        base = self._by_encoder_id.get(reference)
        clean = (
            keyframe or (base is not None and base.clean) or (not self._tracked and (not previous or previous.clean))
        )
        frame = _Frame(self._next_id, encoder_id, base.source_id if base else -1, clean)
        self._next_id += 1
        self._remember(frame)
        if keyframe:
            return frame.source_id, FrameKind.KEY
        frame.recovery = clean and previous is not None and not previous.clean
        return frame.source_id, FrameKind.RECOVERY if frame.recovery else FrameKind.DELTA

    def lose(self, first: int, last: int) -> int | None:
        """The peer lost source frames ``first``..``last``: the encoder id to leave out of predictions (with all later
        ones), or None when the newest frame is clean anyway. Raises LookupError when that is no longer known."""
        if not self._frames or first > last:
            return None
        oldest = next(iter(self._frames))
        if last < oldest or first >= self._next_id:
            return None
        if first < oldest and not self._starts_with_keyframe():
            raise LookupError(f"frame {first} is older than the {len(self._frames)} that are remembered")
        self._spoil(first, last)
        first_spoiled: _Frame | None = None
        for frame in itertools.takewhile(lambda frame: not frame.clean, reversed(self._frames.values())):
            first_spoiled = frame
            if frame.recovery:  # what came before it is left out already, and an encoder ignores being told again
                break
        return first_spoiled.encoder_id if first_spoiled is not None else None

    def _starts_with_keyframe(self) -> bool:
        return next(iter(self._frames.values())).reference < 0

    def _spoil(self, first: int, last: int) -> None:
        for frame in self._frames.values():
            base = self._frames.get(frame.reference)
            if first <= frame.source_id <= last or (base is not None and not base.clean):
                frame.clean = False

    def _remember(self, frame: _Frame) -> None:
        self._frames[frame.source_id] = frame
        self._by_encoder_id[frame.encoder_id] = frame
        if len(self._frames) > REMEMBERED_FRAMES:
            _, gone = self._frames.popitem(last=False)
            if self._by_encoder_id.get(gone.encoder_id) is gone:
                del self._by_encoder_id[gone.encoder_id]

    def _forget(self) -> None:
        # Nothing after an IDR predicts from before it, so a loss before it needs no answer any more.
        self._frames.clear()
        self._by_encoder_id.clear()
