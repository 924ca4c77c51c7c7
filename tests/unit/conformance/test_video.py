import hashlib

import pytest
from tests.conformance.moonlight.shard import ShardParser, parity_count
from tests.conformance.moonlight.video import FrameAssembler, LostFrames, RawFrame
from tests.conformance.moonlight.video_audit import VideoAudit
from tests.unit.conformance.sending import VideoSender


def audit_of(violations, proof_every=1):
    return VideoAudit(violations, min_parity=2, proof_every=proof_every)


def parsed(datagrams, violations, packet_size=64, key=None):
    parser = ShardParser(packet_size, key, violations)
    return [parser.parse(datagram) for datagram in datagrams]


def unit(length, seed=1):
    return bytes([0, 0, 1, 0x41]) + bytes((i * seed) % 255 | 1 for i in range(length - 4))


def test_captured_frames_pass_the_audit_and_come_out_whole(vectors, violations):
    audit, assembler = audit_of(violations), FrameAssembler(violations)
    for case in vectors["video_frames"]["frames"]:
        events = []
        for shard in parsed(map(bytes.fromhex, case["datagrams"]), violations, case["packet_size"]):
            audit.on_shard(shard, 0)
            events += assembler.on_shard(shard, 0)
        (frame,) = events
        assert frame.payload[:8].hex() == case["frame_header"]
        assert frame.payload[8:].rstrip(b"\0") == bytes.fromhex(case["access_unit"]).rstrip(b"\0")
    assert str(violations) == "no violations"
    assert audit.blocks_proved == 3


@pytest.mark.parametrize("lost", [(0, 1), (2,), (1, 3), (0, 2), (3, 4)])
def test_captured_frame_survives_losses(vectors, violations, lost):
    case = vectors["video_frames"]["frames"][0]
    shards = parsed(map(bytes.fromhex, case["datagrams"]), violations)
    assembler = FrameAssembler(violations)
    events = [event for at, s in enumerate(shards) if at not in lost for event in assembler.on_shard(s, 0)]
    (frame,) = events
    assert frame.payload[8:].startswith(bytes.fromhex(case["access_unit"]))
    assert frame.recovered == bool(set(lost) & {0, 1, 2})
    assert not violations


def test_two_blocks_like_the_captured_ones(vectors, violations):
    case = vectors["video_two_blocks"]
    data = bytes([0, 0, 0, 1, 0x41])
    data += bytes(((i * 7 + 16) & 255) | 1 for i in range(case["access_unit_length"] - len(data)))
    assert hashlib.sha256(data).hexdigest() == case["access_unit_sha256"]
    sender = VideoSender(seq=case["first_seq"], frame=case["frame_index"] - 1)
    datagrams = sender.send(data, 1, case["rtp_timestamp"])
    assert hashlib.sha256(b"".join(datagrams)).hexdigest() == case["all_datagrams_sha256"]
    for at, header in case["headers_of"].items():
        assert datagrams[int(at)][:32].hex() == header
    audit, assembler = audit_of(violations), FrameAssembler(violations)
    assembler._frame = 9
    events = []
    for at, shard in enumerate(parsed(datagrams, violations)):
        audit.on_shard(shard, 0)
        if at not in range(22) and at not in range(200, 222):
            events += assembler.on_shard(shard, 0)
    (frame,) = events
    assert frame.payload[8 : 8 + len(data)] == data
    assert assembler.shards_recovered == 44
    assert set(violations.counts) == {"video.first-sequence", "video.first-frame", "video.first-frame-type"}


def test_encrypted_shard(vectors, violations):
    case = vectors["video_encrypted_shard"]
    parser = ShardParser(64, bytes.fromhex(case["key"]), violations)
    datagram = bytes.fromhex(case["datagram"])
    assert parser.parse(datagram).raw.hex() == case["plain_shard"]
    assert not violations
    parser.parse(datagram)
    assert set(violations.counts) == {"video.nonce-reused"}
    assert parser.parse(datagram[:-1] + b"\0") is None
    assert "video.tag" in violations.counts


def test_field_packing(vectors, violations):
    for case in vectors["fec_info_packing"]:
        raw = bytes([0x90]) + bytes(27) + bytes.fromhex(case["bytes"]) + bytes(48)
        shard = ShardParser(64, None, violations)._parse_plain(raw)
        if shard is not None:
            assert (shard.position, shard.data_shards, shard.percentage) == (
                case["shard_index"],
                case["data_shards"],
                case["percentage"],
            )


def test_parity_count():
    assert [parity_count(d, p) for d, p in [(1, 200), (2, 100), (3, 66), (5, 40), (6, 20), (212, 20)]] == [
        2, 2, 2, 2, 2, 43,
    ]  # fmt: skip


def test_generated_stream_is_clean(violations):
    sender, audit = VideoSender(), audit_of(violations)
    for number in range(200):
        datagrams = sender.send(unit(40 + number * 60, 3), 2 if number == 0 else 1, number * 1500)
        for shard in parsed(datagrams, violations):
            audit.on_shard(shard, number / 60)
    audit.finish()
    assert str(violations) == "no violations"
    assert audit.frames == 200
    assert audit.blocks_proved >= 200


def _byte(at, value):
    return lambda raw: raw[:at] + bytes([value]) + raw[at + 1 :]


@pytest.mark.parametrize(
    ("at", "spoil", "rule"),
    [
        (0, _byte(0, 0x80), "video.rtp-header"),
        (0, _byte(15, 1), "video.rtp-header"),
        (0, lambda raw: raw + b"\0", "video.size"),
        (1, _byte(24, 5), "video.flags"),
        (1, _byte(16, 1), "video.stream-index-low-byte"),
        (1, _byte(17, 9), "video.stream-index"),
        (1, _byte(25, 2), "video.extra-flags"),
        (1, _byte(26, 0), "video.multi-fec-flags"),
        (1, _byte(27, 0x01), "video.fec-header"),
        (1, _byte(4, 9), "video.frame-fields"),
        (0, _byte(32, 0x81), "video.frame-header"),
        (0, _byte(35, 3), "video.frame-header"),
        (0, _byte(35, 1), "video.first-frame-type"),
        (0, _byte(36, 200), "video.last-payload-length"),
        (2, _byte(79, 7), "video.padding"),
        (3, _byte(50, 7), "video.parity"),
    ],
)
def test_spoilt_datagrams_are_noticed(vectors, violations, at, spoil, rule):
    datagrams = [bytes.fromhex(raw) for raw in vectors["video_frames"]["frames"][0]["datagrams"]]
    datagrams[at] = spoil(datagrams[at])
    if at == 3:
        del datagrams[4]
        datagrams.append(bytes.fromhex(vectors["video_frames"]["frames"][0]["datagrams"][4]))
    audit = audit_of(violations)
    for _ in range(1):
        for shard in parsed(datagrams, violations):
            if shard is not None:
                audit.on_shard(shard, 0)
    assert rule in violations.counts


def test_numbering_breaches(violations):
    sender, audit = VideoSender(), audit_of(violations)
    frames = [sender.send(unit(30), 2 if number == 0 else 1, 3000) for number in range(3)]
    sender.frame += 1
    frames.append(sender.send(unit(30), 1, 9000))
    for datagrams in [frames[0], frames[1][:1], frames[2], frames[3]]:
        for shard in parsed(datagrams, violations):
            audit.on_shard(shard, 0)
    assert {"video.sequence-gap", "video.frame-number", "video.timestamp"} <= set(violations.counts)


def test_loss_beyond_parity_is_reported_with_the_next_frame(violations):
    sender, assembler = VideoSender(), FrameAssembler(violations)
    first, second, third = (parsed(sender.send(unit(400), 1, n * 1500), violations) for n in range(3))
    events = [event for shard in first + second[4:] + third for event in assembler.on_shard(shard, 0)]
    assert [type(event) for event in events] == [RawFrame, LostFrames, RawFrame]
    assert events[1] == LostFrames(2, 2)
    (status,) = assembler.statuses
    assert (status.frame_index, status.received_data + status.received_parity) == (2, len(second) - 4)
    assert not violations


def test_whole_frames_missing(violations):
    sender, assembler = VideoSender(), FrameAssembler(violations)
    frames = [parsed(sender.send(unit(100), 1, n * 1500), violations) for n in range(5)]
    events = [event for shard in frames[0] + frames[4] for event in assembler.on_shard(shard, 0)]
    assert events[1] == LostFrames(2, 4)
    assert events[2].frame == 5


def test_speculative_loss_is_known_before_the_frame_is_over(violations):
    sender = VideoSender()
    assembler = FrameAssembler(violations, speculative=True)
    shards = parsed(sender.send(unit(400), 1, 0), violations)
    events = [event for shard in shards[:1] + shards[4:5] for event in assembler.on_shard(shard, 0)]
    assert events == [LostFrames(1, 1)]


def test_reordering_and_duplicates_do_no_harm(violations):
    sender, assembler = VideoSender(), FrameAssembler(violations)
    shards = parsed(sender.send(unit(400), 1, 0), violations)
    mixed = [shard for pair in zip(shards[1::2], shards[::2], strict=False) for shard in (*pair, pair[0])]
    events = [event for shard in mixed for event in assembler.on_shard(shard, 0)]
    assert [type(event) for event in events] == [RawFrame]
    assert events[0].payload[8:408] == unit(400)
    assert not violations


def test_frame_with_its_first_block_lost(violations):
    sender, assembler = VideoSender(), FrameAssembler(violations)
    shards = parsed(sender.send(unit(10205), 1, 0), violations)
    second_block = [shard for shard in shards if shard.block == 1]
    events = [event for shard in second_block for event in assembler.on_shard(shard, 0)]
    assert events == [LostFrames(1, 1)]
    assert assembler.late_shards == 105
