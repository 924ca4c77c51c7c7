"""Pictures of apps: only what is a PNG or JPEG of moderate size leaves the host."""

from __future__ import annotations

from pathlib import Path

MAX_BYTES = 8 << 20
_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def read_image(path: str) -> tuple[bytes, str] | None:
    """The bytes and media type of the picture at ``path``; None for anything else. Blocks."""
    try:
        with Path(path).expanduser().open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return None
    if len(data) > MAX_BYTES:
        return None
    kind = next((media for magic, media in _TYPES.items() if data.startswith(magic)), None)
    return (data, kind) if kind else None
