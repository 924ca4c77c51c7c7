"""Control messages of a running session: what the host answers, and what it asks of its owner (punktfunk1.md §6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from punktfunk.native import session_events as ev
from punktfunk.native.access import Access
from punktfunk.native.adaptive_fec import AdaptiveFec
from punktfunk.native.clipboard import Clipboard
from punktfunk.native.modes import Mode, ModeSwitch, clamp_bitrate
from punktfunk.native.recovery import RecoveryPolicy, Remedy
from punktfunk.native.shard_size import ShardSizer
from punktfunk.native.speed_test import DECLINED, ProbeGate
from punktfunk.wire.punktfunk1 import DEFAULT_BITRATE_KBPS
from punktfunk.wire.punktfunk1 import messages as m

Outcome = m.ControlMessage | ev.SessionEvent


@dataclass(slots=True)
class SessionParts:
    """The state machines of one session, made by its owner from Hello and settings."""

    access: Access
    modes: ModeSwitch
    fec: AdaptiveFec
    recovery: RecoveryPolicy
    shards: ShardSizer
    probes: ProbeGate
    clipboard: Clipboard
    default_bitrate_kbps: int = DEFAULT_BITRATE_KBPS


class LiveControl:
    """Maps each message of a client to answers and events, in order; messages that a host does not answer to vanish."""

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts
        self._frames_lost = False
        self._handlers: dict[type[Any], Callable[[Any, float], list[Outcome]]] = {
            m.Reconfigure: self._reconfigure,
            m.RequestKeyframe: self._keyframe,
            m.RfiRequest: self._rfi,
            m.LossReport: self._loss,
            m.SetBitrate: self._bitrate,
            m.ShardPayloadAck: self._shard_ack,
            m.ProbeRequest: self._probe,
            m.ClipControl: self._clip_control,
            m.ClipOffer: self._clip_offer,
            m.CursorRender: self._cursor_render,
        }

    def handle(self, message: m.ControlMessage, now: float) -> list[Outcome]:
        """What follows from one message."""
        handler = self._handlers.get(type(message))
        return handler(message, now) if handler else []

    def _reconfigure(self, message: m.Reconfigure, now: float) -> list[Outcome]:
        before = self._parts.modes.live
        answer = self._parts.modes.request(message, now)
        mode = Mode(answer.width, answer.height, answer.refresh_hz)
        return [answer, ev.ModeRequested(mode)] if answer.accepted and mode != before else [answer]

    def _keyframe(self, message: m.RequestKeyframe, now: float) -> list[Outcome]:
        self._frames_lost = True
        return _remedy(self._parts.recovery.keyframe_requested(now), 0, 0)

    def _rfi(self, message: m.RfiRequest, now: float) -> list[Outcome]:
        self._frames_lost = True
        first, last = message.first_frame, message.last_frame
        return _remedy(self._parts.recovery.frames_lost(first, last, now), first, last)

    def _loss(self, message: m.LossReport, now: float) -> list[Outcome]:
        fec = self._parts.fec
        before = fec.protection
        fec.report(message.loss_ppm)
        changed = [ev.FecChanged(fec.protection)] if fec.protection != before else []
        lost_ppm = min(message.loss_ppm, 1_000_000)
        added_ppm = m.UNRECOVERABLE_PPM if self._frames_lost and lost_ppm >= m.UNRECOVERABLE_PPM else 0
        self._frames_lost = False
        return [ev.LossReported(lost_ppm, lost_ppm - added_ppm), *changed]

    def _bitrate(self, message: m.SetBitrate, now: float) -> list[Outcome]:
        kbps = clamp_bitrate(message.kbps, default_kbps=self._parts.default_bitrate_kbps)
        fec = self._parts.fec
        before = fec.protection
        fec.bitrate_asked(kbps)
        changed = [ev.FecChanged(fec.protection)] if fec.protection != before else []
        return [ev.BitrateRequested(kbps), *changed]

    def _shard_ack(self, message: m.ShardPayloadAck, now: float) -> list[Outcome]:
        shards = self._parts.shards
        return [ev.ShardSizeChanged(shards.shard_bytes)] if shards.acknowledged(message.shard_payload) else []

    def _probe(self, message: m.ProbeRequest, now: float) -> list[Outcome]:
        burst = self._parts.probes.request(message, now)
        return [ev.ProbeStarted(burst)] if burst else [DECLINED]

    def _clip_control(self, message: m.ClipControl, now: float) -> list[Outcome]:
        state = self._parts.clipboard.control(message)
        return [state, ev.ClipboardSwitched(state.enabled)]

    def _clip_offer(self, message: m.ClipOffer, now: float) -> list[Outcome]:
        clipboard = self._parts.clipboard
        if not clipboard.client_offers(message) or clipboard.offered is None:
            return []
        return [ev.ClipboardOffered(clipboard.offered)]

    def _cursor_render(self, message: m.CursorRender, now: float) -> list[Outcome]:
        return [ev.CursorRenderChanged(message.client_draws)]


def _remedy(remedy: Remedy, first: int, last: int) -> list[Outcome]:
    match remedy:
        case Remedy.KEYFRAME:
            return [ev.KeyframeWanted()]
        case Remedy.INVALIDATE:
            return [ev.InvalidationWanted(first, last)]
        case Remedy.NOTHING:
            return []
