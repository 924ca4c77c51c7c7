"""Pads for the guest's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.vm.guest.pad_session import PadSession

from punktfunk.input.events import PadKind

Plug = Callable[..., PadSession]


@pytest.fixture
def plug() -> Iterator[Plug]:
    """Plugs in a pad of a kind; unplugged at the end."""
    sessions: list[PadSession] = []

    def plug_in(kind: PadKind, capabilities: int = 0) -> PadSession:
        sessions.append(PadSession(kind, capabilities))
        return sessions[-1]

    yield plug_in
    for session in sessions:
        session.close()
