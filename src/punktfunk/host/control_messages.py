"""What the command line (and later the management API) can ask a running host: requests and answers, version 1."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

PROTOCOL_VERSION = 1
MAX_MESSAGE_BYTES = 256 * 1024
MAX_ACCESS_S = 10 * 365 * 86_400

_Text = Annotated[str, Meta(max_length=256)]


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="request", forbid_unknown_fields=True):
    """Base of all requests; the other side refuses a version that it does not speak."""

    version: int = PROTOCOL_VERSION


class GetStatus(Request, frozen=True, tag="status"):
    """Answered by ``Status``."""


class ListPending(Request, frozen=True, tag="pending"):
    """Clients that wait for a PIN to be typed here, or to be let in. Answered by ``PendingList``."""


class SubmitPin(Request, frozen=True, tag="submit-pin"):
    """Type a client's PIN. ``attempt`` is needed only when several wait; ``name`` is how the device will be called."""

    pin: Annotated[str, Meta(min_length=1, max_length=64)]
    attempt: _Text = ""
    name: Annotated[str, Meta(max_length=64)] = ""


class ArmPairing(Request, frozen=True, tag="arm-pairing"):
    """Make a PIN for the next punktfunk client. Answered by ``PairingWindow``."""

    window_s: Annotated[int, Meta(ge=15, le=600)] = 120


class GetPairing(Request, frozen=True, tag="pairing"):
    """Answered by ``PairingWindow``."""


class DisarmPairing(Request, frozen=True, tag="disarm-pairing"):
    """Make the PIN void."""


class ApproveDevice(Request, frozen=True, tag="approve-device"):
    """Pair a punktfunk client that waits to be let in. ``attempt`` may be empty when only one waits."""

    attempt: _Text = ""
    name: Annotated[str, Meta(max_length=64)] = ""
    grants: Annotated[int, Meta(ge=0, le=63)] = 63
    for_s: Annotated[int, Meta(ge=0, le=MAX_ACCESS_S)] = 0


class DenyDevice(Request, frozen=True, tag="deny-device"):
    """Turn it away."""

    attempt: _Text = ""


class SetAccess(Request, frozen=True, tag="set-access"):
    """What a paired device may do (the bits of ``trust.devices.Grants``) and for how long, 0 = for ever."""

    device: _Text
    grants: Annotated[int, Meta(ge=0, le=63)] = 63
    for_s: Annotated[int, Meta(ge=0, le=MAX_ACCESS_S)] = 0


class ListDevices(Request, frozen=True, tag="devices"):
    """Answered by ``DeviceList``."""


class RenameDevice(Request, frozen=True, tag="rename-device"):
    """``device`` is an id, a fingerprint's beginning or a name, as long as it means one device."""

    device: _Text
    name: Annotated[str, Meta(min_length=1, max_length=64)]


class RemoveDevice(Request, frozen=True, tag="remove-device"):
    """Unpair; live sessions of the device end."""

    device: _Text


class ListSessions(Request, frozen=True, tag="sessions"):
    """Answered by ``SessionList``."""


class EndSession(Request, frozen=True, tag="end-session"):
    """End a session with all of its programs."""

    session: _Text


class Stop(Request, frozen=True, tag="stop"):
    """Shut the host down in an orderly way."""


AnyRequest = (
    GetStatus
    | ListPending
    | SubmitPin
    | ArmPairing
    | GetPairing
    | DisarmPairing
    | ApproveDevice
    | DenyDevice
    | SetAccess
    | ListDevices
    | RenameDevice
    | RemoveDevice
    | ListSessions
    | EndSession
    | Stop
)


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="answer"):
    """Base of all answers. Unknown fields are ignored, so that a newer host can say more."""

    version: int = PROTOCOL_VERSION


class Done(Answer, frozen=True, tag="done"):
    """It is done; ``message`` says what, in one sentence."""

    message: str = ""


class Refused(Answer, frozen=True, tag="refused"):
    """It was not done; ``message`` says why and what to do, in one sentence."""

    message: str


class Status(Answer, frozen=True, tag="status"):
    """What the host does. ``ports`` are in words; A port is 0 when its clients are not let in."""

    pid: int
    host_version: str
    name: str
    uptime_s: float
    gamestream_port: int = 0
    native_port: int = 0
    devices: int = 0
    sessions: int = 0
    pending: int = 0


class PendingAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A client that waits: a Moonlight one for its PIN to be typed here, a punktfunk one to be let in."""

    attempt: str
    name: str
    address: str
    waited_s: float
    protocol: str = "gamestream"


class PendingList(Answer, frozen=True, tag="pending"):
    """Oldest first."""

    attempts: tuple[PendingAttempt, ...] = ()


class PairingWindow(Answer, frozen=True, tag="pairing"):
    """The PIN to type into a punktfunk client; empty when there is none."""

    pin: str = ""
    expires_in_s: float = 0.0


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A paired device. ``paired_unix`` is 0 when not known, ``expires_unix`` 0 for ever."""

    device: str
    name: str
    fingerprint: str
    protocol: str = "gamestream"
    paired_unix: int = 0
    connected: bool = False
    grants: int = 63
    expires_unix: int = 0


class DeviceList(Answer, frozen=True, tag="devices"):
    """In the order of pairing."""

    devices: tuple[DeviceInfo, ...] = ()


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A session that lives or lingers."""

    session: str
    device: str
    app: str
    state: str
    mode: str = ""
    protocol: str = "gamestream"
    age_s: float = 0.0


class SessionList(Answer, frozen=True, tag="sessions"):
    """Oldest first."""

    sessions: tuple[SessionInfo, ...] = ()


AnyAnswer = Done | Refused | Status | PendingList | PairingWindow | DeviceList | SessionList


class MessageError(Exception):
    """The other side sent something that is no message of this protocol; the text names the field."""


_encoder = msgspec.json.Encoder()
_requests: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_answers: msgspec.json.Decoder[AnyAnswer] = msgspec.json.Decoder(AnyAnswer)


def encode(message: Request | Answer) -> bytes:
    """One line of JSON, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_request(line: bytes) -> AnyRequest:
    """One line to a request. Raises ``MessageError``."""
    try:
        request = _requests.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not a request: {error}") from error
    if request.version != PROTOCOL_VERSION:
        raise MessageError(f"version {request.version} is not spoken here, only {PROTOCOL_VERSION}; update both sides")
    return request


def decode_answer(line: bytes) -> AnyAnswer:
    """One line to an answer. Raises ``MessageError``."""
    try:
        return _answers.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not an answer: {error}") from error
