"""Adaptive bitrate: what to ask of the host, window by window (punktfunk1.md §9.2, §9.4). Sans-IO.

Times are seconds of any monotonic clock. Rates called *wire* include headers and FEC, which change under way; the
host is asked for video. The host bounds what it applies, so this side only finds out what path and ends carry.
"""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.client.abr_signals import WINDOW_S, Health, Judge, PanicWatch, Slice, Verdict, Window
from punktfunk.wire.punktfunk1 import MAX_BITRATE_KBPS
from punktfunk.wire.punktfunk1.messages import ProbeRequest

FLOOR_KBPS = 5000
REQUEST_SPACING_S = 1.5
ANSWER_TIMEOUT_S = 3.0
MAX_UNANSWERED = 3

PROBE = ProbeRequest(2_000_000, 800)
PROBE_DELAY_S = 2.0
PROBE_TIMEOUT_S = 6.0

CEILING_SHARE = 0.95
"""Of the rate that a speed test proved."""
KNEE_SHARE = 0.9
"""Of the rate that got through a full path."""
DECREASE = 0.7
MIN_DRAIN, MAX_DRAIN = 0.25, 0.75
"""How far below what gets through a queue is drained: the deeper, the further."""
CLIMB, FAST_CLIMB = 1.06, 1.25
CLIMB_SHARE = 0.06
"""The least step, of what the path carries: of two streams that share it, the smaller one catches up."""
CLEAN_WINDOWS, FAST_CLEAN_WINDOWS = 6, 2
PROVEN_FACTOR = 1.5
USED_SHARE = 0.75
HOLD_S, MAX_HOLD_S = 12.0, 120.0
ECHO_PERCENT = 10.0
"""More loss than this, after a step too far has been taken back, is not its echo: the path has become narrower."""
FUTILE_S = 30.0
FUTILE_SHARE = 1 / 3
OVERLOAD_PERCENT = 30.0
"""From so much loss on, one cut may leave a path too full: it helps if as much gets through as before."""
PERSISTENT_WINDOWS = 4
SETTLE_S = 6.0
SETTLED_MS = 25.0
"""After a speed test its own queue has to drain before anything is judged."""


@dataclass(slots=True)
class _Hold:
    """A rate not to be passed until a time; the wait doubles each time that the limit is met again after it."""

    kbps: float = 0.0
    until: float = float("-inf")
    span_s: float = HOLD_S / 2

    def renew(self, kbps: float, now: float) -> None:
        if now >= self.until:
            self.span_s = min(MAX_HOLD_S, 2 * self.span_s) if now - self.until < MAX_HOLD_S else HOLD_S
        self.kbps, self.until = kbps, now + self.span_s

    def limit(self, kbps: float, now: float) -> float:
        return min(kbps, self.kbps) if now < self.until else kbps


@dataclass(frozen=True, slots=True)
class _Cut:
    """The last cut that loss alone caused."""

    target_kbps: int
    loss_percent: float
    wire_kbps: float
    slow_start: bool
    at: float


class BitrateController:
    """Starts at the negotiated rate, measures the path once, climbs to what that proved, and steps back from trouble.

    A full path lowers the rate until its queue is drained and then to just below what got through (the knee), which
    is not passed for a while. A cut that leaves the same loss behind was no cure: it is taken back, and such loss is
    borne for a while. Above the proven rate it climbs in small steps that end at the first stir.
    """

    def __init__(self, negotiated_kbps: int, now: float) -> None:
        self.target_kbps = negotiated_kbps
        """The rate that the host is believed to run at."""
        self.decreases = 0
        self.path_full = False
        """Whether the last window says that a queue stands on the path: what it loses, parity cannot mend."""
        self._judge, self._panic = Judge(), PanicWatch()
        self._probe_at: float | None = now + PROBE_DELAY_S
        self._probe_until: float | None = None
        self._negotiated_kbps = negotiated_kbps
        self._probed = False
        self._ceiling_wire: float | None = None
        self._full_at = float("-inf")
        self._proven_wire = 0.0
        self._slow_start = True
        self._clean = self._bad = 0
        self._knee, self._host_cap = _Hold(), _Hold()
        self._explore_hold = _Hold()
        self._exploring = False
        self._restore_kbps: float | None = None
        self._remembered_kbps = 0.0
        self._drain_until = self._echo_until = now
        self._cut: _Cut | None = None
        self._futile_until = now
        self._lossy = 0
        self._settle_until = now
        self._requested_at = now - REQUEST_SPACING_S
        self._pending_kbps: int | None = None
        self._short_answer: int | None = None
        self._unanswered = 0
        self._factor = 1.0

    @property
    def stopped(self) -> bool:
        """Whether the host never answers, and is no longer asked."""
        return self._unanswered >= MAX_UNANSWERED

    @property
    def probing(self) -> bool:
        """Whether a probe is awaited; windows and frames that it touches are not to be given."""
        return self._probe_until is not None

    def poll(self, now: float) -> ProbeRequest | None:
        """The speed test, when it is due; also gives up one that stays unanswered."""
        if self._probe_until is not None and now >= self._probe_until:
            self._probe_until = None
        if self._probe_at is None or now < self._probe_at:
            return None
        self._probe_at, self._probe_until = None, now + PROBE_TIMEOUT_S
        return PROBE

    def probe_measured(self, wire_kbps: float, now: float) -> None:
        """The rate at which the filler arrived; 0 = the host declined, and the negotiated rate is the ceiling."""
        self._probe_until = None
        if wire_kbps > 0:
            self._probed, self._settle_until = True, now + SETTLE_S
            self._proven_wire = max(self._proven_wire, wire_kbps)
            self._ceiling_wire = CEILING_SHARE * wire_kbps
            self._explore_hold.renew(0.0, now)

    def bitrate_changed(self, kbps: int, now: float) -> None:
        """The host's answer, or a change of its own. Two equal answers below what was asked teach its cap."""
        asked, self._pending_kbps = self._pending_kbps, None
        self._unanswered, self.target_kbps = 0, kbps
        if asked is None or kbps >= asked:
            self._short_answer = None
        elif self._short_answer == kbps:
            self._host_cap.renew(kbps, now)
        else:
            self._short_answer = kbps

    def frame(self, delay_ms: float, wire_bytes: int, now: float) -> int | None:
        """One frame arrived; the rate to ask for at once when a queue grows."""
        if now < self._settle_until:
            if self._panic.excess(delay_ms) < SETTLED_MS:
                self._settle_until = now
                self._panic.restart(now)
            return None
        late = self._panic.frame(delay_ms, wire_bytes, now)
        if late is None or self.stopped or self.probing or now < self._drain_until:
            return None
        return self._stop_exploring(now) if self._exploring else self._drain(late, now)

    def window(self, window: Window, now: float) -> int | None:
        """Judge one window; the rate to ask for now, if any. Windows that touch a probe or a pipeline gap are to be
        left out."""
        self._factor = window.wire_factor
        self._check_answer(now)
        if self.stopped or now < self._settle_until:
            return None
        verdict = self._judge.window(window)
        self.path_full = verdict.queueing and verdict.path
        collapsed = now - WINDOW_S < self._echo_until and verdict.loss_percent >= ECHO_PERCENT
        if now - WINDOW_S < self._drain_until and not collapsed:
            return None
        if self._exploring and verdict.stir:
            return self._stop_exploring(now)
        if self._is_futile(verdict, now) or verdict.health is Health.CLEAN:
            self._bad = 0
            self._clean += 1
            self._proven_wire = max(self._proven_wire, window.wire_kbps)
            return self._increase(window, now)
        self._clean = 0
        self._bad += 1
        if verdict.health is Health.SEVERE or self._bad >= 2:
            return self._decrease(window, verdict, now)
        return None

    def _decrease(self, w: Window, verdict: Verdict, now: float) -> int | None:
        if verdict.queueing and verdict.path:
            if self._panic.shrinking:
                return None
            return self._drain(Slice(verdict.delay_ms, min(w.wire_kbps, self._panic.last.wire_kbps)), now)
        if verdict.path and verdict.loss_percent >= 2:
            if self._cut_was_futile(w, verdict, now):
                return self._take_back(now)
            slow_start = self._slow_start or (self._cut is not None and self._cut.slow_start)
            self._cut = _Cut(self.target_kbps, verdict.loss_percent, w.wire_kbps, slow_start, now)
        else:
            self._knee.renew(KNEE_SHARE * self.target_kbps * self._factor, now)
        wanted = DECREASE * self.target_kbps
        carried, used = w.wire_kbps / self._factor, USED_SHARE * self.target_kbps
        if carried < used <= w.sent_kbps / self._factor and verdict.loss_percent >= 6:
            wanted = min(wanted, KNEE_SHARE * carried)
            self._knee.renew(KNEE_SHARE * w.wire_kbps, now)
        return self._step_down(wanted, now)

    def _drain(self, late: Slice, now: float) -> int | None:
        """The path is full: what gets through now is what it carries."""
        carried = min(float(self.target_kbps), late.wire_kbps / self._factor)
        again = now < self._knee.until
        self._note_full(carried * self._factor, now)
        self._knee.renew(KNEE_SHARE * carried * self._factor, now)
        share = min(MAX_DRAIN, MIN_DRAIN + late.delay_ms / 1000)
        self._echo_until = now
        self._drain_until = now + 0.2 + min(2.0, late.delay_ms / 1000 / share)
        asked = self._step_down((1 - share) * carried, now, again=again)
        self._restore_kbps = KNEE_SHARE * carried
        return asked

    def _note_full(self, wire_kbps: float, now: float) -> None:
        """Without a speed test, a path that was full twice has shown what it carries, as well as filler would have."""
        if not self._probed and self._knee.until <= now < self._full_at + MAX_HOLD_S:
            self._ceiling_wire = CEILING_SHARE * wire_kbps
            self._explore_hold.renew(0.0, now)
        self._full_at = now

    def _step_down(self, wanted: float, now: float, *, again: bool = False) -> int | None:
        if not self._exploring:
            self._remembered_kbps = max(self._remembered_kbps if again else 0.0, float(self.target_kbps))
        self._slow_start = self._exploring = False
        self._restore_kbps = None
        self._bad = self._clean = 0
        self.decreases += 1
        return self._ask(min(int(wanted), self.target_kbps), now)

    def _increase(self, w: Window, now: float) -> int | None:
        cap = self._cap(now)
        if self.target_kbps > CLIMB * cap and not self._exploring and self._may_ask(now):
            return self._ask(int(cap), now)
        in_use = w.wire_kbps >= USED_SHARE * self.target_kbps * self._factor
        if not in_use or not self._may_ask(now) or self.probing or self._probe_at is not None:
            return None
        wanted = min(self._next_step(cap), PROVEN_FACTOR * self._proven_wire / self._factor)
        if min(wanted, cap) >= 1.02 * self.target_kbps:
            self._clean = 0
            return self._ask(int(min(wanted, cap)), now)
        return self._explore(cap, now)

    def _next_step(self, cap: float) -> float:
        restore, self._restore_kbps = self._restore_kbps, None
        if restore is not None:
            return restore
        if self._slow_start:
            return max(2.0 * self.target_kbps, 0.5 * cap)
        if self.target_kbps < 0.95 * self._remembered_kbps and self._clean >= FAST_CLEAN_WINDOWS:
            return min(FAST_CLIMB * self.target_kbps, self._remembered_kbps)
        if self._clean < CLEAN_WINDOWS:
            return 0.0
        least = CLIMB_SHARE * (self._ceiling_wire or 0.0) / self._factor
        return max(CLIMB * self.target_kbps, self.target_kbps + least)

    def _cap(self, now: float) -> float:
        """The most video that the known limits allow."""
        most = float(MAX_BITRATE_KBPS if self._probed else self._negotiated_kbps)
        wire = most * self._factor if self._ceiling_wire is None else self._ceiling_wire
        video = max(FLOOR_KBPS, self._knee.limit(wire, now) / self._factor)
        return min(self._host_cap.limit(video, now), most)

    def _explore(self, cap: float, now: float) -> int | None:
        """One step beyond the proven ceiling, when all has been well for long and nothing else limits."""
        ceiling = self._ceiling_wire
        at_ceiling = ceiling is not None and cap >= 0.99 * ceiling / self._factor
        if ceiling is None or not at_ceiling or self._clean < CLEAN_WINDOWS or now < self._explore_hold.until:
            return None
        self._exploring, self._clean = True, 0
        self._ceiling_wire = CLIMB * ceiling
        return self._ask(int(CLIMB * self.target_kbps), now)

    def _stop_exploring(self, now: float) -> int | None:
        assert self._ceiling_wire is not None
        self._ceiling_wire /= CLIMB
        self._explore_hold.renew(0.0, now)
        self._drain_until = self._echo_until = now + REQUEST_SPACING_S
        self._exploring = False
        self._clean = self._bad = 0
        self.decreases += 1
        return self._ask(int(0.95 * self._ceiling_wire / self._factor), now)

    def _is_futile(self, verdict: Verdict, now: float) -> bool:
        """Whether a window's loss is of the kind that a lower rate does not cure; never for many windows in a row."""
        loss_alone = verdict.path and not verdict.queueing and verdict.loss_percent >= 2
        self._lossy = self._lossy + 1 if loss_alone else 0
        if not loss_alone or now >= self._futile_until or self._lossy >= PERSISTENT_WINDOWS:
            return False
        self._futile_until = max(self._futile_until, now + FUTILE_S / 2)
        return True

    def _cut_was_futile(self, w: Window, verdict: Verdict, now: float) -> bool:
        cut = self._cut
        changing = self._judge.loss_known and self._lossy >= PERSISTENT_WINDOWS
        if cut is None or now - cut.at >= FUTILE_S or changing:
            return False
        if cut.loss_percent >= OVERLOAD_PERCENT and w.wire_kbps > USED_SHARE * cut.wire_kbps:
            return False
        return self.target_kbps < cut.target_kbps and verdict.loss_percent >= FUTILE_SHARE * cut.loss_percent

    def _take_back(self, now: float) -> int | None:
        assert self._cut is not None
        self._judge.loss_is_nature()
        self._futile_until = now + FUTILE_S
        self._slow_start = self._cut.slow_start
        self._remembered_kbps = max(self._remembered_kbps, float(self._cut.target_kbps))
        self._bad = 0
        return self._ask(int(min(self._cut.target_kbps, self._cap(now))), now)

    def _may_ask(self, now: float) -> bool:
        return now - self._requested_at >= REQUEST_SPACING_S

    def _ask(self, kbps: int, now: float) -> int | None:
        """Never below the floor, but for a host that is there already."""
        kbps = max(kbps, min(FLOOR_KBPS, self.target_kbps))
        if kbps == self.target_kbps:
            return None
        if self._pending_kbps is not None and self._may_ask(now):
            self._unanswered += 1
        self._requested_at, self._pending_kbps = now, kbps
        return kbps

    def _check_answer(self, now: float) -> None:
        if self._pending_kbps is not None and now - self._requested_at >= ANSWER_TIMEOUT_S:
            self._pending_kbps = None
            self._unanswered += 1
