"""What the supervisor and the senders of a punktfunk/1 worker tell each other through the sealed link."""

from __future__ import annotations

import msgspec


class NativeTransport(msgspec.Struct, frozen=True):
    """How one session's media goes on the wire; part of the worker's configuration, keys included.

    ``wall_offset_ns`` turns CLOCK_MONOTONIC into the wall clock of time stamps and ClockEcho: it stays the same for the
    host's whole life, so that a step of the real wall clock moves neither.
    """

    key: bytes
    salt: bytes
    chacha: bool
    shard_bytes: int
    max_data_shards: int
    fec_scheme: int
    fec_percent: int
    wall_offset_ns: int
    host_timing: bool
    redundant_audio: bool
    pcm_packet_us: int = 0
    """Sound goes out as samples, in packets of this length; 0: Opus."""
    frames: int = 0
    """Stop after so many; 0 = never."""


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


class SetFec(_Message, frozen=True, tag=True):
    """Protection from the next frame on; see ``adaptive_fec.Protection``."""

    percent: int
    loss_ppm: int = 0


class SetShardBytes(_Message, frozen=True, tag=True):
    """Shard size from the next frame on."""

    shard_bytes: int


class RunProbe(_Message, frozen=True, tag=True):
    """Send filler instead of video for a while, then report ``ProbeDone``."""

    target_kbps: int
    duration_ms: int


Command = SetFec | SetShardBytes | RunProbe


class SendDatagram(_Message, frozen=True, tag=True):
    """A QUIC datagram for the client."""

    data: bytes


class FrameSent(_Message, frozen=True, tag=True):
    """A frame from which the client can go on has left."""

    frame_index: int
    keyframe: bool


class ProbeDone(_Message, frozen=True, tag=True):
    """What a burst came to: the fields of ProbeResult (punktfunk1.md §6.4)."""

    bytes_sent: int
    access_units: int
    duration_ms: int
    packets: int
    dropped: int


class LastFrameSent(_Message, frozen=True, tag=True):
    """The stream has had its number of frames."""


Report = SendDatagram | FrameSent | ProbeDone | LastFrameSent

encode = msgspec.msgpack.Encoder().encode
decode_command = msgspec.msgpack.Decoder(Command).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
