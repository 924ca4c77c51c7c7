import pytest
from tests.conformance.moonlight.audio import AudioAudit, AudioCipher, AudioQueue, opus_frame_samples, parse
from tests.unit.conformance.sending import AudioSender

OPUS = bytes([0xE8]) + bytes(range(39))
"""A CELT packet header of 5 ms and filler."""


def flow(violations, blocks, start=0):
    sender = AudioSender(seq=start)
    datagrams = [raw for n in range(blocks) for raw in sender.block([OPUS[:-1] + bytes([n]) for _ in range(4)])]
    return [parse(raw, violations) for raw in datagrams]


def test_captured_block(vectors, violations):
    case = vectors["audio_block"]
    cipher = AudioCipher(bytes.fromhex(case["key"]), int(case["rikeyid_text"]))
    audit, queue = AudioAudit(5, cipher, violations), AudioQueue(5, cipher, violations, 0)
    audit._next = (8, 40)
    opus = []
    for raw in [packet["datagram"] for packet in case["data_packets"]] + case["fec_packets"]:
        datagram = parse(bytes.fromhex(raw), violations)
        audit.on_datagram(datagram)
        opus += [packet.opus.hex() for packet in queue.on_datagram(datagram, 0)]
    for packet in case["data_packets"]:
        assert cipher.iv(packet["seq"]).hex() == packet["iv"]
    assert opus == [packet["opus_packet"] for packet in case["data_packets"]]
    assert audit.blocks_proved == 2
    # The captured payloads are filler, so their table-of-contents byte means nothing.
    assert set(violations.counts) == {"audio.duration"}


@pytest.mark.parametrize("lost", [(0,), (3,), (0, 1), (1, 2), (2, 3)])
def test_captured_block_recovers(vectors, violations, lost):
    case = vectors["audio_block"]
    cipher = AudioCipher(bytes.fromhex(case["key"]), int(case["rikeyid_text"]))
    queue = AudioQueue(5, cipher, violations, 0)
    queue._next = 8
    raws = [packet["datagram"] for packet in case["data_packets"]] + case["fec_packets"]
    packets = []
    for at, raw in enumerate(raws):
        if at not in lost:
            packets += queue.on_datagram(parse(bytes.fromhex(raw), violations), at * 0.005)
    assert [packet.opus.hex() for packet in packets] == [packet["opus_packet"] for packet in case["data_packets"]]
    assert [packet.timestamp_ms for packet in packets] == [40, 45, 50, 55]
    assert [packet.recovered for packet in packets] == [index in lost for index in range(4)]
    assert not violations


def test_rikeyid_seeds(vectors):
    for case in vectors["rikeyid"]:
        assert AudioCipher(bytes(16), int(case["rikeyid_text"])).iv(0).hex() == case["iv"]


def test_clean_flow_across_the_sequence_wrap(violations):
    audit, queue = AudioAudit(5, None, violations), AudioQueue(5, None, violations, 0)
    audit._next, queue._next = (65528, 65528 * 5), 65528
    delivered = []
    for datagram in flow(violations, 4, start=65528):
        audit.on_datagram(datagram)
        delivered += queue.on_datagram(datagram, 0)
    assert [packet.seq for packet in delivered] == [(65528 + n) & 0xFFFF for n in range(16)]
    assert str(violations) == "no violations"


def test_burst_beyond_parity_is_concealed(violations):
    queue = AudioQueue(5, None, violations, 0)
    delivered = []
    for at, datagram in enumerate(flow(violations, 8)):
        if datagram.shard is not None or datagram.seq not in (4, 5, 6):
            delivered += queue.on_datagram(datagram, at * 0.005)
    assert [packet.seq for packet in delivered] == list(range(32))
    assert [packet.seq for packet in delivered if packet.opus is None] == [4, 5, 6]


def test_start_is_discarded_up_to_a_block(violations):
    queue = AudioQueue(5, None, violations, 0.5)
    delivered = [packet for datagram in flow(violations, 30) for packet in queue.on_datagram(datagram, 0)]
    assert delivered[0].seq == 100


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda d: d.__setitem__(1, d[1]._replace(timestamp=6)), "audio.sequence"),
        (lambda d: d.__setitem__(4, d[4]._replace(payload=bytes(40))), "audio.parity"),
        (lambda d: d.__setitem__(4, d[4]._replace(payload=bytes(39))), "audio.block-sizes"),
        (lambda d: d.__setitem__(4, d[4]._replace(timestamp=9)), "audio.fec-timestamp"),
        (lambda d: d.pop(4), "audio.parity-order"),
        (lambda d: d.pop(5), "audio.parity-missing"),
        (lambda d: d.__setitem__(2, d[2]._replace(payload=bytes([0x18]) + bytes(39))), "audio.duration"),
        (lambda d: d.pop(0), "audio.first-packet"),
    ],
)
def test_breaches(violations, change, rule):
    datagrams = flow(violations, 2)
    change(datagrams)
    audit = AudioAudit(5, None, violations)
    for datagram in datagrams:
        audit.on_datagram(datagram)
    assert rule in violations.counts


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (bytes(5), "audio.size"),
        (bytes(1500), "audio.size"),
        (bytes([0x80, 96]) + bytes(20), "audio.rtp-header"),
        (bytes([0x80, 127]) + bytes(30), "audio.fec-header"),
        (bytes([0x80, 127]) + bytes(10) + bytes([0, 97, 0, 3]) + bytes(30), "audio.fec-base"),
    ],
)
def test_bad_datagrams(violations, raw, rule):
    assert parse(raw, violations) is None
    assert set(violations.counts) == {rule}


def test_opus_durations():
    assert [opus_frame_samples(toc << 3) for toc in (0, 12, 16, 17, 18, 29, 31)] == [480, 480, 120, 240, 480, 240, 960]
