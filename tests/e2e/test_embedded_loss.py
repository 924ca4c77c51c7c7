"""Packet loss on a streamed desktop: parity rebuilds what it covers, reference invalidation mends the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.conformance.moonlight.impair import Impairment
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import desktop, needs_desktop, shows_terminal, type_command
from tests.e2e.host_process import HostProcess, running_host
from tests.e2e.moonlight_tools import paired_client

pytestmark = [pytest.mark.e2e, needs_desktop]

LOSSY = StreamOptions(width=1280, height=720, fps=60, bitrate_kbps=10_000, rfi=True, fec_proof_every=1)
"""With every block proved: the client drops as many shards as parity covers, rebuilds them and compares the bytes."""
BUSY = "while :; do head -c 3000 /dev/urandom | base64; sleep .01; done"
TIMING = ("timing.",)
STREAM_S = 8.0
MAX_STALL_S = 0.5


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("host"), "--display", "embedded") as running:
        yield running


@pytest.mark.parametrize(
    "impairment",
    [
        Impairment(seed=1, loss=0.05, flows=frozenset({"video"})),
        Impairment(seed=2, loss=0.004, burst=20, flows=frozenset({"video"})),
        Impairment(seed=3, loss=0.02, burst=3, reorder=0.02, duplicate=0.02, flows=frozenset({"video"})),
    ],
    ids=["5 % random", "bursts of 20", "mixed"],
)
async def test_losses_are_mended_without_a_keyframe(host: HostProcess, impairment: Impairment) -> None:
    async with paired_client(host) as client, desktop(client, LOSSY) as (stream, screen):
        await screen.until(shows_terminal)
        await type_command(stream, BUSY)
        stream.impair(impairment)
        shown = screen.pictures
        await asyncio.sleep(STREAM_S)
        statistics = stream.statistics()
        stream.impair(None)
        assert statistics.shards_recovered > 0 or impairment.burst > 10
        # Parity leaves of scattered losses one frame of thousands; bursts are beyond it.
        assert (
            statistics.rfi_requests > 0 if impairment.burst > 1 else statistics.frames_lost <= statistics.rfi_requests
        )
        assert statistics.idr_requests == 0
        assert statistics.idrs_wire == 1
        assert statistics.longest_stall_s < MAX_STALL_S
        assert statistics.blocks_proved > 0.8 * statistics.frames_wire
        assert screen.pictures - shown > STREAM_S * LOSSY.fps * 0.4
    assert not client.violations.excluding(*TIMING), client.violations


async def test_a_loss_deeper_than_the_references_costs_one_keyframe(host: HostProcess) -> None:
    """All packets of a quarter of a second: what is left to predict from is gone, too."""
    async with paired_client(host) as client, desktop(client, LOSSY) as (stream, screen):
        await screen.until(shows_terminal)
        await type_command(stream, BUSY)
        stream.impair(Impairment(loss=1.0, flows=frozenset({"video"})))
        await asyncio.sleep(0.25)
        stream.impair(None)
        await asyncio.sleep(1.0)
        statistics = stream.statistics()
        assert statistics.idrs_wire <= 2
        assert statistics.longest_stall_s < 0.25 + MAX_STALL_S
    assert not client.violations.excluding(*TIMING), client.violations


async def test_a_client_without_invalidation_gets_one_keyframe_a_loss(host: HostProcess) -> None:
    options = StreamOptions(rfi=False)
    async with paired_client(host) as client, desktop(client, options) as (stream, screen):
        await screen.until(shows_terminal)
        await type_command(stream, BUSY)
        for _ in range(4):
            await asyncio.sleep(0.5)
            stream.impair(Impairment(loss=1.0, flows=frozenset({"video"})))
            await asyncio.sleep(0.05)
            stream.impair(None)
        await asyncio.sleep(0.5)
        statistics = stream.statistics()
        assert statistics.idr_requests >= 1
        assert 1 < statistics.idrs_wire <= 1 + 2 * statistics.idr_requests
        assert statistics.longest_stall_s < MAX_STALL_S
    assert not client.violations.excluding(*TIMING), client.violations
