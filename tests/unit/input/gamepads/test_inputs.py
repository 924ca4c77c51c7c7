"""The newest packet decides; touches keep their slots."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.input.events import ContactPhase, PadBattery, PadMotion, PadState, PadTouched
from punktfunk.input.gamepads.inputs import CONTACT_ID_LIMIT, PadInputs, on_one_touchpad


def touch(phase: ContactPhase, pointer: int, x: float = 0.5, surface: int = 0, clicked: bool = False) -> PadTouched:
    return PadTouched(0, surface, phase, pointer, x, 0.5, 1.0, clicked)


def test_state_motion_and_battery_do_not_touch_each_other() -> None:
    inputs = PadInputs().with_motion(PadMotion(0, (1.0, 2.0, 3.0), None)).with_battery(PadBattery(0, 2, 50))
    inputs = inputs.with_touch(touch(ContactPhase.DOWN, 1)).with_state(PadState(0, 5, 1, 2, 3, 4, 5, 6))
    assert (inputs.buttons, inputs.left_trigger, inputs.right_y) == (5, 1, 6)
    assert inputs.gyro == (1.0, 2.0, 3.0)
    assert inputs.battery_percent == 50
    assert inputs.contacts[0] is not None


def test_a_finger_keeps_its_slot_and_its_number() -> None:
    inputs = PadInputs().with_touch(touch(ContactPhase.DOWN, 10)).with_touch(touch(ContactPhase.DOWN, 20))
    inputs = inputs.with_touch(touch(ContactPhase.UP, 10)).with_touch(touch(ContactPhase.MOVE, 20, 0.9))
    first, second = inputs.contacts
    assert first is None
    assert second is not None
    assert (second.x, second.contact_id) == (0.9, 1)
    third = inputs.with_touch(touch(ContactPhase.DOWN, 30)).contacts[0]
    assert third is not None
    assert third.contact_id == 2


def test_a_third_finger_is_ignored() -> None:
    inputs = PadInputs()
    for pointer in range(5):
        inputs = inputs.with_touch(touch(ContactPhase.DOWN, pointer))
    assert [contact.pointer_id for contact in inputs.contacts if contact] == [0, 1]


def test_cancelling_all_lifts_everything() -> None:
    inputs = PadInputs().with_touch(touch(ContactPhase.DOWN, 1, clicked=True))
    assert inputs.clicked_surfaces == 1
    inputs = inputs.with_touch(touch(ContactPhase.CANCEL_ALL, 0))
    assert (inputs.contacts, inputs.clicked_surfaces) == ((None, None), 0)


def test_two_touchpads_become_the_halves_of_one() -> None:
    contact = PadInputs().with_touch(touch(ContactPhase.DOWN, 1, 0.5, surface=1)).contacts[0]
    assert contact is not None
    assert on_one_touchpad(contact, dual=True) == (0.75, 0.5)
    assert on_one_touchpad(contact, dual=False) == (0.5, 0.5)


phases = st.sampled_from(list(ContactPhase))
events = st.one_of(
    st.builds(PadState, st.just(0), st.integers(0, 0x3FFFFF)),
    st.builds(PadTouched, st.just(0), st.integers(0, 1), phases, st.integers(0, 4), st.floats(0, 1), st.floats(0, 1)),
)


@given(st.lists(events, max_size=40))
def test_any_sequence_ends_in_the_newest_state(sequence: list[PadState | PadTouched]) -> None:
    inputs = PadInputs()
    for event in sequence:
        inputs = inputs.with_state(event) if isinstance(event, PadState) else inputs.with_touch(event)
    states = [event for event in sequence if isinstance(event, PadState)]
    assert inputs.buttons == (states[-1].buttons if states else 0)
    held = [(contact.pointer_id, contact.surface) for contact in inputs.contacts if contact]
    assert len(held) == len(set(held))
    assert all(0 <= contact.contact_id < CONTACT_ID_LIMIT for contact in inputs.contacts if contact)
    assert inputs.with_touch(touch(ContactPhase.CANCEL_ALL, 0)).contacts == (None, None)
