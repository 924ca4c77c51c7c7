"""punktfunk/1's own messages as bytes and values; nothing here decides anything (punktfunk1.md §2-8).

Values are shared by every wire version; ``control`` is the v1 table of their bytes. A later version brings its own
table over the same values and its own entry in ``ALPN_PROTOCOLS``.
"""

from __future__ import annotations

ALPN_V1 = "pkf1"
ALPN_PROTOCOLS = (ALPN_V1,)
"""What a server offers, best first."""

WIRE_VERSION = 2
"""The word in Hello and Welcome that both sides compare for equality (§0.1)."""

DEFAULT_PORT = 9777
"""QUIC control port (§0.4)."""

MIN_BITRATE_KBPS = 500
MAX_BITRATE_KBPS = 8_000_000
DEFAULT_BITRATE_KBPS = 20_000
"""The band that a host clamps to, and its answer to "automatic" (§0.4, §6.3)."""
