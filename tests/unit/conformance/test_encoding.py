"""The tests' own streams leave the process that makes them as it was."""

import os

import pytest
from tests.conformance.moonlight.options import Codec
from tests.unit.conformance.encoding import access_units


@pytest.mark.parametrize("codec", list(Codec))
def test_an_encoder_leaves_the_priority_alone(codec: Codec) -> None:
    before = os.sched_getscheduler(0)
    access_units.__wrapped__(codec)
    assert os.sched_getscheduler(0) == before == os.SCHED_OTHER
