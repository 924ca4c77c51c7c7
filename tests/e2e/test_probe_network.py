"""A real host and client over bad networks: the quick part of ``network_cases``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.host_process import HostProcess
from tests.e2e.network_cases import CASES, MAX_BITRATE_KBPS, noisy_host, run_case

from punktfunk.client.abr import FLOOR_KBPS
from punktfunk.client.identity import ClientIdentity, new_identity

pytestmark = pytest.mark.e2e

SECONDS = 6.0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with noisy_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture(scope="module")
def identity() -> ClientIdentity:
    return new_identity()


async def test_losses_are_repaired_or_recovered_from(host: HostProcess, identity: ClientIdentity) -> None:
    result = await run_case(host, CASES["loss 2 %"], SECONDS, identity)
    assert 0.5 < result.loss_percent < 4
    assert result.shown_share > 0.9
    assert result.fec_percent >= 3


async def test_parity_without_the_native_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identity: ClientIdentity
) -> None:
    (tmp_path / "reed_solomon_leopard.py").write_text("raise ImportError('not built for this Python')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with noisy_host(tmp_path) as host:
        assert "numpy computes the same code" in host.command("doctor", "--json", check=False).stdout
        result = await run_case(host, CASES["loss 2 %"], SECONDS, identity)
    assert 0.5 < result.loss_percent < 4
    assert result.shown_share > 0.9


async def test_a_burst_does_not_end_the_stream(host: HostProcess, identity: ClientIdentity) -> None:
    result = await run_case(host, replace(CASES["bursts of 50 ms each 3 s"], burst_every_s=1.5), SECONDS, identity)
    assert result.shown_share > 0.8
    assert result.longest_gap_ms < 1500


async def test_the_bitrate_fits_a_bottleneck(host: HostProcess, identity: ClientIdentity) -> None:
    result = await run_case(host, CASES["bottleneck 10 Mbit/s"], SECONDS, identity)
    assert FLOOR_KBPS <= result.bitrate_kbps < 10_500 < MAX_BITRATE_KBPS
    assert result.shown_share > 0.95


async def test_a_path_that_swallows_large_packets_without_a_word(host: HostProcess, identity: ClientIdentity) -> None:
    result = await run_case(host, CASES["MTU 1280"], SECONDS, identity)
    assert result.lost_frames == 0
    assert result.shown_share > 0.95
