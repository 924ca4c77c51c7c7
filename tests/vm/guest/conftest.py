"""Pads for the guest's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.vm.guest.clients import MoonlightClient
from tests.vm.guest.pad_session import PadSession

from punktfunk.input.events import PadKind

Plug = Callable[..., PadSession]


@pytest.fixture
def plug() -> Iterator[Plug]:
    """Plugs in a pad of a kind as a client's; unplugged at the end."""
    sessions: list[PadSession] = []

    def plug_in(kind: PadKind, client: Any = MoonlightClient) -> PadSession:
        sessions.append(PadSession(kind, client))
        return sessions[-1]

    yield plug_in
    for session in sessions:
        session.close()
