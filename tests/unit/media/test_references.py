from __future__ import annotations

import random

import pytest

from punktfunk.media.displays.references import DECODES_ALONE, REMEMBERED_FRAMES, UNTRACKED, ReferenceLedger
from punktfunk.media.frames import FrameKind


def ledger_of(frames: int, first_encoder_id: int = 0) -> ReferenceLedger:
    ledger = ReferenceLedger()
    ledger.add(first_encoder_id, DECODES_ALONE, keyframe=True)
    for i in range(first_encoder_id + 1, first_encoder_id + frames):
        ledger.add(i, i - 1, keyframe=False)
    return ledger


def test_source_ids_count_on_when_the_encoder_starts_again() -> None:
    ledger = ledger_of(3)
    assert ledger.add(0, DECODES_ALONE, keyframe=True) == (3, FrameKind.KEY)
    assert ledger.add(1, 0, keyframe=False) == (4, FrameKind.DELTA)


def test_encoder_ids_may_wrap() -> None:
    ledger = ledger_of(10, 65530)
    assert ledger.add(0, 65539, keyframe=False) == (10, FrameKind.DELTA)
    assert ledger.lose(10, 10) == 0


def test_first_frame_past_a_loss_is_the_recovery() -> None:
    ledger = ledger_of(10)
    assert ledger.lose(7, 8) == 7
    assert ledger.add(10, 9, keyframe=False)[1] is FrameKind.DELTA  # was in flight, predicts from the loss
    assert ledger.add(11, 6, keyframe=False)[1] is FrameKind.RECOVERY
    assert ledger.add(12, 11, keyframe=False)[1] is FrameKind.DELTA


def test_a_frame_that_predicts_from_a_spoiled_one_never_recovers() -> None:
    ledger = ledger_of(10)
    ledger.lose(5, 5)
    assert ledger.add(10, 7, keyframe=False)[1] is FrameKind.DELTA
    assert ledger.add(11, 4, keyframe=False)[1] is FrameKind.RECOVERY


def test_a_report_that_comes_after_the_recovery_costs_nothing() -> None:
    ledger = ledger_of(10)
    ledger.lose(8, 8)
    ledger.add(10, 7, keyframe=False)
    assert ledger.lose(8, 9) is None


def test_a_lost_recovery_is_what_the_encoder_is_told_of() -> None:
    """Being told again of frames that it leaves out already makes no encoder leave out the recovery."""
    ledger = ledger_of(10)
    ledger.lose(8, 8)
    ledger.add(10, 7, keyframe=False)
    assert ledger.lose(8, 10) == 10
    assert ledger.add(11, 10, keyframe=False)[1] is FrameKind.DELTA
    assert ledger.add(12, 6, keyframe=False)[1] is FrameKind.RECOVERY


def test_an_old_repaired_loss_does_not_deepen_a_new_one() -> None:
    ledger = ledger_of(10)
    ledger.lose(8, 9)
    ledger.add(10, 7, keyframe=False)
    for i in range(11, 20):
        ledger.add(i, i - 1, keyframe=False)
    assert ledger.lose(18, 18) == 18


def test_losses_before_a_keyframe_need_no_answer() -> None:
    ledger = ledger_of(5)
    ledger.add(5, DECODES_ALONE, keyframe=True)
    assert ledger.lose(1, 4) is None
    assert ledger.lose(3, 5) == 5


def test_frames_never_sent_and_empty_ranges_are_ignored() -> None:
    ledger = ledger_of(5)
    assert ledger.lose(5, 9) is None
    assert ledger.lose(4, 3) is None
    assert ReferenceLedger().lose(0, 10) is None


def test_what_is_forgotten_must_be_answered_with_a_keyframe() -> None:
    ledger = ledger_of(REMEMBERED_FRAMES + 5)
    with pytest.raises(LookupError, match="older than"):
        ledger.lose(2, REMEMBERED_FRAMES)


def test_an_encoder_that_tells_no_references_is_not_tracked() -> None:
    ledger = ReferenceLedger()
    ledger.add(0, UNTRACKED, keyframe=True)
    assert ledger.add(1, UNTRACKED, keyframe=False) == (1, FrameKind.DELTA)
    assert not ledger.tracked


def test_flood_stays_bounded() -> None:
    ledger = ledger_of(1)
    for i in range(1, 20 * REMEMBERED_FRAMES):
        ledger.add(i & 0xFFFF, (i - 1) & 0xFFFF, keyframe=False)
    assert len(ledger._frames) == len(ledger._by_encoder_id) == REMEMBERED_FRAMES


def test_recoveries_are_decodable_whatever_is_lost() -> None:
    """A model of a receiver agrees: it has what every frame marked RECOVERY predicts from."""
    generator = random.Random(20)
    for _ in range(200):
        ledger, received, excluded = ReferenceLedger(), {0}, set[int]()
        ledger.add(0, DECODES_ALONE, keyframe=True)
        for i in range(1, 60):
            candidates = [j for j in range(max(0, i - 8), i) if j not in excluded]
            if not candidates:
                break
            base = candidates[-1]
            _, kind = ledger.add(i, base, keyframe=False)
            lost = generator.random() < 0.15
            if base in received and not lost:
                received.add(i)
            if kind is FrameKind.RECOVERY:
                assert base in received
            if lost:
                left_out = ledger.lose(i, i)
                assert left_out is not None
                excluded.update(range(left_out, i + 1))
