import random

import pytest

from punktfunk.host import control_messages as messages
from punktfunk.host.control_messages import MessageError, decode_answer, decode_request, encode

REQUESTS = [
    (messages.GetStatus(), b'{"request":"status","version":1}\n'),
    (messages.ListPending(), b'{"request":"pending","version":1}\n'),
    (messages.SubmitPin(pin="1234"), b'{"request":"submit-pin","pin":"1234","attempt":"","name":"","version":1}\n'),
    (messages.ListDevices(), b'{"request":"devices","version":1}\n'),
    (messages.RenameDevice(device="a", name="b"), b'{"request":"rename-device","device":"a","name":"b","version":1}\n'),
    (messages.RemoveDevice(device="a"), b'{"request":"remove-device","device":"a","version":1}\n'),
    (messages.ListSessions(), b'{"request":"sessions","version":1}\n'),
    (messages.EndSession(session="1"), b'{"request":"end-session","session":"1","version":1}\n'),
    (messages.Stop(), b'{"request":"stop","version":1}\n'),
]


@pytest.mark.parametrize(("request_", "line"), REQUESTS)
def test_requests_both_ways(request_, line):
    assert encode(request_) == line
    assert decode_request(line) == request_


@pytest.mark.parametrize(
    "answer",
    [
        messages.Done(message="x"),
        messages.Refused(message="x"),
        messages.Status(pid=1, host_version="0", name="n", uptime_s=1.5),
        messages.PendingList(attempts=(messages.PendingAttempt(attempt="1", name="n", address="a", waited_s=1.0),)),
        messages.DeviceList(devices=(messages.DeviceInfo(device="1", name="n", fingerprint="f"),)),
        messages.SessionList(sessions=(messages.SessionInfo(session="1", device="d", app="a", state="live"),)),
    ],
)
def test_answers_both_ways(answer):
    assert decode_answer(encode(answer)) == answer


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\n",
        b"[]",
        b"{}",
        b'{"request":"format-disk","version":1}',
        b'{"request":"status","version":2}',
        b'{"request":"status","version":1,"more":1}',
        b'{"request":"submit-pin","version":1,"pin":""}',
        b'{"request":"submit-pin","version":1,"pin":"' + b"1" * 65 + b'"}',
        b'{"request":"submit-pin","version":1,"pin":1234}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(line):
    with pytest.raises(MessageError):
        decode_request(line)


def test_mutated_requests_never_raise_anything_else():
    dice = random.Random(7)
    for _ in range(5_000):
        line = bytearray(dice.choice(REQUESTS)[1])
        for _ in range(dice.randint(1, 4)):
            line[dice.randrange(len(line))] = dice.randrange(256)
        try:
            decode_request(bytes(line))
        except MessageError:
            continue
