"""The plan of a session: what both sides agreed on, neutral between the protocols."""

from __future__ import annotations

import msgspec


class PrepareCommand(msgspec.Struct, frozen=True):
    """A command run before an app starts, and the one that undoes it afterwards (in reverse order)."""

    do: str
    undo: str = ""


class App(msgspec.Struct, frozen=True):
    """Something to launch. An empty ``command`` is the bare desktop. ``image`` is a path to a PNG or JPEG."""

    id: int
    name: str
    command: str = ""
    working_dir: str = ""
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    prepare: tuple[PrepareCommand, ...] = ()
    image: str = ""
    exit_ends_session: bool = True
