"""The reference client, as released, against a real host: ``python -m tests.by_hand.released_probe PROGRAM``.

PROGRAM is a ``punktfunk-probe`` of the original project, built outside of this repository. Each case is one run of it;
what it says about itself, what it stored and what the host knows have to fit. Prints a table; exit status 1 where a
case failed. docs/interoperability.md has what came of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
from tests.e2e.host_process import PROGRAM, HostProcess, free_base_port, running_host

ADDRESS = "127.0.0.1"
FRAMES = 300
WATCH_S = 6.0
END_S = 20.0
PAIR_SPACING_S = 2.1
MIN_FRAMES = 60
_FIGURE = re.compile(r"(\w+)=\"?([\w.%-]+)")


class CaseFailed(Exception):
    """The probe or the host did something else than expected."""


@dataclass
class Run:
    """One finished run of the probe; ``figures`` are the last of each name that it printed."""

    status: int
    output: str
    figures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.figures = dict(_FIGURE.findall(self.output))

    def must_say(self, *words: str) -> None:
        """Every one of these is in what it printed."""
        for text in words:
            if text not in self.output:
                raise CaseFailed(f"does not say {text!r}: …{self.output[-300:]}")


class ReleasedProbe:
    """A released probe with a home of its own, and the host that it talks to."""

    def __init__(self, program: Path, host: HostProcess, folder: Path) -> None:
        self._program, self._host, self._folder = program, host, folder
        self.fingerprint = ""

    def run(self, *options: str, port: int | None = None, limit_s: float = END_S) -> Run:
        """Run it to its own end."""
        with self._started(options, port) as process:
            return self._finished(process, limit_s)

    def watch(self, *options: str, seconds: float = WATCH_S) -> tuple[Run, dict[tuple[int, int], int]]:
        """Stream, have the host end the session, decode what was stored: pictures by their size."""
        file = self._folder / "stream.h264"
        file.unlink(missing_ok=True)
        with self._started(("--pin", self.fingerprint, "--codec", "h264", "--out", str(file), *options)) as process:
            time.sleep(seconds)
            for session in self._host.json("sessions", "list")["sessions"]:
                self._host.command("sessions", "end", session["session"])
            run = self._finished(process, END_S)
        run.must_say("stream complete", "audio decoded")
        sizes: dict[tuple[int, int], int] = {}
        with av.open(str(file)) as container:
            for frame in container.decode(video=0):
                sizes[frame.width, frame.height] = sizes.get((frame.width, frame.height), 0) + 1
        if sum(sizes.values()) < MIN_FRAMES or sum(sizes.values()) != int(run.figures["frames"]):
            raise CaseFailed(f"{run.figures['frames']} frames arrived, decoded were {sizes}")
        return run, sizes

    def pair(self, pin: str) -> Run:
        """One PIN ceremony; a host takes one every two seconds."""
        time.sleep(PAIR_SPACING_S)
        return self.run("--pair", pin, "--name", "Released")

    def arm(self) -> str:
        """A fresh PIN."""
        return str(self._host.json("pair", "--native")["pin"])

    @contextlib.contextmanager
    def _started(self, options: tuple[str, ...], port: int | None = None) -> Iterator[subprocess.Popen[str]]:
        environment = os.environ | {"HOME": str(self._folder), "RUST_LOG": "info", "NO_COLOR": "1"}
        command = [str(self._program), "--connect", f"{ADDRESS}:{port or self._host.native_port}", *options]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    @staticmethod
    def _finished(process: subprocess.Popen[str], limit_s: float) -> Run:
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise CaseFailed(f"still runs after {limit_s:g} s") from error
        return Run(process.returncode, output)


def wrong_pin(probe: ReleasedProbe) -> str:
    """Another PIN than the host's is refused, and uses it up."""
    pin = probe.arm()
    other = f"{(int(pin) + 1) % 10_000:04}"
    run = probe.pair(other)
    run.must_say("pairing failed")
    probe.pair(pin).must_say("pairing failed")
    return "refused; the right one afterwards as well"


def right_pin(probe: ReleasedProbe) -> str:
    """The PIN pairs and proves the host's certificate."""
    run = probe.pair(probe.arm())
    run.must_say("PAIRED")
    probe.fingerprint = run.figures["fingerprint"]
    return "paired"


def other_certificate(probe: ReleasedProbe) -> str:
    """A pin of another host ends in the handshake."""
    run = probe.run("--pin", "00" * 32)
    run.must_say("ApplicationVerificationFailure")
    return "no connection"


def picture_and_sound(probe: ReleasedProbe) -> str:
    """A plain stream."""
    run, _ = probe.watch(seconds=10)
    f = run.figures
    return f"{f['frames']} frames, {f['audio_pkts']} of sound, capture to received {_ms(f['lat_p50_us'])} ms p50"


def mode_change(probe: ReleasedProbe) -> str:
    """720p becomes 1080p in mid-stream."""
    run, sizes = probe.watch("--mode", "1280x720x60", "--remode", "1920x1080x60:3", seconds=8)
    run.must_say("mode switch ACCEPTED")
    if set(sizes) != {(1280, 720), (1920, 1080)}:
        raise CaseFailed(f"pictures of {sizes}")
    return " then ".join(f"{n} of {w}x{h}" for (w, h), n in sizes.items())


def surround(probe: ReleasedProbe) -> str:
    """Six and eight channels."""
    for channels in ("6", "8"):
        run, _ = probe.watch("--audio-channels", channels)
        run.must_say(f"channels={channels}")
    return "6 and 8 channels decoded"


def bitrate(probe: ReleasedProbe) -> str:
    """Another rate in mid-stream."""
    run, _ = probe.watch("--rebitrate", "4000:2")
    if "requesting mid-stream bitrate change" not in run.output:
        return "this version has no --rebitrate"
    run.must_say("applied_kbps=4000")
    return "4000 kbit/s applied"


def speed_test(probe: ReleasedProbe) -> str:
    """A burst of filler in mid-stream."""
    run, _ = probe.watch("--speed-test", "50000:1000")
    run.must_say("SPEED TEST complete")
    if run.figures["wire_pkts_sent"] == "0":
        return "declined: this version cannot tell filler from video"
    return f"{run.figures['delivered_mbps']} Mbit/s, lost {run.figures['link_loss_pct']}"


def tests_of_input(probe: ReleasedProbe) -> str:
    """Keys, pointer, touch, pad and microphone are sent; the stream goes on."""
    for option in ("--input-test", "--touch-test", "--rich-input-test", "--mic-test"):
        run, _ = probe.watch(option, seconds=9)
        run.must_say(option[2:])
    return "input, touch, rich input and microphone sent"


def byte_check(probe: ReleasedProbe, folder: Path) -> str:
    """The frames of ``punktfunk1-host --frames``, compared byte by byte by the probe itself."""
    port = free_base_port()
    environment = os.environ | {
        f"PUNKTFUNK_HOST_{name.upper()}": f"{folder}/{name}" for name in ("config_dir", "state_dir", "runtime_dir")
    }
    options = ["--port", str(port), "--bind", ADDRESS, "--source", "synthetic", "--frames", str(FRAMES), "--open"]
    with (folder / "log").open("wb") as log:
        command = [*PROGRAM, "punktfunk1-host", *options]
        host = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + END_S
        while "is ready" not in (folder / "log").read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        run = probe.run(port=port, limit_s=60)
    finally:
        host.terminate()
        host.wait()
    run.must_say("verification PASSED", f"frames={FRAMES}", "mismatched=0")
    return f"{FRAMES} frames, none with a wrong byte"


CASES: tuple[Callable[[ReleasedProbe], str], ...] = (
    *(wrong_pin, right_pin, other_certificate, picture_and_sound, mode_change),
    *(surround, bitrate, speed_test, tests_of_input),
)


def _ms(microseconds: str) -> str:
    return f"{int(microseconds) / 1000:.1f}"


def main() -> int:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("program", type=Path, help="the released punktfunk-probe")
    parser.add_argument("--display", default="synthetic", help="display.kind of the host")
    parser.add_argument("--only", default="", help="names of cases, with commas")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.only.split(",")))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="pf-") as name:
        folder = Path(name)
        with running_host(folder / "host", "--display", arguments.display) as host:
            probe = ReleasedProbe(arguments.program, host, folder)
            for case in CASES:
                if not wanted or case.__name__ in wanted | {"right_pin"}:
                    failed += not _try(case.__name__, lambda case=case: case(probe))  # type: ignore[misc]
        if not wanted or "byte_check" in wanted:
            (folder / "listener").mkdir()
            failed += not _try("byte_check", lambda: byte_check(probe, folder / "listener"))
    return 1 if failed else 0


def _try(name: str, case: Callable[[], str]) -> bool:
    try:
        print(f"{name:18} ok      {case()}", flush=True)
    except CaseFailed as error:
        print(f"{name:18} FAILED  {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
