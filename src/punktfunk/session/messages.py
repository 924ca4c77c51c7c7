"""The messages of the sealed link, tagged by class name. A new field needs a default or a new LINK_VERSION."""

from __future__ import annotations

import msgspec

from punktfunk.input.events import Feedback, InputEvent, PadKind
from punktfunk.input.gamepads.catalogue import Node
from punktfunk.media.audio import AudioTarget
from punktfunk.media.plan import AudioPlan, Mode, VideoPlan
from punktfunk.media.video_source import DisplayTarget

Address = tuple[str, int] | tuple[str, int, int, int]


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


class Configure(_Message, frozen=True, tag=True):
    """First message to a worker. Descriptors beside it: the numbers memory (a memfd), then the plane's sockets.

    ``generation`` counts the workers of this stream, so that a replacement never reuses a nonce. ``transport`` is the
    plane's own configuration (keys included), opaque here. ``gamepad`` is what every controller becomes, unless AUTO.
    """

    version: int
    session_id: str
    generation: int
    display: DisplayTarget
    video: VideoPlan
    audio: AudioPlan | None
    audio_target: AudioTarget | None
    transport: bytes
    user: tuple[str, int, int] | None = None
    gamepad: PadKind = PadKind.AUTO
    kernel_touch: bool = False
    """Fingers and pen become devices of the kernel instead of driving the pointer."""


class Endpoint(msgspec.Struct, frozen=True):
    """A UDP address; IPv6 ones contain a colon and may have flow and scope ids."""

    host: str
    port: int
    flow: int = 0
    scope: int = 0

    @property
    def address(self) -> Address:
        """In the form that sockets take."""
        return (self.host, self.port, self.flow, self.scope) if ":" in self.host else (self.host, self.port)


class SetVideoEndpoint(_Message, frozen=True, tag=True):
    """Where video goes from now on; the first one lets frames out, beginning with a keyframe."""

    endpoint: Endpoint


class SetAudioEndpoint(_Message, frozen=True, tag=True):
    """Where audio goes from now on."""

    endpoint: Endpoint


class InjectInput(_Message, frozen=True, tag=True):
    """Input to inject, in order."""

    events: tuple[InputEvent, ...]


class ReleaseInput(_Message, frozen=True, tag=True):
    """Release everything that is held."""


class RequestKeyframe(_Message, frozen=True, tag=True):
    """The next frame is to decode on its own."""


class InvalidateFrames(_Message, frozen=True, tag=True):
    """The client lost these frames (wire numbers, inclusive): predict from none of them."""

    first: int
    last: int


class SetBitrate(_Message, frozen=True, tag=True):
    """New video bitrate."""

    kbps: int


class Reconfigure(_Message, frozen=True, tag=True):
    """New mode: the capture makes the desktop follow it."""

    video: VideoPlan


class PlaneCommand(_Message, frozen=True, tag=True):
    """The plane's own command to its senders, opaque here."""

    data: bytes


class NodeGranted(_Message, frozen=True, tag=True):
    """Answer to NodeWanted: the node's descriptor lies beside it, or ``problem`` says why there is none."""

    problem: str = ""


class Stop(_Message, frozen=True, tag=True):
    """Release everything and exit."""


ToWorker = (
    Configure
    | SetVideoEndpoint
    | SetAudioEndpoint
    | InjectInput
    | ReleaseInput
    | RequestKeyframe
    | InvalidateFrames
    | SetBitrate
    | Reconfigure
    | PlaneCommand
    | NodeGranted
    | Stop
)


class Ready(_Message, frozen=True, tag=True):
    """The worker's modules are loaded; it waits for Configure."""

    version: int


class Started(_Message, frozen=True, tag=True):
    """Capture and encoder run. ``why`` says in words why this encoder was chosen."""

    encoder: str
    why: str
    mode: Mode


class SendFeedback(_Message, frozen=True, tag=True):
    """Feedback of games for the client's controllers."""

    feedback: tuple[Feedback, ...]


class NodeWanted(_Message, frozen=True, tag=True):
    """The worker may not open this device node itself; the next message to it that matters is NodeGranted."""

    node: Node


class PlaneReport(_Message, frozen=True, tag=True):
    """What the plane's senders have to say to their supervisor's side, opaque here."""

    data: bytes


class WorkerStats(_Message, frozen=True, tag=True):
    """Counters since the start of this worker and percentiles of the last frames, one message a second.

    ``added`` is capture to last packet, less the encoder's own time; ``wait`` is its part before the encoder's start,
    and ``send`` the part after the encoder's end; ``unsent_packets`` are those that this machine's own socket refused.
    """

    frames: int = 0
    keyframes: int = 0
    recoveries: int = 0
    dropped_frames: int = 0
    video_packets: int = 0
    video_bytes: int = 0
    unsent_packets: int = 0
    audio_packets: int = 0
    encode_p50_us: int = 0
    encode_p99_us: int = 0
    added_p50_us: int = 0
    added_p99_us: int = 0
    wait_p50_us: int = 0
    wait_p99_us: int = 0
    send_p50_us: int = 0
    send_p99_us: int = 0


class Failed(_Message, frozen=True, tag=True):
    """The worker cannot go on and exits; ``source_lost`` when it is the desktop that went away."""

    reason: str
    source_lost: bool = False


FromWorker = Ready | Started | SendFeedback | NodeWanted | PlaneReport | WorkerStats | Failed
