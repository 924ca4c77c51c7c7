"""Rumble that is renewed, stops by itself and is stopped three times; lights only when they change."""

from __future__ import annotations

from punktfunk.input import events as e
from punktfunk.native.pad_output import MAX_PADS, RENEW_S, TTL_MS, PadOutput
from punktfunk.wire.punktfunk1.datagrams import decode_from_host
from punktfunk.wire.punktfunk1.pad_feedback import AdaptiveTrigger, Led, Rumble


def test_a_level_is_renewed_while_it_lasts() -> None:
    output = PadOutput()
    first = output.take((e.Rumbled(2, 100, 200), e.TriggersRumbled(2, 5, 6)), 0.0)
    assert [decode_from_host(d) for d in first] == [
        Rumble(2, 100, 200, 0, TTL_MS, 0, 0),
        Rumble(2, 100, 200, 1, TTL_MS, 5, 6),
    ]
    assert output.poll(RENEW_S / 2) == []
    for renewal in range(1, 20):
        assert output.deadline is not None
        (datagram,) = output.poll(output.deadline)
        rumble = decode_from_host(datagram)
        assert isinstance(rumble, Rumble)
        assert (rumble.low, rumble.seq) == (100, 1 + renewal)


def test_a_stop_is_said_three_times() -> None:
    output = PadOutput()
    output.take((e.Rumbled(0, 1, 1),), 0.0)
    said = output.take((e.Rumbled(0, 0, 0),), 0.05)
    for tick in range(1, 10):
        said += output.poll(0.05 + tick)
    assert len(said) == 3
    assert output.deadline is None
    assert output.take((e.Rumbled(0, 0, 0),), 20.0) == []


def test_lights_are_sent_when_they_change() -> None:
    output = PadOutput()
    red = e.LightChanged(1, 255, 0, 0)
    assert [decode_from_host(d) for d in output.take((red, red), 0.0)] == [Led(1, 255, 0, 0)]
    left = e.TriggerEffect(1, 0, 2, bytes(10))
    assert [decode_from_host(d) for d in output.take((left, left), 0.0)] == [
        AdaptiveTrigger(1, 0, bytes([2, *bytes(10)]))
    ]


def test_pads_that_cannot_be_are_ignored() -> None:
    output = PadOutput()
    assert output.take(tuple(e.Rumbled(pad, 1, 1) for pad in range(MAX_PADS, 1000)), 0.0) == []
    assert output.deadline is None
