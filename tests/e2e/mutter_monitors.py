"""``python -m tests.e2e.mutter_monitors ADDRESS``: mutter's monitors as JSON; fails where there is no mutter."""

from __future__ import annotations

import json
import sys

from punktfunk.media.portal.mutter_monitors import Monitors
from punktfunk.media.portal.session_bus import BusError, SessionBus


def main() -> int:
    try:
        found = Monitors.read(SessionBus(sys.argv[1]))
    except BusError as error:
        print(error, file=sys.stderr)
        return 1
    sizes = {connector: [width, height] for connector, (_, width, height) in found.modes.items()}
    print(json.dumps({"sizes": sizes, "virtual": sorted(found.virtual), "primary": found.primary()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
