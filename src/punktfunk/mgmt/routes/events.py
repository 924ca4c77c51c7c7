"""Server-sent events: what changes, as it changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Query
from fastapi.responses import StreamingResponse

from punktfunk.mgmt.access import Principal, Rule
from punktfunk.mgmt.context import Caller, Context
from punktfunk.mgmt.errors import unavailable
from punktfunk.mgmt.events import TooManyListeners, to_wire
from punktfunk.mgmt.guarded import API, Routes
from punktfunk.mgmt.management import Management

routes = Routes("events")
CHECK_INTERVAL_S = 1.0
"""How soon an event stream ends after its caller was signed out."""
COMMENT_EVERY = 15
"""After so many quiet intervals a comment shows proxies and browsers that the stream lives."""
_STREAM = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events."}}
EventId = Annotated[str, Query(max_length=64, pattern=r"^[0-9a-f]{8}-[0-9]{1,15}$")]


@routes.get(f"{API}/events", Rule.READ, errors=(503,), response_class=StreamingResponse, answers=_STREAM)
async def events(
    m: Context,
    caller: Caller,
    since: EventId | None = None,
    kinds: Annotated[str, Query(max_length=256, pattern=r"^[a-z,]*$")] = "",
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> StreamingResponse:
    """Changes of sessions, statistics, pairing, devices, library, settings, recordings, the doctor and the logs.

    ``kinds`` chooses some, separated by commas. A stream continues after Last-Event-ID (or ``since``); an event of
    kind ``reset`` says that events were missed and the state is to be read anew.
    """
    if m.events.full:
        raise unavailable("too many programs listen to events already")
    chosen = frozenset(filter(None, kinds.split(",")))
    return StreamingResponse(_stream(m, caller, last_event_id or since or "", chosen), media_type="text/event-stream")


async def _stream(m: Management, caller: Principal, after: str, kinds: frozenset[str]) -> AsyncIterator[bytes]:
    """Listens from its first step to its last: a response that never starts holds no listener."""
    try:
        listener = m.events.listen(after=after, kinds=kinds)
    except TooManyListeners:
        return
    quiet = 0
    try:
        yield b"retry: 2000\n\n"
        while m.gate.still_good(caller, m.wall_clock()):
            event = await listener.next(CHECK_INTERVAL_S)
            if event is not None:
                quiet = 0
                yield to_wire(event)
                continue
            quiet += 1
            if quiet % COMMENT_EVERY == 0:
                yield b": still here\n\n"
    finally:
        m.events.leave(listener)
