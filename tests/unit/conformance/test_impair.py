from tests.conformance.moonlight.impair import Impairer, Impairment


def run(impairment, flow="video", count=2000):
    impairer = Impairer(flow, impairment)
    out = [packet for at in range(count) for packet in impairer.feed(at)]
    return out + impairer.flush(), impairer.fate


def test_same_seed_same_fate():
    how = Impairment(seed=7, loss=0.05, burst=3, reorder=0.02, duplicate=0.02)
    assert run(how) == run(how)
    assert run(how)[0] != run(Impairment(seed=8, loss=0.05, burst=3, reorder=0.02, duplicate=0.02))[0]


def test_nothing_happens_without_impairment():
    assert run(None)[0] == list(range(2000))
    assert run(Impairment(loss=1), "control-in")[0] == list(range(2000))


def test_bursts():
    out, fate = run(Impairment(seed=1, loss=0.01, burst=5))
    assert fate.lost + len(out) == 2000
    assert fate.lost % 5 == 0
    assert fate.lost > 20


def test_clean_start_and_chosen_packets():
    out, _ = run(Impairment(loss=1, clean_first=10))
    assert out == list(range(10))
    out, _ = run(Impairment(drop=lambda flow, packet: packet == 3))
    assert out == [n for n in range(2000) if n != 3]


def test_reordered_packets_are_late_but_not_lost():
    out, fate = run(Impairment(seed=3, reorder=0.1, reorder_distance=4))
    assert sorted(out) == list(range(2000))
    assert out != sorted(out)
    assert fate.reordered > 100


def test_duplicates():
    out, fate = run(Impairment(seed=3, duplicate=0.1))
    assert len(out) == 2000 + fate.duplicated
