"""The paths on which the bitrate controller is judged."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.unit.client.link_model import Scenario

MBIT = 1000.0


def steps(*changes: tuple[float, float]) -> Callable[[float], float]:
    """Piecewise constant: (from second, Mbit/s)."""
    return lambda t: next(rate for start, rate in reversed(changes) if t >= start) * MBIT


def steady(rate: float) -> Callable[[float], float]:
    return lambda t: rate * MBIT


def bursts(seed: int, every_s: float, share: float) -> Callable[[float], float]:
    """Fifth-of-a-second fades, about one each ``every_s``."""
    rng = random.Random(seed)
    starts = [at + rng.random() * every_s / 2 for at in (i * every_s for i in range(1, 60))]
    return lambda t: share if any(start <= t < start + 0.2 for start in starts) else 0.0


def flat(share: float) -> Callable[[float], float]:
    return lambda t: share


def fading(seed: int, low: float, high: float) -> Callable[[float], float]:
    """A rate that changes every two seconds, like a phone that is carried about."""
    rng = random.Random(seed)
    rates = [rng.uniform(low, high) for _ in range(60)]
    return lambda t: rates[min(59, int(t / 2))] * MBIT


def desktop(t: float) -> float:
    """Twenty seconds of a still desktop in the middle."""
    return 0.05 if 20 <= t < 40 else 1.0


SCENARIOS = [
    *(Scenario(f"steady {rate} Mbit/s", steady(rate)) for rate in (25, 30, 50, 100, 200, 500, 1000, 2500)),
    *(Scenario(f"steady {rate} Mbit/s, start above", steady(rate), start_kbps=20_000) for rate in (8, 12, 16, 20)),
    *(Scenario(f"steady 100 Mbit/s, rtt {rtt} ms", steady(100), rtt_ms=rtt) for rtt in (20, 80)),
    *(Scenario(f"steady 50 Mbit/s, queue {q} ms", steady(50), queue_ms=q) for q in (10, 30, 500)),
    *(
        Scenario(f"step down {a} to {b}", steps((0, a), (25, b)))
        for a, b in ((1000, 300), (100, 50), (100, 20), (50, 35))
    ),
    *(Scenario(f"step up {a} to {b}", steps((0, a), (20, b))) for a, b in ((30, 60), (100, 200))),
    Scenario("dip of three seconds", steps((0, 100), (25, 40), (28, 100))),
    Scenario("two dips", steps((0, 100), (20, 50), (25, 100), (35, 50), (40, 100))),
    *(Scenario(f"bufferbloat {q} ms, {r} Mbit/s", steady(r), queue_ms=q) for q in (1000, 2000) for r in (15, 40)),
    Scenario("bufferbloat, step down", steps((0, 60), (25, 30)), queue_ms=1500),
    *(Scenario(f"random loss {p} %", steady(100), loss=flat(p / 100)) for p in (0.5, 1, 3, 5, 10)),
    *(
        Scenario(f"Wi-Fi bursts each {every} s, {int(share * 100)} %", steady(200), loss=bursts(every, every, share))
        for every in (3, 10)
        for share in (0.2, 0.6)
    ),
    Scenario("Wi-Fi that fades 60 to 120", fading(4, 60, 120)),
    Scenario("Wi-Fi that fades 30 to 200", fading(5, 30, 200)),
    *(Scenario(f"two flows on {rate} Mbit/s", steady(rate), flows=2, seconds=120) for rate in (100, 1000)),
    Scenario("host declines the probe", steady(1000), probe=False),
    *(
        Scenario(f"host declines the probe, {rate} Mbit/s, queue {q} ms", steady(rate), queue_ms=q, probe=False)
        for rate in (7, 10, 18)
        for q in (60, 150)
    ),
    *(
        Scenario(f"host declines the probe, {rate} Mbit/s that are full", steady(rate), probe=False, full=True)
        for rate in (8, 12, 16, 20)
    ),
    Scenario("host declines the probe, loss 5 %", steady(100), loss=flat(0.05), probe=False),
    Scenario("host declines the probe, dip", steps((0, 100), (25, 10), (28, 100)), probe=False),
    Scenario("host never answers", steady(1000), answers=False),
    Scenario("encoder stops at 60 Mbit/s", steady(1000), encoder_max_kbps=60_000),
    Scenario("decoder stops at 150 Mbit/s", steady(1000), decode_limit_kbps=150_000),
    Scenario("still desktop in between", steady(100), content=desktop),
]
