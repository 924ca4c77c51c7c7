"""What the client asks for after a loss, and when it may show pictures again (punktfunk1.md §9.2, §9.3).

Times in seconds.
"""

from __future__ import annotations

from punktfunk.wire.punktfunk1.messages import RequestKeyframe, RfiRequest
from punktfunk.wire.punktfunk1.video import FrameFlags

REQUEST_SPACING_S = 0.1
MAX_RFI_FRAMES = 256
PATIENCE_S = 0.5
WAVE_PATIENCE_S = 1.5
RECOVERY_POINTS_NEEDED = 2

_U32 = 1 << 32

Request = RfiRequest | RequestKeyframe


class LossRecovery:
    """Watches delivered frames for gaps. ``holding`` is whether the last good picture stays on the screen; it starts
    True, because nothing can be shown before the first keyframe."""

    def __init__(self, now: float) -> None:
        self.holding = True
        self.requests = 0
        """Keyframes asked for so far."""
        self._expected: int | None = None
        self._lost: tuple[int, int] | None = None
        self._keyframe_due: float | None = now + REQUEST_SPACING_S
        self._last_rfi: float | None = None
        self._last_keyframe: float | None = None
        self._recovery_points = 0
        self._seen_keyframe = False

    def delivered(self, frame_index: int, flags: FrameFlags, now: float) -> list[Request]:
        """One access unit arrived whole; what to send. Stragglers change nothing."""
        ahead = 0 if self._expected is None else (frame_index - self._expected) % _U32
        if ahead >= _U32 // 2:
            return []
        if ahead:
            self._gap(frame_index - ahead, ahead, now)
        self._expected = (frame_index + 1) % _U32
        self._heal(flags, now)
        return self.poll(now)

    def frames_dropped(self, now: float) -> list[Request]:
        """Frames were thrown away on this side, so what follows has no references."""
        self._hold(now)
        return self._want_keyframe(now)

    def frames_given_up(self, newest: int, now: float) -> list[Request]:
        """The receiver gave frames up, ``newest`` the last of them. What a later frame has shown to be missing was
        asked for then, and may have healed since: only news counts."""
        if self._expected is not None and (newest - self._expected) % _U32 >= _U32 // 2:
            return []
        return self.frames_dropped(now)

    def decoder_failed(self, now: float) -> list[Request]:
        """The decoder refused a frame."""
        self._hold(now)
        return self._want_keyframe(now)

    def poll(self, now: float) -> list[Request]:
        """What is due by time: a request that was throttled, or another after patience ran out."""
        due: list[Request] = []
        if self._lost and (self._last_rfi is None or now - self._last_rfi >= REQUEST_SPACING_S):
            first, last = self._lost
            self._lost, self._last_rfi = None, now
            due.append(RfiRequest(first, last))
        if self._keyframe_due is not None and now >= self._keyframe_due:
            due += self._want_keyframe(now)
        return due

    def next_deadline(self) -> float | None:
        """When ``poll`` has something to do."""
        pending = [self._keyframe_due]
        if self._lost:
            pending.append((self._last_rfi or 0.0) + REQUEST_SPACING_S)
        return min((at for at in pending if at is not None), default=None)

    def _gap(self, first: int, missing: int, now: float) -> None:
        self._hold(now)
        first %= _U32
        if missing > MAX_RFI_FRAMES:
            self._lost = None
            self._keyframe_due = now
            return
        start = self._lost[0] if self._lost else first
        last = (first + missing - 1) % _U32
        if (last - start) % _U32 >= MAX_RFI_FRAMES:
            self._lost, self._keyframe_due = None, now
        else:
            self._lost = start, last

    def _heal(self, flags: FrameFlags, now: float) -> None:
        if FrameFlags.RECOVERY_POINT in flags and self.holding:
            self._recovery_points += 1
            self._keyframe_due = now + WAVE_PATIENCE_S
        clean = (
            FrameFlags.KEYFRAME in flags
            or (FrameFlags.RECOVERY_ANCHOR in flags and self._seen_keyframe)
            or self._recovery_points >= RECOVERY_POINTS_NEEDED
        )
        if FrameFlags.KEYFRAME in flags:
            self._seen_keyframe = True
        if clean:
            self.holding, self._keyframe_due, self._recovery_points = False, None, 0
            self._lost = None

    def _hold(self, now: float) -> None:
        if not self.holding:
            self.holding, self._recovery_points = True, 0
            self._keyframe_due = now + PATIENCE_S

    def _want_keyframe(self, now: float) -> list[Request]:
        if self._last_keyframe is not None and now - self._last_keyframe < REQUEST_SPACING_S:
            self._keyframe_due = self._last_keyframe + REQUEST_SPACING_S
            return []
        self._last_keyframe = now
        self._keyframe_due = now + (PATIENCE_S if self._seen_keyframe else REQUEST_SPACING_S)
        self.requests += 1
        return [RequestKeyframe()]
