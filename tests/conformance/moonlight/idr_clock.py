"""How quickly IDR requests are answered (gamestream.md §10, row "timing")."""

from bisect import bisect_left

from .violations import Violations

FIRST_IDR_S = 2.0
ANSWER_S = 0.5
MAX_ANSWERS = 1024


class IdrClock:
    """Pairs requests with the IDRs seen on the wire. ``judge`` is called now and then with the arrival times."""

    def __init__(self, violations: Violations) -> None:
        self.first_s: float | None = None
        self.answers_s: list[float] = []
        self._violations = violations
        self._open: list[float] = []
        self._first_judged = False

    def asked(self, now: float) -> None:
        self._open.append(now)

    def judge(self, idr_times: list[float], pinged_at: float | None, now: float) -> None:
        if pinged_at is not None and not self._first_judged:
            self._judge_first(idr_times, pinged_at, now)
        while self._open:
            asked = self._open[0]
            at = bisect_left(idr_times, asked)
            if at < len(idr_times):
                answer = idr_times[at] - asked
                self.answers_s = [*self.answers_s[-MAX_ANSWERS + 1 :], answer]
                if answer > ANSWER_S:
                    self._violations.add("timing.idr-answer", f"after {answer:.3f} s")
            elif now - asked > 4 * ANSWER_S:
                self._violations.add("timing.idr-answer", "none")
            else:
                return
            del self._open[0]

    def _judge_first(self, idr_times: list[float], pinged_at: float, now: float) -> None:
        if idr_times:
            self.first_s = idr_times[0] - pinged_at
        if idr_times or now - pinged_at > FIRST_IDR_S:
            self._first_judged = True
            if self.first_s is None or self.first_s > FIRST_IDR_S:
                self._violations.add("timing.first-idr", f"{self.first_s} s after the first ping")
