"""What a stream has seen so far, as one value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Statistics:
    """Counters of one stream. ``…_wire`` is before impairment; times are seconds unless the name says otherwise."""

    duration_s: float
    shards_wire: int
    video_bytes_wire: int
    frames_wire: int
    idrs_wire: int
    sequence_gaps_wire: int
    kernel_drops: int
    blocks_proved: int
    frames_delivered: int
    frames_dropped: int
    frames_lost: int
    frames_recovered: int
    frames_unread: int
    shards_recovered: int
    late_shards: int
    idrs_seen: int
    idr_requests: int
    rfi_requests: int
    idr_response_s: tuple[float, ...]
    first_idr_s: float | None
    """From the first video ping to the first shard of the first IDR."""
    longest_stall_s: float
    """Longest time between two delivered frames."""
    audio_packets_wire: int
    audio_delivered: int
    audio_recovered: int
    audio_concealed: int
    audio_packet_bytes: tuple[int, ...]
    audio_blocks_proved: int
    control_rtt_ms: float
    launch_to_first_frame_s: float | None
