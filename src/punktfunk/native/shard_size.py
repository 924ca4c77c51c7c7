"""Changing the size of video datagrams in a running session (punktfunk1.md §5.11, §6.6)."""

from __future__ import annotations

from punktfunk.native.path_search import STANDARD_MTU
from punktfunk.wire.punktfunk1.messages import ShardPayloadChanged
from punktfunk.wire.punktfunk1.video import MAX_SHARD_BYTES, MIN_SHARD_BYTES, shard_bytes_for_mtu


class ShardSizer:
    """Follows the path's MTU: shrinks at once, grows only after the client's acknowledgement.

    ``client_limit`` is Hello.max_shard_payload; 0 means a client that takes only the size of its Welcome.
    """

    def __init__(self, client_limit: int, *, ipv6: bool, max_mtu: int = STANDARD_MTU, path_mtu: int | None = None):
        self._ipv6 = ipv6
        self._max_mtu = max_mtu
        self._fixed = client_limit < MIN_SHARD_BYTES
        self._ceiling = min(client_limit, MAX_SHARD_BYTES) & ~1
        self._offered: int | None = None
        first_mtu = STANDARD_MTU if path_mtu is None else min(path_mtu, STANDARD_MTU)
        self.shard_bytes = shard_bytes_for_mtu(first_mtu, ipv6=ipv6)
        """The size to cut frames into now; at the start, the one for Welcome."""

    def path_mtu(self, mtu: int) -> ShardPayloadChanged | None:
        """The path carries IP packets of ``mtu`` bytes; the message to send, if any."""
        if self._fixed:
            return None
        size = min(shard_bytes_for_mtu(min(mtu, self._max_mtu), ipv6=self._ipv6), self._ceiling)
        if size == (self._offered or self.shard_bytes):
            return None
        if size <= self.shard_bytes:
            self.shard_bytes, self._offered = size, None
        else:
            self._offered = size
        return ShardPayloadChanged(size)

    def acknowledged(self, shard_bytes: int) -> bool:
        """A ShardPayloadAck; whether ``shard_bytes`` changed. Only the size last offered counts."""
        if self._offered is None or shard_bytes != self._offered:
            return False
        self.shard_bytes, self._offered = shard_bytes, None
        return True
