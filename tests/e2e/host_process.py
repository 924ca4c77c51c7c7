"""A real host, started as a user starts it, in folders and on ports of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

READY_S = 20.0
READY = "is ready after"
PROGRAM = (sys.executable, "-m", "punktfunk.cli.main")
NATIVE_OFFSET = 2
MGMT_OFFSET = 1
PORT_OFFSETS = (-5, 0, MGMT_OFFSET, NATIVE_OFFSET, 9, 10, 11, 21)


class HostProcess:
    """``punktfunk-host serve`` as a child process. ``folder`` holds its configuration, state and log.

    ``prefix`` is a command that runs it (as another user, say), ``environment`` replaces its environment.
    """

    def __init__(
        self,
        folder: Path,
        *flags: str,
        base_port: int | None = None,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        stdin: int | None = subprocess.DEVNULL,
        settings: str = "",
    ) -> None:
        self.folder = folder
        self._prefix, self._environment, self._stdin = prefix, environment, stdin
        self.base_port = base_port or free_base_port()
        self.log_file = folder / "log"
        self.config = folder / "host.toml"
        folder.mkdir(parents=True, exist_ok=True)
        # Unix socket paths are short, and pytest's folders are not.
        self.runtime = Path(f"/tmp/pf-{os.getpid()}-{self.base_port}")
        if not self.config.exists():
            self.config.write_text(
                f'[host]\nname = "test-host"\nconfig_dir = "{folder}/config"\nstate_dir = "{folder}/state"\n'
                f'runtime_dir = "{self.runtime}"\n[network]\nmdns = false\nbind_address = "127.0.0.1"\n{settings}'
            )
        self._flags = flags
        self.process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def mgmt_port(self) -> int:
        """The port of the management API."""
        return self.base_port + MGMT_OFFSET

    @property
    def native_port(self) -> int:
        """The port of punktfunk/1."""
        return self.base_port + NATIVE_OFFSET

    def start(self) -> HostProcess:
        """Start and wait until it says that it is ready."""
        self.spawn()
        deadline = time.monotonic() + READY_S
        while self.log().count(READY) == self._said_before:
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the host did not start:\n{self.log()}")
            time.sleep(0.05)
        return self

    def spawn(self) -> None:
        """Start without waiting."""
        command = [*self._prefix, *PROGRAM, "serve", "--gamestream", "--config", str(self.config)]
        command += ["--base-port", str(self.base_port), "--native-port", str(self.native_port)]
        command += ["--mgmt-port", str(self.mgmt_port)]
        command += ["--log-level", "debug", *self._flags]
        self._said_before = self.log().count(READY)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=self._stdin, env=self._environment, start_new_session=True
            )

    def log(self) -> str:
        """Everything it logged."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run another ``punktfunk-host`` command against it."""
        result = subprocess.run(
            [*self._prefix, *PROGRAM, *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if check and result.returncode:
            raise AssertionError(f"{arguments}: {result.stdout}{result.stderr}")
        return result

    def json(self, *arguments: str) -> Any:
        """The JSON answer of a command."""
        return json.loads(self.command(*arguments, "--json").stdout)

    def stop(self) -> int:
        """End it as Ctrl-C would; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(15)
        self.kill()
        raise AssertionError(f"the host did not stop:\n{self.log()[-4000:]}")

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def descendants(self) -> set[int]:
        """Process ids of everything it started that still runs."""
        assert self.process is not None
        return descendants_of(self.process.pid)


def descendants_of(root: int) -> set[int]:
    """Process ids below ``root``, zombies left out."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    queue = [root]
    while queue:
        for child in children.get(queue.pop(), []):
            found.add(child)
            queue.append(child)
    return found


def free_base_port() -> int:
    """A base port with all ports around it free on loopback."""
    for base in range(20_000 + os.getpid() % 200 * 100, 60_000, 40):
        if all(_free(base + offset) for offset in PORT_OFFSETS):
            return base
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


@contextlib.contextmanager
def running_host(folder: Path, *flags: str, prefix: Sequence[str] = (), settings: str = "") -> Iterator[HostProcess]:
    """A started host that is stopped at the end, cleanly or the test fails."""
    host = HostProcess(folder, *flags, prefix=prefix, settings=settings).start()
    try:
        yield host
    except BaseException:
        print(host.log()[-6000:])
        raise
    finally:
        if host.process is not None and host.process.poll() is None:
            assert host.stop() == 0
        shutil.rmtree(host.runtime, ignore_errors=True)
