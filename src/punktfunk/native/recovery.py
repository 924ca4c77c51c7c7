"""What the host does about frames that the client lost (punktfunk1.md §5.10). Times in seconds."""

from __future__ import annotations

import enum

KEYFRAME_SPACING_S = 0.75
KEYFRAME_SPACING_INTRA_REFRESH_S = 2.0
MAX_RFI_FRAMES = 256
RECOVERY_GRACE_S = 0.3
MAX_SWALLOWED = 2
EPISODE_GAP_S = 1.0

_U32 = 1 << 32


class Remedy(enum.Enum):
    """What to ask of the encoder."""

    NOTHING = "nothing"
    KEYFRAME = "keyframe"
    INVALIDATE = "invalidate"


class RecoveryPolicy:
    """Decides between a keyframe, reference invalidation and patience.

    Keyframes are spaced; a request inside the spacing is dropped, because the client repeats it for as long as it
    stays frozen. An invalidation gets ``RECOVERY_GRACE_S`` to take effect before keyframe requests count again.
    """

    def __init__(self, *, intra_refresh: bool = False, can_invalidate: bool = True) -> None:
        self._spacing_s = KEYFRAME_SPACING_INTRA_REFRESH_S if intra_refresh else KEYFRAME_SPACING_S
        self._can_invalidate = can_invalidate
        self._keyframe_at: float | None = None
        self._invalidated_at: float | None = None
        self._requested_at: float | None = None
        self._swallowed = 0
        self._clean_from: int | None = None

    def frame_sent(self, frame_index: int, now: float, *, keyframe: bool = False, anchor: bool = False) -> None:
        """Tell about every frame from which the client can go on: a keyframe or a recovery anchor."""
        if keyframe:
            self._keyframe_at = now
        if keyframe or anchor:
            self._clean_from = frame_index

    def keyframe_requested(self, now: float) -> Remedy:
        """A RequestKeyframe."""
        if self._requested_at is None or now - self._requested_at >= EPISODE_GAP_S:
            self._swallowed = 0
        self._requested_at = now
        recovering = self._invalidated_at is not None and now - self._invalidated_at < RECOVERY_GRACE_S
        if recovering and self._swallowed < MAX_SWALLOWED:
            self._swallowed += 1
            return Remedy.NOTHING
        return self._keyframe(now)

    def frames_lost(self, first: int, last: int, now: float) -> Remedy:
        """An RfiRequest. What lies wholly before the newest clean frame has been answered already."""
        width = (last - first) % _U32 + 1
        if self._clean_from is not None and (self._clean_from - last - 1) % _U32 < _U32 // 2:
            return Remedy.NOTHING
        if width > MAX_RFI_FRAMES or not self._can_invalidate:
            return self._keyframe(now)
        self._invalidated_at = now
        return Remedy.INVALIDATE

    def swallowed(self, now: float) -> None:
        """The path swallowed the latest frames, keyframes among them, as their packets were too large: one is due now,
        whatever was sent before. A client that has seen none of them does not know what to ask for."""
        self._keyframe_at, self._invalidated_at = now, None

    def invalidation_failed(self, now: float) -> Remedy:
        """The encoder no longer holds a reference from before the loss."""
        self._invalidated_at = None
        return self._keyframe(now)

    def _keyframe(self, now: float) -> Remedy:
        if self._keyframe_at is not None and now - self._keyframe_at < self._spacing_s:
            return Remedy.NOTHING
        self._keyframe_at = now
        return Remedy.KEYFRAME
