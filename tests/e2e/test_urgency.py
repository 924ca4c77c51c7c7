"""Who goes before whom: the host and its workers before ordinary programs, those of a desktop not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conformance.moonlight.options import StreamOptions
from tests.e2e.desktop_tools import needs_desktop
from tests.e2e.host_process import running_host
from tests.e2e.moonlight_tools import desktop_id, paired_client

from punktfunk.session.urgency import NICENESS

pytestmark = pytest.mark.e2e


def niceness_of(pids: set[int]) -> dict[str, set[int]]:
    """By a word of the command line."""
    found: dict[str, set[int]] = {}
    for pid in pids:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        for word in ("punktfunk.gamestream.worker", "cli.main serve", "sway", "pipewire"):
            if word in command:
                found.setdefault(word, set()).add(os.getpriority(os.PRIO_PROCESS, pid))
    return found


@needs_desktop
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may go before others")
async def test_host_and_workers_go_first_and_the_desktops_programs_do_not(tmp_path: Path) -> None:
    with running_host(tmp_path / "host", "--display", "embedded") as host:
        assert host.process is not None
        async with paired_client(host) as client:
            stream = await client.launch(await desktop_id(client), StreamOptions())
            await stream.wait_for_frames(5)
            niceness = niceness_of({*host.descendants(), host.process.pid})
            await stream.close()
            await client.cancel()
    assert niceness["punktfunk.gamestream.worker"] == niceness["cli.main serve"] == {NICENESS}
    assert niceness["sway"] == niceness["pipewire"] == {0}
