import pytest
from tests.conformance.moonlight import fec


def test_field_tables(vectors):
    field = vectors["gf256"]
    assert fec.EXP[:32].tobytes().hex() == field["exp_0_to_31"]
    for case in field["mul"]:
        assert fec.PRODUCT[case["a"], case["b"]] == case["product"]
    for case in field["inverse"]:
        assert fec.INVERSE[case["a"]] == case["inv"]


def test_video_known_answers(vectors):
    for case in vectors["reed_solomon_video"]["cases"]:
        rows = fec.video_rows(case["k"], case["m"])
        shown = rows if len(case["coefficient_rows"]) == case["m"] else rows[[0, -1]]
        assert [row.tobytes().hex() for row in shown] == case["coefficient_rows"]
        data = [bytes.fromhex(shard) for shard in case["data"]]
        assert [parity.hex() for parity in fec.encode(rows, data)] == case["parity"]


def test_audio_known_answers(vectors):
    for case in vectors["reed_solomon_audio"]["cases"]:
        data = [bytes.fromhex(shard) for shard in case["data"]]
        assert [parity.hex() for parity in fec.encode(fec.AUDIO_ROWS, data)] == case["parity"]


@pytest.mark.parametrize("lost", [[0, 1, 2, 3], [9], [2, 5], [0, 9]])
def test_any_loss_within_the_parity_comes_back(lost):
    rows = fec.video_rows(10, 4)
    data = [bytes((7 * i + j) & 255 for j in range(33)) for i in range(10)]
    parity = dict(list(enumerate(fec.encode(rows, data)))[4 - len(lost) :])
    kept = {index: shard for index, shard in enumerate(data) if index not in lost}
    assert fec.recover(rows, kept, parity) == {index: data[index] for index in lost}


def test_audio_recovers_every_pair():
    data = [bytes([i] * 8) for i in range(4)]
    parity = dict(enumerate(fec.encode(fec.AUDIO_ROWS, data)))
    for first in range(4):
        for second in range(first):
            kept = {index: shard for index, shard in enumerate(data) if index not in (first, second)}
            assert fec.recover(fec.AUDIO_ROWS, kept, parity) == {first: data[first], second: data[second]}


def test_too_much_loss_is_an_error():
    rows = fec.video_rows(3, 1)
    with pytest.raises(ValueError, match="2 data shards missing"):
        fec.recover(rows, {0: b"a"}, {0: b"b"})


def test_no_code_beyond_255_shards():
    with pytest.raises(ValueError, match="no code"):
        fec.video_rows(200, 56)
