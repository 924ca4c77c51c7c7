"""The answers and bodies that several routes share. Each route's own stand next to it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

Fingerprint = Annotated[
    str, Path(pattern=r"^[0-9a-fA-F]{64}$", description="SHA-256 of the device's certificate, 64 hex digits.")
]
SessionId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", description="Id of a session.")]
ShortId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$")]
DeviceName = Annotated[str, Field(min_length=1, max_length=64)]
GrantBits = Annotated[
    int, Field(ge=0, le=63, description="1 gamepad, 2 pointer, 4 keyboard, 8 clipboard, 16 microphone, 32 launch.")
]
LifetimeSeconds = Annotated[int, Field(ge=60, le=10 * 365 * 86400)]


class Answer(BaseModel):
    """An answer; made from the host's own values."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Body(BaseModel):
    """A body; keys that nobody knows are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
