"""Random ANNOUNCE bodies: a typed request within its bounds, or one error."""

from __future__ import annotations

import json
import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from punktfunk.gamestream.sdp import ATTRIBUTES, SdpError, StreamRequest, parse_announce

VECTORS = json.loads((Path(__file__).parents[1] / "wire" / "vectors" / "gamestream.json").read_text())
BODY = VECTORS["announce_captured"]["text"].partition("\r\n\r\n")[2]


def parsed(body: str) -> StreamRequest | None:
    try:
        request = parse_announce(body)
    except SdpError:
        return None
    for field, attribute in ATTRIBUTES.items():
        value = getattr(request, field)
        assert attribute.low <= value <= attribute.high
        assert value % attribute.step == 0
    return request


def test_mutated_bodies() -> None:
    rng = random.Random(4)
    accepted = 0
    for _ in range(3000):
        lines = BODY.split("\r\n")
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(lines))
            name = lines[at].partition(":")[0]
            values = ["0", "-1", "1", "9" * 9, "9" * 30, "0x1", "", " ", "\x1f1", "2147483648", rng.randbytes(3).hex()]
            lines[at] = rng.choice([f"{name}:{rng.choice(values)} ", lines[at][::-1], lines[at] * 2, ""])
        accepted += parsed("\r\n".join(lines)) is not None
    assert 0 < accepted < 3000


@given(st.text())
def test_random_text_is_refused(body: str) -> None:
    assert parsed(body) is None


@given(
    st.dictionaries(st.sampled_from(sorted(a.name for a in ATTRIBUTES.values())), st.integers() | st.text(max_size=9))
)
def test_random_values(values: dict[str, object]) -> None:
    parsed("".join(f"a={name}:{value} \r\n" for name, value in values.items()) + BODY)
