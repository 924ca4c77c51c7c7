"""The routes of the management API, one file per subject."""

from punktfunk.mgmt.routes import (
    auth,
    console,
    devices,
    diagnosis,
    events,
    gamestream_pairing,
    host,
    library,
    native_pairing,
    operation,
    play,
    sessions,
    settings,
    statistics,
)

ALL_ROUTES = (
    host.routes,
    operation.routes,
    auth.routes,
    devices.routes,
    gamestream_pairing.routes,
    native_pairing.routes,
    library.routes,
    sessions.routes,
    settings.routes,
    diagnosis.routes,
    statistics.routes,
    events.routes,
    play.routes,
    console.routes,
)

__all__ = ["ALL_ROUTES"]
