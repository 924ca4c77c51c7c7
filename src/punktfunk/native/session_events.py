"""What a session core tells its owner."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.input.events import InputEvent
from punktfunk.native.adaptive_fec import Protection
from punktfunk.native.modes import Mode
from punktfunk.native.speed_test import ProbeBurst
from punktfunk.wire.punktfunk1.audio import MicrophoneFrame
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.hello import Hello
from punktfunk.wire.punktfunk1.messages import ClipOffer
from punktfunk.wire.punktfunk1.welcome import Start


@dataclass(frozen=True, slots=True)
class Transmit:
    """Write these bytes to the control stream."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; nothing follows."""

    code: CloseCode
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Paired:
    """Store the device as paired, before the next ``Transmit`` tells it so."""

    name: str


@dataclass(frozen=True, slots=True)
class HelloReceived:
    """Answer with ``admit``, ``park`` or ``refuse``."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Started:
    """The client is ready: wait for its punch, then stream."""

    start: Start


@dataclass(frozen=True, slots=True)
class LifeWanted:
    """Have the client answer something, so that its silence means that it is gone."""


@dataclass(frozen=True, slots=True)
class InputReceived:
    """Neutral input, in order."""

    events: tuple[InputEvent, ...]


@dataclass(frozen=True, slots=True)
class MicrophoneReceived:
    """One frame of the client's microphone."""

    frame: MicrophoneFrame


@dataclass(frozen=True, slots=True)
class ModeRequested:
    """Rebuild for this mode, which the client has been promised; then report ``mode_became``."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class BitrateRequested:
    """Apply this rate, already clamped; then report ``bitrate_became``."""

    kbps: int


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """Encode a keyframe next."""


@dataclass(frozen=True, slots=True)
class InvalidationWanted:
    """Reference none of these wire frames any more; report ``invalidation_failed`` if that is impossible."""

    first_frame: int
    last_frame: int


@dataclass(frozen=True, slots=True)
class LossReported:
    """The client missed this share of packets since its last report, before recovery; of all, ``mended_ppm`` were
    recovered."""

    loss_ppm: int
    mended_ppm: int


@dataclass(frozen=True, slots=True)
class FecChanged:
    """Add this much recovery from the next frame on."""

    protection: Protection


@dataclass(frozen=True, slots=True)
class ShardSizeChanged:
    """Cut the next frames into shards of this size."""

    shard_bytes: int


@dataclass(frozen=True, slots=True)
class ProbeStarted:
    """Send this burst instead of video; then report ``probe_finished``."""

    burst: ProbeBurst


@dataclass(frozen=True, slots=True)
class CursorRenderChanged:
    """Who draws the pointer from now on."""

    client_draws: bool


@dataclass(frozen=True, slots=True)
class ClipboardSwitched:
    """Watch the desktop's clipboard, or stop."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class ClipboardOffered:
    """The client's clipboard holds these formats."""

    offer: ClipOffer


SessionEvent = (
    Transmit
    | Close
    | Paired
    | HelloReceived
    | Started
    | LifeWanted
    | InputReceived
    | MicrophoneReceived
    | ModeRequested
    | BitrateRequested
    | KeyframeWanted
    | InvalidationWanted
    | LossReported
    | FecChanged
    | ShardSizeChanged
    | ProbeStarted
    | CursorRenderChanged
    | ClipboardSwitched
    | ClipboardOffered
)
