"""Settings that a running host follows. Everything else acts when it starts the next time."""

from __future__ import annotations

import msgspec

from punktfunk.host.settings import Settings, value_of

ACTS_AT_ONCE = frozenset(
    {
        "log.level",
        "limits.sessions",
        "limits.waiting",
        "limits.linger_s",
        "display.desktop_command",
        "display.wallpaper",
        "display.keyboard_layout",
        "display.keyboard_options",
    }
)
"""Those of ``display`` and ``limits.linger_s`` act on the next session; what runs keeps its desktop."""


def merged(running: Settings, new: Settings) -> Settings:
    """``running`` with what it may take of ``new``."""
    sections: dict[str, dict[str, object]] = {}
    for key in ACTS_AT_ONCE:
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value_of(new, key)
    changed = {name: msgspec.structs.replace(getattr(running, name), **values) for name, values in sections.items()}
    return msgspec.structs.replace(running, **changed)
