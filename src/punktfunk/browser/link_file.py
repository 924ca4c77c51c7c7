"""Share links on the disk, so that they outlive the host: digests of their secrets only, 0600, replaced atomically."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from punktfunk.browser.tickets import MAX_LINKS, PlayRefused, ShareLink
from punktfunk.trust.devices import Grants
from punktfunk.trust.files import write_private

log = logging.getLogger(__name__)

FILE_NAME = "play-links.json"
MAX_FILE_BYTES = 64 << 10


class _Stored(msgspec.Struct, frozen=True):
    id: str
    name: str
    digest: str
    grants: int
    app_id: int
    expires_unix: float


def read_links(path: Path) -> tuple[ShareLink, ...]:
    """The stored links; none, and a line in the log, when the file cannot be used."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES)
        stored = msgspec.json.decode(data, type=tuple[_Stored, ...])[:MAX_LINKS]
        return tuple(
            ShareLink(s.id, s.name, Grants(s.grants & Grants.ALL), s.app_id, s.expires_unix, bytes.fromhex(s.digest))
            for s in stored
        )
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, ValueError) as error:
        log.warning("share links are forgotten, because %s cannot be used: %s", path, error)
        return ()


def write_links(path: Path, links: Iterable[ShareLink]) -> None:
    """Replace the file; raises PlayRefused."""
    stored = [
        _Stored(link.id, link.name, link.digest.hex(), int(link.grants), link.app_id, link.expires_unix)
        for link in links
    ]
    try:
        write_private(path, msgspec.json.encode(stored) + b"\n", replace=True)
    except OSError as error:
        raise PlayRefused(f"cannot write {path}: {error.strerror}") from error
