"""The console's files. A request is looked up in a table made at the start: no path of a request reaches the disk."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
MAX_FILES = 1000
MAX_TOTAL_BYTES = 64 << 20
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
_PAGE = re.compile(r"/(?!api(?:/|\Z))(?:[a-z0-9-]+(?:/[a-z0-9-]+)*)?\Z")
_HASHED = re.compile(r"[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file to serve. ``immutable``: its name changes with its contents. ``gzipped``: empty where useless."""

    data: bytes
    media_type: str
    etag: str
    immutable: bool
    gzipped: bytes = b""


def load_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """URL path → file, for every regular file of a known type below ``folder``; links are left out.

    Empty when the console was not built. Raises ValueError when there is more than a console can be.
    """
    assets: dict[str, Asset] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        media_type = _TYPES.get(path.suffix)
        if media_type is None or path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        total += len(data)
        if len(assets) >= MAX_FILES or total > MAX_TOTAL_BYTES:
            raise ValueError(f"{folder} holds more than a console can be")
        etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        immutable = bool(_HASHED.search(path.name))
        assets["/" + path.relative_to(folder).as_posix()] = Asset(data, media_type, etag, immutable, _gzipped(data))
    return assets


def _gzipped(data: bytes) -> bytes:
    # Without a time of its own: the same file gives the same bytes. Compressed once, nothing of a request is in it.
    small = gzip.compress(data, mtime=0)
    return small if len(small) < len(data) * 0.9 else b""


def find_asset(assets: dict[str, Asset], path: str) -> Asset | None:
    """The file for a URL path; paths of the console's pages all mean its one HTML file."""
    if found := assets.get(path) or assets.get(f"{path}.html"):
        return found
    return assets.get("/index.html") if _PAGE.match(path) else None
