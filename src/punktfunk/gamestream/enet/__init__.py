"""ENet 1.3, server side and without sockets: what GameStream's control stream runs on (gamestream.md §6.1–6.3).

Datagrams and the time go in, datagrams and events come out; :class:`EnetHost` is the whole public face.
"""

from punktfunk.gamestream.enet.events import (
    Address,
    Connected,
    Disconnected,
    DisconnectReason,
    EnetError,
    EnetEvent,
    QueueFull,
    Received,
)
from punktfunk.gamestream.enet.host import EnetHost

__all__ = [
    "Address",
    "Connected",
    "DisconnectReason",
    "Disconnected",
    "EnetError",
    "EnetEvent",
    "EnetHost",
    "QueueFull",
    "Received",
]
