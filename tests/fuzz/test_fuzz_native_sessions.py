"""The stateful ends with hostile peers: host session, client receiver, bitrate controller, input decoder."""

from __future__ import annotations

import random

from tests.fuzz.test_fuzz_native_decoders import mutate
from tests.wire.native_stream import KEY, Host, Packet
from tests.wire.native_table import CONTROL, FROM_CLIENT, HELLOS, STARTS

from punktfunk.client.abr import FLOOR_KBPS, BitrateController
from punktfunk.client.abr_signals import WINDOW_S, Window
from punktfunk.client.frame import Limits
from punktfunk.client.loss_recovery import LossRecovery
from punktfunk.client.reassembly import MAX_HELD_FRAMES, WINDOW_FRAMES
from punktfunk.client.receiver import VideoReceiver
from punktfunk.native import session_events as ev
from punktfunk.native.access import Access
from punktfunk.native.adaptive_fec import AdaptiveFec
from punktfunk.native.arming import PairingWindow
from punktfunk.native.clipboard import Clipboard
from punktfunk.native.live_control import SessionParts
from punktfunk.native.modes import Mode, ModeSwitch
from punktfunk.native.recovery import RecoveryPolicy
from punktfunk.native.session import HostSession, Stage
from punktfunk.native.shard_size import ShardSizer
from punktfunk.native.speed_test import ProbeGate
from punktfunk.wire.punktfunk1.enums import VideoCodec
from punktfunk.wire.punktfunk1.framing import encode_frame
from punktfunk.wire.punktfunk1.hello import Hello, encode_hello
from punktfunk.wire.punktfunk1.video import FrameFlags
from punktfunk.wire.punktfunk1.welcome import Start, Welcome, encode_start

WELCOME = Welcome(50_000, 1920, 1080, 60, 1408, bytes(16), b"salt")


def parts() -> SessionParts:
    return SessionParts(
        Access(),
        ModeSwitch(Mode(1920, 1080, 60), VideoCodec.HEVC),
        AdaptiveFec(),
        RecoveryPolicy(),
        ShardSizer(9152, ipv6=False),
        ProbeGate(allowed=True),
        Clipboard(),
    )


def test_openings_of_any_kind_end_or_wait() -> None:
    rng = random.Random(1)
    seeds = [encode_frame(raw) for _, raw, _ in HELLOS + STARTS + CONTROL]
    for _ in range(1500):
        session = HostSession(PairingWindow(), bytes(32), bytes(32), 0.0)
        for step in range(4):
            session.receive(mutate(rng, rng.choice(seeds)), step, 0)
            for event in session.events():
                if isinstance(event, ev.HelloReceived):
                    session.admit(WELCOME, parts(), step)
        session.tick(1000.0)
        assert session.stage in (Stage.CLOSED, Stage.LIVE)


def test_a_live_session_survives_everything_after_start() -> None:
    rng = random.Random(2)
    session = HostSession(PairingWindow(), bytes(32), bytes(32), 0.0)
    session.receive(encode_frame(encode_hello(Hello(1920, 1080, 60))), 0.0, 0)
    session.admit(WELCOME, parts(), 0.0)
    session.receive(encode_frame(encode_start(Start(1))), 0.0, 0)
    controls = [raw for _, raw, _ in CONTROL]
    datagrams = [raw for _, raw, _ in FROM_CLIENT]
    now = 0.0
    for _ in range(8000):
        now += rng.random() / 50
        session.receive(encode_frame(mutate(rng, rng.choice(controls))), now, int(now * 1e9))
        session.datagram(mutate(rng, rng.choice(datagrams)), now)
        session.tick(now)
        assert len(session.events()) < 600
        assert session.stage is Stage.LIVE
    session.disconnected()


def test_receiver_under_mutated_and_hostile_packets() -> None:
    rng = random.Random(3)
    limits = Limits(max_data_shards=64, max_frame_bytes=512 * 1024)
    receiver = VideoReceiver(KEY, limits)
    for seq in range(6000):
        packet = Packet(
            frame_index=rng.choice([0, 1, 2, 70, rng.randrange(2**32)]),
            pts_ns=rng.choice([0, 1, 10**18, 2**64 - 1]),
            frame_bytes=rng.choice([0, 1, 512, 5000, 100_000, 2**32 - 1]),
            user_flags=rng.choice([1, 5, 8, 0x81, 0xFFFF_FFFF]),
            block_index=rng.choice([0, 0, 1, 65_535]),
            block_count=rng.choice([0, 1, 1, 2, 65_535]),
            data_shards=rng.choice([0, 1, 2, 10, 64, 65_535]),
            recovery_shards=rng.choice([0, 1, 57, 65_535]),
            shard_index=rng.choice([0, 1, 2, 9, 64, 65_535]),
            shard_bytes=512,
        )
        datagram = packet.sealed(seq)
        receiver.receive(mutate(rng, datagram) if rng.random() < 0.2 else datagram, 0.0)
        assert receiver.reassembler.held_bytes <= MAX_HELD_FRAMES * limits.max_frame_bytes
        assert receiver.reassembler.frames_in_flight <= WINDOW_FRAMES + 1
    host = Host()
    units = [u for p in host.frame(b"alive", 3)[:1] for u in VideoReceiver(KEY, limits).receive(p, 0.0)]
    assert [u.data for u in units] == [b"alive"]


def test_controllers_take_any_figures() -> None:
    rng = random.Random(4)
    for _ in range(30):
        controller, recovery, now = BitrateController(rng.choice([500, 20_000]), 0.0), LossRecovery(0.0), 0.0
        for _ in range(400):
            now += WINDOW_S * rng.random() * 2
            controller.poll(now)
            if rng.random() < 0.1:
                controller.probe_measured(rng.choice([0, 1, 1e3, 1e6, 1e9]), now)
            controller.frame(rng.choice([-1e6, 0, 5, 80, 1e6]), rng.choice([0, 1500, 10**6]), now)
            figures = [rng.choice([0, 1, 10_000, 10**6]) for _ in range(4)]
            asked = controller.window(
                Window(figures[0], figures[1], rng.choice([-1e6, 0, 30, 1e6]), figures[2], rng.choice([0, 50])), now
            )
            assert asked is None or min(FLOOR_KBPS, controller.target_kbps) <= asked <= 8_000_000
            if asked is not None and rng.random() < 0.8:
                controller.bitrate_changed(rng.choice([asked, 500, 8_000_000]), now)
            requests = recovery.delivered(rng.randrange(2**32), FrameFlags(rng.randrange(512)), now)
            assert len(requests) <= 2


TARGETS = (
    test_openings_of_any_kind_end_or_wait,
    test_a_live_session_survives_everything_after_start,
    test_receiver_under_mutated_and_hostile_packets,
)
