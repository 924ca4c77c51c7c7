"""Control messages as values, the same for every wire version (punktfunk1.md §6)."""

from __future__ import annotations

from dataclasses import dataclass

NOT_A_FILE = 0xFFFF_FFFF
MAX_CURSOR_SIDE = 120
UNRECOVERABLE_PPM = 50_000
"""What a client adds to its report when a frame was beyond repair (§6.2)."""


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """Client: stream this mode from now on."""

    width: int
    height: int
    refresh_hz: int


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """Host: the mode that is live now; ``accepted`` False repeats the old one."""

    accepted: bool
    width: int
    height: int
    refresh_hz: int


@dataclass(frozen=True, slots=True)
class RequestKeyframe:
    """Client: nothing decodes any more."""


@dataclass(frozen=True, slots=True)
class LossReport:
    """Client: lost packets per million in the last window (§6.2)."""

    loss_ppm: int


@dataclass(frozen=True, slots=True)
class SetBitrate:
    """Client: encode at this rate; 0 = the host's default."""

    kbps: int


@dataclass(frozen=True, slots=True)
class BitrateChanged:
    """Host: the rate that was applied; ``reason`` only toward a client that asked for it (late)."""

    kbps: int
    reason: int | None = None


@dataclass(frozen=True, slots=True)
class RfiRequest:
    """Client: these frames are lost, do not reference them."""

    first_frame: int
    last_frame: int


@dataclass(frozen=True, slots=True)
class ShardPayloadChanged:
    """Host: video packets are going to carry this many bytes."""

    shard_payload: int


@dataclass(frozen=True, slots=True)
class ShardPayloadAck:
    """Client: ready for that size."""

    shard_payload: int


@dataclass(frozen=True, slots=True)
class PipelineGap:
    """Host: the pipeline stood still for this long, it was not the network."""

    gap_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """Late: bytes delivered (unit unverified)."""

    delivered: int


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Late: proven link rate (unit unverified)."""

    kbps: int


@dataclass(frozen=True, slots=True)
class SetDelivery:
    """Late: wished delivery profile: 0 burst, 1 capped, 2 smooth."""

    profile: int


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """Late: the delivery profile in force."""

    profile: int
    forced: bool


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Late: the host's link. ``interface`` 0 unknown, 1 ethernet, 2 Wi-Fi, 3 other; ``forced_profile`` 0xFF none."""

    interface: int
    link_mbps: int
    send_buffer_kb: int
    forced_profile: int


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Client: send filler at this rate for this long."""

    target_kbps: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Host: what the burst was; all zero = declined. The last two are unknown to hosts of the first release."""

    bytes_sent: int
    access_units: int
    duration_ms: int
    wire_packets_sent: int | None = None
    send_dropped: int | None = None


@dataclass(frozen=True, slots=True)
class ProbeShaped:
    """Late: a probe in shaped groups."""

    target_kbps: int
    duration_ms: int
    burst_hz: int
    group_bytes: int
    group_rate: int


@dataclass(frozen=True, slots=True)
class ClockProbe:
    """Client: its clock when sending, ns."""

    t1_ns: int


@dataclass(frozen=True, slots=True)
class ClockEcho:
    """Host: the probe's ``t1``, its own clock at receipt and at the answer, ns."""

    t1_ns: int
    t2_ns: int
    t3_ns: int


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """Client: its display's latch grid in host time; ``coherence`` in thousandths, None unknown."""

    next_latch_host_ns: int
    period_ns: int
    uncertainty_ns: int
    arrival_lead_ns: int
    coherence: int | None = None


@dataclass(frozen=True, slots=True)
class ClipControl:
    """Client: clipboard on or off; flag bit 0: files may be offered."""

    enabled: bool
    flags: int = 0


@dataclass(frozen=True, slots=True)
class ClipState:
    """Host: the clipboard's state; see ``ClipPolicy`` and ``ClipReason``."""

    enabled: bool
    policy: int
    reason: int


@dataclass(frozen=True, slots=True)
class ClipFormat:
    """One offered format; ``size_hint`` 0 = unknown."""

    mime: str
    size_hint: int = 0


@dataclass(frozen=True, slots=True)
class ClipOffer:
    """Either side: this is on my clipboard; the newest ``seq`` wins."""

    seq: int
    formats: tuple[ClipFormat, ...]


@dataclass(frozen=True, slots=True)
class ClipFetch:
    """Either side, on a transfer stream: give me this format of that offer."""

    seq: int
    mime: str
    file_index: int = NOT_A_FILE


@dataclass(frozen=True, slots=True)
class ClipFetchHeader:
    """The answer; raw bytes follow to the end of the stream if ``status`` is 0. ``total_size`` 0 = unknown."""

    status: int
    total_size: int


@dataclass(frozen=True, slots=True)
class CursorShape:
    """Host: a pointer picture, RGBA8 with straight alpha, ``width * height * 4`` bytes."""

    serial: int
    width: int
    height: int
    hot_x: int
    hot_y: int
    rgba: bytes


@dataclass(frozen=True, slots=True)
class CursorRender:
    """Client: True = it draws the pointer, False = the host composites it."""

    client_draws: bool


@dataclass(frozen=True, slots=True)
class AccessUpdate:
    """Host: this device's grants now; ``remaining_seconds`` 0 = permanent."""

    grants: int
    remaining_seconds: int


@dataclass(frozen=True, slots=True)
class AudioState:
    """Late: whether the host's own speakers are muted."""

    muted: bool


@dataclass(frozen=True, slots=True)
class LaunchOutcome:
    """Late: what became of the launch; see ``LaunchKind``."""

    kind: int
    message: str


@dataclass(frozen=True, slots=True)
class PadSlots:
    """Late: bit set of the controller slots that the host assigned."""

    slots: int


@dataclass(frozen=True, slots=True)
class InputEdge:
    """Late: an input event (the bytes of datagram 0xC8) that must not get lost."""

    event: bytes


@dataclass(frozen=True, slots=True)
class PairRequest:
    """Client: start of the PIN ceremony; ``device_key`` only from browsers (late)."""

    name: str
    spake_a: bytes
    device_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class PairChallenge:
    """Host: its SPAKE2 message and key confirmation."""

    spake_b: bytes
    confirmation: bytes


@dataclass(frozen=True, slots=True)
class PairProof:
    """Client: its key confirmation."""

    confirmation: bytes


@dataclass(frozen=True, slots=True)
class PairResult:
    """Host: whether the device is paired now."""

    ok: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Late, browsers only: why the connection ends."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message that nobody here knows, to be ignored; ``type`` is None when not even the magic fits."""

    type: int | None


ControlMessage = (
    Reconfigure
    | Reconfigured
    | RequestKeyframe
    | LossReport
    | SetBitrate
    | BitrateChanged
    | RfiRequest
    | ShardPayloadChanged
    | ShardPayloadAck
    | PipelineGap
    | DeliveryReport
    | LinkReport
    | SetDelivery
    | DeliveryChanged
    | HostFacts
    | ProbeRequest
    | ProbeResult
    | ProbeShaped
    | ClockProbe
    | ClockEcho
    | PhaseReport
    | ClipControl
    | ClipState
    | ClipOffer
    | ClipFetch
    | ClipFetchHeader
    | CursorShape
    | CursorRender
    | AccessUpdate
    | AudioState
    | LaunchOutcome
    | PadSlots
    | InputEdge
    | PairRequest
    | PairChallenge
    | PairProof
    | PairResult
    | Refused
    | Unknown
)
