"""punktfunk-probe as a user starts it, against a real host; its window under a virtual X server."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.e2e.host_process import HostProcess, running_host
from tests.sound_tools import strongest_hz

from punktfunk.media.audio import TONE_HZ
from punktfunk.media.stamp import Stamp, read_stamp

pytestmark = pytest.mark.e2e

PROBE = (sys.executable, "-m", "punktfunk.cli.probe")
PAIR_SPACING_S = 2.1


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    with running_host(tmp_path_factory.mktemp("host"), "--display", "synthetic") as running:
        yield running


class Probe:
    """The program with one client's folder."""

    def __init__(self, folder: Path, host: HostProcess) -> None:
        self.folder = folder
        self.command = (*PROBE, "--client-dir", str(folder), "--host", f"127.0.0.1:{host.native_port}")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments], capture_output=True, text=True, timeout=90, check=False, env=None
        )

    def report(self, *arguments: str) -> dict[str, Any]:
        result = self(*arguments, "--json")
        assert result.returncode == 0, result.stdout + result.stderr
        document: dict[str, Any] = json.loads(result.stdout)
        return document


@pytest.fixture(scope="module")
def probe(host: HostProcess, tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """A client that has paired."""
    client = Probe(tmp_path_factory.mktemp("client"), host)
    time.sleep(PAIR_SPACING_S)
    pin = host.json("pair", "--native")["pin"]
    assert client("--pair", "--pin", pin).returncode == 0
    return client


def test_a_stranger_is_told_what_to_do(host: HostProcess, tmp_path: Path) -> None:
    stranger = Probe(tmp_path, host)
    result = stranger("--approval-seconds", "1")
    assert result.returncode == 4
    assert "approve" in result.stderr
    time.sleep(PAIR_SPACING_S)
    result = stranger("--pair", "--pin", "0000")
    assert result.returncode == 4
    assert "PIN" in result.stderr


def test_a_report_of_everything(probe: Probe, tmp_path: Path) -> None:
    sound, picture = tmp_path / "sound.wav", tmp_path / "picture.png"
    report = probe.report(
        *("--seconds", "4", "--mode", "640x480@60", "--remode", "1280x720@60", "--codec", "h264"),
        *("--input-test", "--mic-test", "--speed-test", "--speed-test-mbps", "50"),
        *("--audio-out", str(sound), "--png", str(picture)),
    )
    checks = [(check["name"], check["passed"]) for check in report["checks"]]
    assert checks == [("picture", True), ("speed test", True), ("input", True), ("microphone", True)]
    assert report["session"]["codec"] == "H264"
    assert report["video"]["shown"] > 100
    assert report["video"]["lost_frames"] == 0
    assert report["mode_changes"][0]["accepted"]
    assert report["mode_changes"][0]["mode"] == "1280x720@60"
    stages = report["latency_ms"]
    assert {"capture", "encode", "pace", "host", "network", "reassemble", "decode", "total"} <= stages.keys()
    assert 0 < stages["host"]["p50"] <= stages["total"]["p50"]
    assert report["rtt_us"] > 0
    with av.open(str(picture)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert pixels.shape == (720, 1280, 3)
    assert read_stamp(pixels) is not None
    with wave.open(str(sound)) as wav:
        assert (wav.getnchannels(), wav.getframerate()) == (2, 48000)
        assert wav.getnframes() > 48000


@pytest.mark.parametrize("bits", [16, 24])
def test_lossless_sound(probe: Probe, tmp_path: Path, bits: int) -> None:
    sound = tmp_path / "sound.wav"
    report = probe.report(
        *("--seconds", "3", "--bitrate", "20000", "--lossless", str(bits), "--no-decode", "--audio-out", str(sound))
    )
    assert report["session"]["audio"] == f"PCM 48000 Hz {bits} bit, 2 channels"
    assert "AUDIO_HIRES" in report["session"]["host_caps"]
    with wave.open(str(sound)) as wav:
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")[::2].astype(np.float32)
    assert len(samples) > 48_000
    assert strongest_hz(samples[-24_000:]) == pytest.approx(TONE_HZ, abs=12)


def test_a_codec_that_the_host_lacks(probe: Probe) -> None:
    result = probe("--codec", "hevc")
    assert result.returncode == 4
    assert "no video codec" in result.stderr


def test_another_certificate_is_refused(probe: Probe) -> None:
    result = probe("--fingerprint", "00" * 32)
    assert result.returncode == 5
    assert "certificate" in result.stderr


@pytest.mark.parametrize("extra", [("--chacha",), ("--codec", "auto"), ("--bitrate", "5000", "--no-decode")])
def test_ways_of_streaming(probe: Probe, extra: tuple[str, ...]) -> None:
    report = probe.report("--seconds", "1.5", *extra)
    assert report["video"]["shown"] > 20


def test_the_host_ends_the_session(probe: Probe, host: HostProcess) -> None:
    with subprocess.Popen([*probe.command, "--seconds", "30", "--json"], stdout=subprocess.PIPE, text=True) as running:
        sessions = wait_for(lambda: host.json("sessions", "list")["sessions"], 10)
        time.sleep(2)
        host.command("sessions", "end", str(sessions[0]["session"]))
        output, _ = running.communicate(timeout=10)
    assert json.loads(output)["ended"]


@pytest.mark.skipif(not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool")
def test_a_person_can_play_in_a_window(probe: Probe, tmp_path: Path) -> None:
    pytest.importorskip("sdl2dll", reason="needs the extra 'window'")
    with virtual_screen() as display:
        environment = {"DISPLAY": display, "SDL_AUDIODRIVER": "dummy", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        command = [*probe.command, "--window", "--codec", "h264", "--mode", "1024x600@60"]
        with started(command, environment) as window:
            first = wait_for(lambda: stamp_on_screen(display, tmp_path), 20)
            wait_for(lambda: stamp_on_screen(display, tmp_path) not in (None, first), 5)

            def xdotool(*words: str) -> None:
                subprocess.run(["xdotool", *words], env=environment, check=True)

            xdotool("mousemove", "500", "400", "click", "1")
            for modifier in ("Control_L", "Alt_L", "Shift_L"):
                xdotool("keydown", modifier)
            xdotool("key", "s")
            wait_for(lambda: "lost frames 0" in window_titles(environment), 5)
            xdotool("key", "q")
            assert window.wait(10) == 0


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that does not outlive the test."""
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def virtual_screen() -> Iterator[str]:
    """An X server without a monitor, exactly as large as the stream; its display."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x600x24"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield f":{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def stamp_on_screen(display: str, folder: Path) -> Stamp | None:
    """The test pattern's stamp, read from a screenshot."""
    file = folder / "screen.png"
    subprocess.run(["import", "-display", display, "-window", "root", str(file)], check=True)
    with av.open(str(file)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return read_stamp(np.ascontiguousarray(pixels))


def window_titles(environment: dict[str, str]) -> str:
    command = ["xwininfo", "-root", "-tree"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def wait_for(condition: Callable[[], Any], limit_s: float) -> Any:
    """The first true value of ``condition``."""
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < deadline, condition
        time.sleep(0.2)
    return value
