"""What the client's side tells about the way of its packets, for people who watch the session."""

from __future__ import annotations

import msgspec

PPM = 1_000_000


class PathReport(msgspec.Struct, frozen=True):
    """A plane replaces it whenever its client tells something. Counters are of the stream's life; a page's connection
    sends again what is lost, and counts neither.

    ``loss_ppm`` is the share of packets that were missing of late, before parity made good what it could;
    ``fec_percent`` is the parity that goes out now.
    """

    fec_percent: int = 0
    loss_ppm: int = 0
    lost_packets: int = 0
    recovered_packets: int = 0
