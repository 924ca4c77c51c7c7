"""One client's control stream behind ENet: messages in, typed results out; feedback in, envelopes out."""

from __future__ import annotations

from dataclasses import dataclass

from punktfunk.gamestream.control import (
    TERMINATION_GRACEFUL,
    ClientMessage,
    ControlError,
    HdrMode,
    InputPacket,
    encode_feedback,
    encode_hdr,
    encode_termination,
    parse,
)
from punktfunk.gamestream.control_cipher import ControlCipher, EnvelopeError
from punktfunk.gamestream.controllers import Capability
from punktfunk.gamestream.input_packets import InputDecoder, InputError
from punktfunk.input.events import (
    Feedback,
    InputEvent,
    LightChanged,
    MotionRequested,
    PadArrived,
    PadKind,
    Rumbled,
    TriggerEffect,
    TriggersRumbled,
)


@dataclass(slots=True)
class ControlStatistics:
    """What a control session has taken and dropped."""

    messages: int = 0
    bad_envelopes: int = 0
    bad_messages: int = 0
    last_error: str = ""


class ControlSession:
    """Decrypts, parses and decodes what one client sends, and seals what the host answers.

    A bad message is dropped and counted in ``statistics``, never more: ENet lets anyone who can forge an address
    inject one, so a bad tag is no reason to end a session. A session is dead when :meth:`silent_ms` grows too large
    (10 s, gamestream.md §8.1); only authentic messages break the silence.
    """

    def __init__(self, key: bytes, *, v2: bool, now_ms: int) -> None:
        self._cipher = ControlCipher(key, v2=v2)
        self._input = InputDecoder()
        self._last_message_ms = now_ms
        self.statistics = ControlStatistics()

    def received(self, data: bytes, now_ms: int) -> tuple[ClientMessage | InputEvent, ...]:
        """What one ENet message of any channel says: one control message, or the events of an input packet."""
        try:
            _, kind, payload = self._cipher.open(data)
        except EnvelopeError as error:
            self.statistics.bad_envelopes += 1
            self.statistics.last_error = str(error)
            return ()
        self._last_message_ms = now_ms
        self.statistics.messages += 1
        try:
            message = parse(kind, payload)
            return self._input.decode(message.payload) if isinstance(message, InputPacket) else (message,)
        except (ControlError, InputError) as error:
            self.statistics.bad_messages += 1
            self.statistics.last_error = str(error)
            return ()

    def is_authentic(self, data: bytes) -> bool:
        """Whether an ENet message is this client's and new, without taking it: for ENet's change of address."""
        return self._cipher.is_authentic(data)

    def silent_ms(self, now_ms: int) -> int:
        """How long ago the last authentic message came."""
        return now_ms - self._last_message_ms

    def feedback(self, event: Feedback) -> bytes | None:
        """An envelope for channel 0, None when the client's controller is gone or cannot do it."""
        pad = self._input.arrival(event.pad)
        encoded = encode_feedback(event) if pad is not None and _can_show(pad, event) else None
        return None if encoded is None else self._cipher.seal(*encoded)

    def hdr(self, mode: HdrMode) -> bytes:
        """An envelope for channel 0 that switches the client between SDR and HDR."""
        return self._cipher.seal(*encode_hdr(mode))

    def termination(self, code: int = TERMINATION_GRACEFUL) -> bytes:
        """An envelope for channel 0 that ends the session; close the ENet connection after it."""
        return self._cipher.seal(*encode_termination(code))


def _can_show(pad: PadArrived, event: Feedback) -> bool:
    """Whether the client announced what the event needs; adaptive triggers have no capability of their own."""
    match event:
        case Rumbled():
            return bool(pad.capabilities & Capability.RUMBLE)
        case TriggersRumbled():
            return bool(pad.capabilities & Capability.TRIGGER_RUMBLE)
        case LightChanged():
            return bool(pad.capabilities & Capability.RGB_LED)
        case MotionRequested(sensor=1):
            return bool(pad.capabilities & Capability.ACCELEROMETER)
        case MotionRequested():
            return bool(pad.capabilities & Capability.GYROSCOPE)
        case TriggerEffect():
            return pad.kind in (PadKind.DUALSENSE, PadKind.DUALSENSE_EDGE)
    return False
