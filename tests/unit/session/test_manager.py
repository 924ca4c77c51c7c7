"""Who is admitted, and whose desktop is kept."""

from __future__ import annotations

import time
from typing import Any

import pytest

from punktfunk.media.plan import Mode
from punktfunk.session.desktops.base import NoDesktop
from punktfunk.session.lifecycle import EndReason, State
from punktfunk.session.manager import SessionManager, SessionRefused
from punktfunk.session.plan import App
from punktfunk.session.session import Session, Surroundings
from punktfunk.session.stream import StreamError

PLANE = "native"
APP = App(1, "Desktop")
MODE = Mode(1280, 720, 60_000)


@pytest.fixture
async def manager() -> Any:
    around = Surroundings(lambda _id, _environment: NoDesktop(), None, None, None)  # type: ignore[arg-type]
    manager = SessionManager(around, max_sessions=2, max_waiting=3)
    yield manager
    await manager.shutdown()


async def launch(manager: SessionManager, client: str) -> Session:
    return await manager.launch(client_id=client, client_name=client, plane=PLANE, app=APP, mode=MODE, channels=2)


def goes_away(session: Session, at: float = 0.0) -> None:
    session.life.advance(State.LINGERING, at or time.monotonic())


async def test_as_many_clients_as_there_are_places(manager: SessionManager) -> None:
    await launch(manager, "a")
    await launch(manager, "b")
    with pytest.raises(SessionRefused, match="2 sessions"):
        await launch(manager, "c")


async def test_a_desktop_that_waits_takes_no_place(manager: SessionManager) -> None:
    for client in ("a", "b"):
        goes_away(await launch(manager, client))
    await launch(manager, "c")
    await launch(manager, "d")
    assert {s.request.client_id for s in manager.sessions} == {"a", "b", "c", "d"}


async def test_who_comes_back_needs_a_place(manager: SessionManager) -> None:
    back = await launch(manager, "a")
    goes_away(back)
    manager.check_return(back)
    await launch(manager, "b")
    await launch(manager, "c")
    with pytest.raises(SessionRefused, match="all are taken"):
        manager.check_return(back)
    with pytest.raises(StreamError, match="all are taken"):
        await back.start_stream(None)  # type: ignore[arg-type]
    assert back.state is State.LINGERING


async def test_of_too_many_desktops_the_one_that_waited_longest_ends(manager: SessionManager) -> None:
    order = ("a", "b", "c", "d", "e")
    sessions = {client: await _left(manager, client) for client in order}
    for minutes, client in enumerate(("c", "a", "e", "b", "d")):
        sessions[client].life.since = 60.0 * minutes
    await manager.make_room()
    assert {s.request.client_id for s in manager.sessions} == {"b", "d", "e"}
    assert sessions["c"].life.reason is EndReason.LINGER_EXPIRED


async def _left(manager: SessionManager, client: str) -> Session:
    session = await launch(manager, client)
    goes_away(session)
    return session
