"""The host's session core: stages, deadlines, held-back messages, what each control message leads to."""

from __future__ import annotations

import pytest

from punktfunk.input.events import KeyChanged
from punktfunk.native import session_events as ev
from punktfunk.native.access import Access
from punktfunk.native.adaptive_fec import AdaptiveFec, Protection
from punktfunk.native.arming import PairingWindow
from punktfunk.native.clipboard import IMAGE_PNG, TEXT_PLAIN, Clipboard
from punktfunk.native.live_control import SessionParts
from punktfunk.native.modes import Mode, ModeSwitch
from punktfunk.native.recovery import KEYFRAME_SPACING_S, RecoveryPolicy
from punktfunk.native.session import HOLD_BACK_S, HostSession, Stage
from punktfunk.native.shard_size import ShardSizer
from punktfunk.native.speed_test import DECLINED, ProbeGate
from punktfunk.wire.punktfunk1 import messages as m
from punktfunk.wire.punktfunk1.audio import MicrophoneFrame
from punktfunk.wire.punktfunk1.caps import ALL_GRANTS, Grants
from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.datagrams import encode_datagram
from punktfunk.wire.punktfunk1.enums import CloseCode, FetchStatus, VideoCodec
from punktfunk.wire.punktfunk1.framing import FrameDecoder, encode_frame
from punktfunk.wire.punktfunk1.hello import Hello, encode_hello
from punktfunk.wire.punktfunk1.input_event import InputEvent, InputKind, encode_input
from punktfunk.wire.punktfunk1.pairing import PakeClient
from punktfunk.wire.punktfunk1.welcome import Start, Welcome, decode_welcome, encode_start

HELLO = Hello(1920, 1080, 60, name="Deck", max_shard_payload=9152)
WELCOME = Welcome(50_000, 1920, 1080, 60, 1408, bytes(16), b"salt")
CLIENT, HOST = bytes(32), bytes([1] * 32)
WALL_NS = 10**18


def framed(message: m.ControlMessage) -> bytes:
    return encode_frame(encode_control(message))


def new_session(window: PairingWindow | None = None) -> HostSession:
    return HostSession(window or PairingWindow(), CLIENT, HOST, 0.0)


def parts(access: Access | None = None) -> SessionParts:
    return SessionParts(
        access or Access(),
        ModeSwitch(Mode(1920, 1080, 60), VideoCodec.HEVC),
        AdaptiveFec(),
        RecoveryPolicy(),
        ShardSizer(HELLO.max_shard_payload, ipv6=False),
        ProbeGate(allowed=True),
        Clipboard(),
    )


def live(access: Access | None = None, *, past_clock_rounds: bool = True) -> HostSession:
    session = new_session()
    session.receive(encode_frame(encode_hello(HELLO)), 0.0, WALL_NS)
    session.admit(WELCOME, parts(access), 0.0)
    session.receive(encode_frame(encode_start(Start(40_000))), 0.0, WALL_NS)
    if past_clock_rounds:
        session.tick(HOLD_BACK_S)
    session.events()
    return session


def sent(events: list[ev.SessionEvent]) -> list[m.ControlMessage]:
    frames = FrameDecoder()
    return [decode_control(p) for e in events if isinstance(e, ev.Transmit) for p in frames.feed(e.data)]


def tell(session: HostSession, message: m.ControlMessage, now: float = 2.0) -> list[ev.SessionEvent]:
    session.receive(framed(message), now, WALL_NS)
    return session.events()


def test_handshake_byte_by_byte() -> None:
    session = new_session()
    for byte in encode_frame(encode_hello(HELLO)):
        session.receive(bytes([byte]), 0.1, WALL_NS)
    assert session.events() == [ev.HelloReceived(HELLO)]
    session.admit(WELCOME, parts(), 0.2)
    (welcome,) = session.events()
    assert isinstance(welcome, ev.Transmit)
    assert decode_welcome(welcome.data[2:]) == WELCOME
    session.receive(encode_frame(encode_start(Start(40_000))), 0.3, WALL_NS)
    assert session.events() == [ev.Started(Start(40_000))]
    assert session.stage is Stage.LIVE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode_frame(encode_hello(Hello(1, 1, 1, abi_version=3))), CloseCode.WIRE_VERSION),
        (encode_frame(b"PKF1"), CloseCode.ERROR),
        (encode_frame(b""), CloseCode.ERROR),
        (framed(m.RequestKeyframe()), CloseCode.ERROR),
        (framed(m.PairProof(bytes(32))), CloseCode.ERROR),
        (b"\xff\xff", CloseCode.ERROR),
        (encode_frame(encode_hello(HELLO)) + encode_frame(encode_start(Start(1))), CloseCode.ERROR),
    ],
    ids=["version", "short", "empty", "keyframe", "proof", "huge", "impatient"],
)
def test_bad_openings_close(data: bytes, code: CloseCode) -> None:
    session = new_session()
    session.receive(data, 0.0, WALL_NS)
    close = session.events()[-1]
    assert isinstance(close, ev.Close)
    assert close.code is code
    session.receive(data, 0.0, WALL_NS)
    session.tick(100.0)
    assert session.events() == []


def test_stages_have_deadlines() -> None:
    session = new_session()
    assert session.next_deadline(0.0) == 10.0
    session.tick(9.9)
    assert session.events() == []
    session.tick(10.0)
    assert session.events() == [ev.Close(CloseCode.ERROR, "timed out")]


def test_parking_waits_for_the_owner() -> None:
    session = new_session()
    session.receive(encode_frame(encode_hello(HELLO)), 1.0, WALL_NS)
    session.park()
    assert session.next_deadline(1.0) is None
    session.tick(179.0)
    session.admit(WELCOME, parts(), 180.0)
    assert session.next_deadline(180.0) == 190.0
    with pytest.raises(RuntimeError, match="starting"):
        session.park()


def test_pairing_over_the_control_stream() -> None:
    window = PairingWindow()
    window.arm(0.0, pin="0042")
    session = new_session(window)
    client = PakeClient("0042", CLIENT, HOST)
    session.receive(framed(m.PairRequest("Deck", client.message)), 1.0, WALL_NS)
    (challenge,) = sent(session.events())
    assert isinstance(challenge, m.PairChallenge)
    client.receive(challenge.spake_b)
    session.receive(framed(m.PairProof(client.proof())), 2.0, WALL_NS)
    paired, result = session.events()
    assert paired == ev.Paired("Deck")
    assert sent([result]) == [m.PairResult(True)]
    session.tick(7.0)
    assert session.events() == [ev.Close(CloseCode.DONE)]


def test_unsolicited_messages_wait_for_the_clock_rounds() -> None:
    session = live(past_clock_rounds=False)
    session.send(m.AccessUpdate(1, 2))
    session.send(m.ClipState(False, 0, 0))
    session.send(m.AccessUpdate(3, 4))
    for round_number in range(8):
        assert all(isinstance(x, m.ClockEcho) for x in sent(session.events()))
        session.receive(framed(m.ClockProbe(round_number)), 0.1, WALL_NS)
    messages = sent(session.events())
    assert messages[0] == m.ClockEcho(7, WALL_NS, WALL_NS)
    assert messages[1:] == [m.ClipState(False, 0, 0), m.AccessUpdate(3, 4)]


def test_unsolicited_messages_do_not_wait_for_a_client_without_clock_rounds() -> None:
    session = live(past_clock_rounds=False)
    session.send(m.PipelineGap(5))
    assert session.next_deadline(0.0) == HOLD_BACK_S
    session.tick(HOLD_BACK_S)
    assert sent(session.events()) == [m.PipelineGap(5)]


def test_reconfigure() -> None:
    session = live()
    accepted = tell(session, m.Reconfigure(2560, 1440, 120))
    assert sent(accepted) == [m.Reconfigured(True, 2560, 1440, 120)]
    assert accepted[-1] == ev.ModeRequested(Mode(2560, 1440, 120))
    assert sent(tell(session, m.Reconfigure(1280, 720, 60), 2.4)) == [m.Reconfigured(False, 2560, 1440, 120)]
    assert sent(tell(session, m.Reconfigure(1281, 720, 60), 3.0)) == [m.Reconfigured(False, 2560, 1440, 120)]
    session.mode_became(Mode(2560, 1440, 60))
    assert sent(session.events()) == [m.Reconfigured(True, 2560, 1440, 60)]
    session.mode_became(Mode(2560, 1440, 60))
    assert session.events() == []


@pytest.mark.parametrize(
    "mode", [(0, 720, 60), (720, 0, 60), (8194, 720, 60), (1280, 721, 60), (1280, 720, 0), (1280, 720, 10_000)]
)
def test_absurd_modes_are_refused(mode: tuple[int, int, int]) -> None:
    assert sent(tell(live(), m.Reconfigure(*mode))) == [m.Reconfigured(False, 1920, 1080, 60)]


@pytest.mark.parametrize(("asked", "granted"), [(0, 20_000), (1, 500), (50_000, 50_000), (2**32 - 1, 8_000_000)])
def test_bitrate_is_clamped(asked: int, granted: int) -> None:
    session = live()
    assert tell(session, m.SetBitrate(asked)) == [ev.BitrateRequested(granted)]
    session.bitrate_became(granted)
    assert sent(session.events()) == [m.BitrateChanged(granted)]


def test_loss_reports_steer_fec() -> None:
    session = live()
    some = ev.LossReported(80_000, 80_000)
    assert tell(session, m.LossReport(80_000)) == [some, ev.FecChanged(Protection(13, 92_000))]
    assert tell(session, m.LossReport(0)) == [ev.LossReported(0, 0), ev.FecChanged(Protection(12))]
    worst = ev.LossReported(1_000_000, 1_000_000)
    assert tell(session, m.LossReport(2**32 - 1)) == [worst, ev.FecChanged(Protection(50))]


def test_what_parity_mended_is_told_from_what_a_client_adds_for_a_lost_frame() -> None:
    session = live()
    tell(session, m.RfiRequest(3, 3))
    assert tell(session, m.LossReport(70_000))[0] == ev.LossReported(70_000, 20_000)
    assert tell(session, m.LossReport(70_000))[0] == ev.LossReported(70_000, 70_000)
    tell(session, m.RequestKeyframe())
    assert tell(session, m.LossReport(20_000))[0] == ev.LossReported(20_000, 20_000)


def test_recovery_requests() -> None:
    session = live()
    assert tell(session, m.RequestKeyframe(), 2.0) == [ev.KeyframeWanted()]
    assert tell(session, m.RequestKeyframe(), 2.1) == []
    session.frame_sent(10, 2.2, keyframe=True, anchor=False)
    assert tell(session, m.RfiRequest(5, 9), 2.3) == []
    assert tell(session, m.RfiRequest(11, 12), 2.4) == [ev.InvalidationWanted(11, 12)]
    session.invalidation_failed(3.5)
    assert session.events() == [ev.KeyframeWanted()]


def test_probe_is_granted_once_in_ten_seconds() -> None:
    session = live()
    (started,) = tell(session, m.ProbeRequest(100_000, 800), 2.0)
    assert isinstance(started, ev.ProbeStarted)
    session.probe_finished(started.burst.result(2.8))
    assert sent(session.events()) == [m.ProbeResult(0, 0, 800, 0, 0)]
    assert sent(tell(session, m.ProbeRequest(100_000, 800), 5.0)) == [DECLINED]


def test_shard_size_grows_only_after_the_ack() -> None:
    session = live()
    session.path_mtu(1400, 2.0)
    shrunk = session.events()
    assert sent(shrunk) == [m.ShardPayloadChanged(1308)]
    assert shrunk[-2] == ev.ShardSizeChanged(1308)
    session.path_mtu(1500, 3.0)
    assert sent(session.events()) == [m.ShardPayloadChanged(1408)]
    assert tell(session, m.ShardPayloadAck(1400)) == []
    assert tell(session, m.ShardPayloadAck(1408)) == [ev.ShardSizeChanged(1408)]


def test_a_smaller_path_has_swallowed_frames_and_costs_a_keyframe() -> None:
    session = live()
    session.frame_sent(0, 1.9, keyframe=True, anchor=False)
    session.path_mtu(1280, 2.0)
    assert session.events()[-2:] == [ev.ShardSizeChanged(1188), ev.KeyframeWanted()]
    assert tell(session, m.RequestKeyframe(), 2.1) == []
    session.path_mtu(1280, 2.2)
    assert session.events() == []
    assert tell(session, m.RequestKeyframe(), 2.1 + KEYFRAME_SPACING_S) == [ev.KeyframeWanted()]


def test_clipboard_both_ways() -> None:
    session_parts = parts()
    session = new_session()
    session.receive(encode_frame(encode_hello(HELLO)), 0.0, WALL_NS)
    session.admit(WELCOME, session_parts, 0.0)
    session.receive(encode_frame(encode_start(Start(1))), 0.0, WALL_NS)
    session.tick(HOLD_BACK_S)
    session.events()
    clipboard = session_parts.clipboard
    assert clipboard.offer([(TEXT_PLAIN, 5)]) is None
    on = tell(session, m.ClipControl(True))
    assert sent(on) == [m.ClipState(True, 1, 0)]
    assert on[-1] == ev.ClipboardSwitched(True)
    offer = m.ClipOffer(7, (m.ClipFormat(TEXT_PLAIN, 3), m.ClipFormat("application/x-evil")))
    assert tell(session, offer) == [ev.ClipboardOffered(m.ClipOffer(7, (m.ClipFormat(TEXT_PLAIN, 3),)))]
    assert tell(session, m.ClipOffer(6, ())) == []
    own = clipboard.offer([(TEXT_PLAIN, 5), ("text/unknown", 1)])
    assert own == m.ClipOffer(1, (m.ClipFormat(TEXT_PLAIN, 5),))
    assert clipboard.client_fetches(m.ClipFetch(1, TEXT_PLAIN)) is FetchStatus.OK
    assert clipboard.client_fetches(m.ClipFetch(1, TEXT_PLAIN, 0)) is FetchStatus.UNAVAILABLE
    assert clipboard.client_fetches(m.ClipFetch(1, IMAGE_PNG)) is FetchStatus.UNAVAILABLE
    assert clipboard.client_fetches(m.ClipFetch(2, TEXT_PLAIN)) is FetchStatus.STALE
    session.change_access(ALL_GRANTS & ~Grants.CLIPBOARD, None, 3.0)
    assert sent(session.events()) == [m.AccessUpdate(55, 0), m.ClipState(False, 0, 5)]
    assert clipboard.client_fetches(m.ClipFetch(1, TEXT_PLAIN)) is FetchStatus.DENIED


def test_access_warns_and_ends() -> None:
    session = live(Access(ALL_GRANTS, expires=400.0))
    session.tick(50.0)
    assert session.events() == []
    session.tick(100.0)
    assert sent(session.events()) == [m.AccessUpdate(63, 300)]
    assert session.next_deadline(100.0) == 340.0
    session.tick(340.0)
    assert sent(session.events()) == [m.AccessUpdate(63, 60)]
    session.tick(400.0)
    assert session.events() == [ev.Close(CloseCode.ACCESS_EXPIRED)]


def test_revoked_grants_release_what_is_held() -> None:
    session = live()
    session.datagram(encode_input(InputEvent(InputKind.KEY_DOWN, 0x41)), 2.0)
    assert session.events() == [ev.InputReceived((KeyChanged(30, True),))]
    session.change_access(Grants.NONE, None, 2.1)
    events = session.events()
    assert events[0] == ev.InputReceived((KeyChanged(30, False),))
    assert sent(events)[0] == m.AccessUpdate(0, 0)
    session.datagram(encode_input(InputEvent(InputKind.KEY_DOWN, 0x41)), 2.2)
    session.datagram(encode_datagram(MicrophoneFrame(0, 0, b"x")), 2.2)
    assert session.events() == []


def test_close_and_disconnect_release_what_is_held() -> None:
    for end in (lambda s: s.close(CloseCode.BUSY, "x" * 1000), lambda s: s.disconnected()):
        session = live()
        session.receive(framed(m.InputEdge(encode_input(InputEvent(InputKind.KEY_DOWN, 0x41)))), 2.0, WALL_NS)
        session.events()
        end(session)
        events = session.events()
        assert events[0] == ev.InputReceived((KeyChanged(30, False),))
        assert all(len(e.reason) == 256 for e in events if isinstance(e, ev.Close))


def test_microphone_and_junk_datagrams() -> None:
    session = live()
    frame = MicrophoneFrame(1, 2, b"opus")
    session.datagram(encode_datagram(frame), 2.0)
    assert session.events() == [ev.MicrophoneReceived(frame)]
    for junk in (b"", b"\xc8", b"\xcc", b"\xcc\x05\0\x09\0\0", b"\xcb", b"\xc9" + bytes(20), b"\xff" * 40):
        session.datagram(junk, 2.0)
    assert session.events() == []
    assert session.malformed == 4


def test_junk_control_messages_change_nothing() -> None:
    session = live()
    for payload in (b"", b"PKFc", b"PKFc\xee", b"PKFc\x01\0", b"PKFc\x02" + bytes(13), b"XXXX" + bytes(50)):
        session.receive(encode_frame(payload), 2.0, WALL_NS)
    assert session.events() == []
    assert session.malformed == 1
    assert session.stage is Stage.LIVE
