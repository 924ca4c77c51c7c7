"""A punktfunk client that holds a key until somebody kills it.

``python -m tests.e2e.native_holder PORT IDENTITY FOLDER`` starts a program in the desktop's terminal that notes
every byte that it reads, presses A, and says so on its output.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.e2e.native_tools import ADDRESS, pictures

from punktfunk.client.identity import load_identity
from punktfunk.client.session import Options, connect

ENTER = 0x0D
READY_S = 15.0


async def hold(port: int, identity: Path, folder: Path) -> None:
    async with connect(ADDRESS, load_identity(identity), Options(bitrate_kbps=10_000), port=port) as live:
        await pictures(live, 10, 20)
        keys = folder / "keys"
        async with asyncio.timeout(READY_S):
            while not keys.exists():  # the terminal may not be up yet
                line = f"python3 {folder}/reader.py {keys}"
                for start in range(0, len(line), 8):
                    live.input.text(line[start : start + 8])
                    await asyncio.sleep(0.05)
                live.input.key(ENTER, True)
                live.input.key(ENTER, False)
                await asyncio.sleep(1.0)
        live.input.key(ord("A"), True)
        print("holding", flush=True)
        await pictures(live, 1_000_000, 60)


if __name__ == "__main__":
    asyncio.run(hold(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])))
