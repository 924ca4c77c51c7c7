import struct

import pytest
from tests.conformance.moonlight import control, inputs
from tests.conformance.moonlight.control import ControlCodec, FrameFecStatus


@pytest.mark.parametrize(("name", "v2"), [("control_v2", True), ("control_old_iv", False)])
def test_envelopes(vectors, violations, name, v2):
    for case in vectors[name]:
        codec = ControlCodec(bytes.fromhex(case["key"]), v2, violations)
        codec._sent = codec._expected = case["seq"]
        plain, packet = bytes.fromhex(case["plaintext"]), bytes.fromhex(case["packet"])
        kind, _ = struct.unpack_from("<HH", plain)
        if case["direction"] == "client_to_host":
            assert codec.seal(kind, plain[4:]) == packet
        else:
            assert codec.open(packet) == (kind, plain[4:])
    assert not violations


def test_feedback(vectors, violations):
    messages = []
    for case in vectors["control_v2"]:
        if case["direction"] == "host_to_client":
            plain = bytes.fromhex(case["plaintext"])
            messages.append(control.parse_feedback(int.from_bytes(plain[:2], "little"), plain[4:], violations))
    assert messages[0] == control.Rumble(0, 0x1234, 0xFFFF)
    assert messages[1].enabled
    assert messages[1].metadata[8:] == (1000, 50, 900, 400, 800)
    assert messages[2] == control.TriggerRumble(0, 0x1111, 0x2222)
    assert messages[3] == control.MotionRequest(0, 100, 2)
    assert messages[4] == control.ControllerLed(0, 10, 20, 30)
    assert messages[5] == control.AdaptiveTriggers(0, 0x0C, 0x21, 0x25, bytes(range(10)), bytes(range(10, 20)))
    assert messages[6] == control.Termination(control.GRACEFUL)
    assert not violations


def test_client_messages(vectors):
    by_meaning = {case["meaning"]: bytes.fromhex(case["plaintext"])[4:] for case in vectors["control_v2"]}
    assert control.invalidate_references(100, 103) == by_meaning["invalidate reference frames 100..103"]
    assert control.ltr_ack(77) == by_meaning["LTR frame ack 77"]
    assert by_meaning["periodic ping"] == control.PING_PAYLOAD
    assert inputs.mouse_move(1, 1).payload == by_meaning["input: relative mouse +1,+1"]


def test_frame_fec_status(vectors):
    case = vectors["frame_fec_status"]
    assert FrameFecStatus(**case["fields"]).pack().hex() == case["payload"]


@pytest.mark.parametrize(
    ("message", "rule"),
    [
        (bytes(10), "control.length"),
        (bytes.fromhex("09010400800300230000000000000000000000000000000000000000"), "control.plaintext"),
        (bytes.fromhex("01001900000000000000000000000000000000000000000000000000"), "control.length"),
        (bytes.fromhex("01001800000000000000000000000000000000000000000000000000"), "control.tag"),
        (bytes.fromhex("01001800070000000000000000000000000000000000000000000000"), "control.sequence"),
    ],
)
def test_bad_envelopes(violations, message, rule):
    assert ControlCodec(bytes(16), True, violations).open(message) is None
    assert rule in violations.counts


@pytest.mark.parametrize(("kind", "payload"), [(0x010B, b"\0" * 9), (0x010E, b"\1"), (0x0109, b"\1\0"), (0x7777, b"")])
def test_bad_feedback(violations, kind, payload):
    assert isinstance(control.parse_feedback(kind, payload, violations), control.UnknownMessage)
    assert len(violations) == 1


def test_termination_results():
    assert control.termination_result(control.GRACEFUL, True) == 0
    assert control.termination_result(control.GRACEFUL, False) == -102
    assert control.termination_result(0x800E9302, True) == -103
