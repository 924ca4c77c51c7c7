from punktfunk.input.events import ButtonChanged, PadArrived, PadKind, PadRemoved, PadState
from punktfunk.session.pad_memory import MAX_PADS, PadMemory


def test_a_new_worker_learns_arrivals_and_the_newest_states() -> None:
    memory = PadMemory()
    arrival = PadArrived(1, PadKind.DUALSENSE)
    memory.note((arrival, PadState(1, 1), ButtonChanged(0x110, True), PadState(1, 2)))
    assert memory.replay() == (arrival, PadState(1, 2))


def test_a_pad_that_is_gone_stays_gone() -> None:
    memory = PadMemory()
    memory.note((PadArrived(0, PadKind.XBOX_360), PadState(0, 1), PadRemoved(0)))
    assert memory.replay() == ()


def test_a_flood_of_numbers_is_bounded() -> None:
    memory = PadMemory()
    for pad in range(1000):
        memory.note((PadArrived(pad, PadKind.AUTO), PadState(pad, 0)))
    assert len(memory.replay()) == 2 * MAX_PADS


def test_what_was_let_go_is_not_pressed_again() -> None:
    memory = PadMemory()
    memory.note((PadArrived(0, PadKind.XBOX_360), PadState(0, 1)))
    memory.let_go()
    assert memory.replay() == (PadArrived(0, PadKind.XBOX_360),)
