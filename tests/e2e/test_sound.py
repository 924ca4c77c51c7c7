"""Sound through a real, private PipeWire: played by real programs, decoded from the Opus that a client would get."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.sound_tools import decode, strongest_hz

from punktfunk.media.audio import AudioCapture
from punktfunk.media.frames import OpusPacket
from punktfunk.media.plan import AudioPlan
from punktfunk.session.identity import UserIdentity, desktop_user
from punktfunk.session.processes import ProcessTree, host_mark
from punktfunk.session.runtime_dirs import RuntimeDir
from punktfunk.session.sound import SessionSound, remove_stale_sinks
from punktfunk.session.sound_server import PrivateSoundServer, SoundError, SoundMode, SoundServer, open_sound_server

PROGRAMS = ("pipewire", "wireplumber", "pipewire-pulse", "pactl", "pacat", "pw-cat")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not all(map(shutil.which, PROGRAMS)), reason=f"needs {', '.join(PROGRAMS)} (pipewire, pulseaudio-utils)"
    ),
]

SURROUND_51 = AudioPlan(6, 4, 2, (0, 1, 2, 3, 4, 5), 256_000)
SURROUND_71 = AudioPlan(8, 5, 3, (0, 1, 2, 3, 4, 5, 6, 7), 450_000)
CHANNEL_MAPS = {
    2: "front-left,front-right",
    6: "front-left,front-right,front-center,lfe,rear-left,rear-right",
    8: "front-left,front-right,front-center,lfe,rear-left,rear-right,side-left,side-right",
}
TONES_HZ = (400, 520, 640, 100, 760, 880, 1000, 1120)
RECOVERY_LIMIT_S = 2.0


@pytest.fixture
def user() -> UserIdentity:
    if os.geteuid() != 0:
        return desktop_user(None)
    entry = pwd.getpwnam("nobody")
    return UserIdentity("nobody", entry.pw_uid, entry.pw_gid, "/nonexistent", "")


@pytest.fixture
async def server(user: UserIdentity) -> AsyncIterator[SoundServer]:
    runtime = RuntimeDir.create(user)
    opened = await open_sound_server(SoundMode.PRIVATE, user, runtime)
    assert opened is not None
    yield opened
    await opened.close()
    runtime.close()


async def until(condition: Callable[[], bool], limit_s: float = 10.0) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < limit_s, "condition not reached in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


class Listener:
    """Captures a session's sound and decodes the newest part of it."""

    def __init__(self, sound: SessionSound, plan: AudioPlan) -> None:
        self.plan = plan
        self.packets: list[OpusPacket] = []
        self.capture = AudioCapture(sound.target, plan)
        self.capture.start(self.packets.append)

    def tones(self, seconds: float = 0.25) -> list[float]:
        count = int(seconds * 1000 / self.plan.packet_ms)
        if len(self.packets) < count + 20:
            return [0.0] * self.plan.channels
        # The first packets only settle the decoder.
        samples = decode(self.plan, [bytes(packet.data) for packet in self.packets[-count - 20 :]])
        return [strongest_hz(channel[20 * 48 * self.plan.packet_ms :]) for channel in samples]

    def hears(self, *expected_hz: float) -> bool:
        return all(abs(heard - hz) < 8 for heard, hz in zip(self.tones(), expected_hz, strict=True))


def samples_of(tones_hz: tuple[int, ...], seconds: int = 20) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    time_s = np.arange(48_000 * seconds)[:, None] / 48_000
    return 0.3 * np.sin(2 * np.pi * time_s * np.array(tones_hz))


async def play(server: SoundServer, sound: SessionSound, *argv: str) -> ProcessTree:
    environment = server.user.environment("/nonexistent") | sound.environment
    return await ProcessTree.spawn(argv, name=argv[0], env=environment, user=server.user)


@pytest.fixture
def shared_tmp() -> Iterator[Path]:
    """A folder that the desktop user can read as well."""
    with tempfile.TemporaryDirectory(prefix="pf-sound") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def play_raw(server: SoundServer, sound: SessionSound, folder: Path, tones_hz: tuple[int, ...]) -> ProcessTree:
    path = folder / f"{'-'.join(map(str, tones_hz))}.raw"
    path.write_bytes(samples_of(tones_hz).astype("<f4").tobytes())
    channels = len(tones_hz)
    argv = ("pacat", "--raw", "--format=float32le", "--rate=48000", f"--channels={channels}")
    return await play(server, sound, *argv, f"--channel-map={CHANNEL_MAPS[channels]}", str(path))


@pytest.mark.parametrize("plan", [AudioPlan(), SURROUND_51, SURROUND_71], ids=["stereo", "5.1", "7.1"])
async def test_every_channel_arrives_in_its_place(server: SoundServer, shared_tmp: Path, plan: AudioPlan) -> None:
    sound = await SessionSound.open(server, "one", plan.channels)
    listener = Listener(sound, plan)
    tones = TONES_HZ[: plan.channels]
    player = await play_raw(server, sound, shared_tmp, tones)
    await until(lambda: listener.hears(*tones))
    lengths = {len(packet.data) for packet in listener.packets}
    listener.capture.stop()
    await player.stop(0)
    await sound.close()
    assert len(lengths) == 1
    assert "punktfunk." not in await server.pactl("list", "short", "sinks")


@pytest.mark.parametrize(
    "argv",
    [
        ["pw-cat", "--playback"],
        ["paplay"],
        pytest.param(
            ["aplay", "-q"],
            marks=pytest.mark.skipif(
                not (shutil.which("aplay") and Path("/etc/alsa/conf.d/99-pipewire-default.conf").exists()),
                reason="needs aplay and pipewire-alsa",
            ),
        ),
    ],
    ids=lambda argv: argv[0],
)
async def test_any_kind_of_program_plays_into_the_session(
    server: SoundServer, shared_tmp: Path, argv: list[str]
) -> None:
    other = await SessionSound.open(server, "other", 2)
    sound = await SessionSound.open(server, "one", 2)
    path = shared_tmp / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes((samples_of((500, 700)) * 32767).astype("<i2").tobytes())
    elsewhere, listener = Listener(other, AudioPlan()), Listener(sound, AudioPlan())
    player = await play(server, sound, *argv, str(path))
    await until(lambda: listener.hears(500, 700))
    assert elsewhere.hears(0, 0)
    for each in (listener, elsewhere):
        each.capture.stop()
    await player.stop(0)


async def test_two_sessions_do_not_mix(server: SoundServer, shared_tmp: Path) -> None:
    sounds = [await SessionSound.open(server, name, 2) for name in ("a", "b")]
    listeners = [Listener(sound, AudioPlan()) for sound in sounds]
    players = [
        await play_raw(server, sound, shared_tmp, tones)
        for sound, tones in zip(sounds, ((300, 400), (1500, 1600)), strict=True)
    ]
    await until(lambda: listeners[0].hears(300, 400) and listeners[1].hears(1500, 1600))
    await players[1].stop(0)
    await until(lambda: listeners[1].hears(0, 0))
    assert listeners[0].hears(300, 400)
    for listener in listeners:
        listener.capture.stop()
    await players[0].stop(0)


async def test_program_without_its_sink_is_heard_nowhere_else(server: SoundServer, shared_tmp: Path) -> None:
    other = await SessionSound.open(server, "other", 2)
    sound = await SessionSound.open(server, "one", 2)
    elsewhere, listener = Listener(other, AudioPlan()), Listener(sound, AudioPlan())
    player = await play_raw(server, sound, shared_tmp, (300, 400))
    await until(lambda: listener.hears(300, 400))
    listener.capture.stop()
    await sound.close()
    heard_before = len(elsewhere.packets)
    await until(lambda: len(elsewhere.packets) > heard_before + 150)
    assert elsewhere.hears(0, 0)
    elsewhere.capture.stop()
    await player.stop(0)


async def test_program_goes_on_when_the_channels_change(server: SoundServer, shared_tmp: Path) -> None:
    sound = await SessionSound.open(server, "one", 2)
    stereo = Listener(sound, AudioPlan())
    player = await play_raw(server, sound, shared_tmp, (300, 400))
    await until(lambda: stereo.hears(300, 400))
    stereo.capture.stop()
    await sound.set_channels(6)
    surround = Listener(sound, SURROUND_51)
    await until(lambda: abs(surround.tones()[0] - 300) < 8 and abs(surround.tones()[1] - 400) < 8)
    surround.capture.stop()
    await player.stop(0)


async def test_silence_still_makes_packets(server: SoundServer) -> None:
    sound = await SessionSound.open(server, "quiet", 2)
    listener = Listener(sound, AudioPlan())
    await until(lambda: len(listener.packets) >= 200)
    assert listener.hears(0, 0)
    listener.capture.stop()


@pytest.mark.parametrize("program", ["pipewire", "pipewire-pulse", "wireplumber"])
async def test_killed_server_comes_back(server: SoundServer, shared_tmp: Path, program: str) -> None:
    assert isinstance(server, PrivateSoundServer)
    sound = await SessionSound.open(server, "one", 2)
    listener = Listener(sound, AudioPlan())
    await until(lambda: len(listener.packets) > 20)
    os.kill(next(tree.pid for tree in server._trees if tree.name == program), signal.SIGKILL)
    await until(lambda: server.restarts == 1)
    before = len(listener.packets)
    await until(lambda: len(listener.packets) > before + 20, RECOVERY_LIMIT_S)
    player = await play_raw(server, sound, shared_tmp, (440, 550))
    await until(lambda: listener.hears(440, 550))
    listener.capture.stop()
    await player.stop(0)
    await sound.close()


async def test_hanging_server_does_not_hold_the_capture(server: SoundServer) -> None:
    assert isinstance(server, PrivateSoundServer)
    sound = await SessionSound.open(server, "one", 2)
    listener = Listener(sound, AudioPlan())
    await until(lambda: len(listener.packets) > 20)
    pulse = next(tree.pid for tree in server._trees if tree.name == "pipewire-pulse")
    os.kill(pulse, signal.SIGSTOP)
    before = len(listener.packets)
    await asyncio.sleep(1)
    assert len(listener.packets) < before + 20
    os.kill(pulse, signal.SIGCONT)
    await until(lambda: len(listener.packets) > before + 100, RECOVERY_LIMIT_S)
    listener.capture.stop()


async def test_capture_never_falls_back_to_another_source(server: SoundServer) -> None:
    await SessionSound.open(server, "private", 2)
    gone = await SessionSound.open(server, "gone", 2)
    await gone.close()
    listener = Listener(gone, AudioPlan())
    await asyncio.sleep(0.7)
    listener.capture.stop()
    assert listener.packets == []


def defaults(info: str) -> list[str]:
    return [line for line in info.splitlines() if line.startswith(("Default Sink", "Default Source"))]


async def test_users_own_server_is_used_and_left_as_it_was(server: SoundServer, user: UserIdentity) -> None:
    home = Path(server.pulse_server.removeprefix("unix:")).parent.parent
    owner = UserIdentity(user.name, user.uid, user.gid, user.home, str(home))
    runtime = RuntimeDir.create(UserIdentity(user.name, user.uid, user.gid, user.home, ""))
    await server.pactl("load-module", "module-null-sink", "sink_name=speakers")
    await server.pactl("set-default-sink", "speakers")
    before = await server.pactl("info")
    assert "Default Sink: speakers" in before
    found = await open_sound_server(SoundMode.AUTO, owner, runtime)
    assert found is not None
    assert not isinstance(found, PrivateSoundServer)
    sound = await SessionSound.open(found, "guest", 2)
    during = await server.pactl("info")
    await sound.close()
    await found.close()
    runtime.close()
    for text in (during, await server.pactl("info")):
        assert defaults(text) == defaults(before)
    assert await server.answers()


async def test_sinks_of_a_dead_host_are_removed(server: SoundServer) -> None:
    gone = host_mark(999_999_999).replace("-0-", "-1-")
    await server.pactl("load-module", "module-null-sink", f"sink_name=punktfunk.{gone}.old")
    await SessionSound.open(server, "mine", 2)
    assert await remove_stale_sinks(server) == 1
    sinks = await server.pactl("list", "short", "sinks")
    assert ".old" not in sinks
    assert ".mine" in sinks


async def test_modes_that_start_nothing(user: UserIdentity) -> None:
    runtime = RuntimeDir.create(user)
    assert await open_sound_server(SoundMode.OFF, user, runtime) is None
    nobody_home = UserIdentity(user.name, user.uid, user.gid, user.home, "")
    with pytest.raises(SoundError, match="set the sound mode"):
        await open_sound_server(SoundMode.SYSTEM, nobody_home, runtime)
    runtime.close()
