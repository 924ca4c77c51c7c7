"""The tagged extension block behind Welcome and Start (late; punktfunk1.md §4.6)."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.reader import Reader

MAX_BLOCK_BYTES = 4096
MAX_ENTRIES = 64

TAG_PADDING = 1
TAG_CLIENT_LABEL = 2
TAG_ABR_FEATURES = 3
TAG_PRESET = 4


@dataclass(frozen=True, slots=True)
class Extension:
    """One entry; tags that nobody here knows are carried as they are."""

    tag: int
    value: bytes


def decode_extensions(block: bytes) -> tuple[Extension, ...]:
    """Entries of one block; bytes behind its announced length are ignored, as everywhere at the end of a message."""
    reader = Reader(block, "extensions")
    size = reader.unsigned(2, "length")
    if size + 2 > MAX_BLOCK_BYTES:
        raise MalformedError("extensions.length", f"{size + 2} bytes, at most {MAX_BLOCK_BYTES} allowed")
    reader = Reader(reader.take(size, "entries"), "extensions")
    entries: list[Extension] = []
    tags: set[int] = set()
    while reader.remaining:
        if len(entries) == MAX_ENTRIES:
            raise MalformedError("extensions", f"more than {MAX_ENTRIES} entries")
        tag = reader.unsigned(2, "tag")
        if tag in tags:
            raise MalformedError("extensions.tag", f"{tag} twice")
        tags.add(tag)
        entries.append(Extension(tag, reader.take(reader.unsigned(2, "size"), "value")))
    return tuple(entries)


def encode_extensions(entries: tuple[Extension, ...]) -> bytes:
    """One block."""
    body = b"".join(e.tag.to_bytes(2, "little") + len(e.value).to_bytes(2, "little") + e.value for e in entries)
    if len(entries) > MAX_ENTRIES or len(body) + 2 > MAX_BLOCK_BYTES:
        raise MalformedError("extensions", f"{len(entries)} entries in {len(body)} bytes are too many")
    if len({e.tag for e in entries}) != len(entries):
        raise MalformedError("extensions.tag", "a tag twice")
    return len(body).to_bytes(2, "little") + body
