"""`python -m tests.vm run TEST...`: tests in the virtual machine, with its console on this terminal."""

from __future__ import annotations

import argparse
import json
import sys

from tests.vm.errors import VmFailed, VmUnavailable
from tests.vm.guest_pytest import RUN_TIMEOUT_S, run_pytest
from tests.vm.machine import ACCELERATORS


def main() -> int:
    """Exit code 0 when every test passed, 1 when one failed or none ran, 2 when there is no machine."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run tests in the guest")
    run.add_argument("tests", nargs="+", help="files, node ids and options for pytest, relative to the repository")
    run.add_argument("--kernel", metavar="PACKAGE", help="a linux-image package instead of the default")
    run.add_argument("--accel", choices=sorted(ACCELERATORS), default="tcg")
    run.add_argument("--timeout", type=float, default=RUN_TIMEOUT_S, metavar="SECONDS")
    arguments, for_pytest = parser.parse_known_args()
    try:
        done = run_pytest(
            [*arguments.tests, *for_pytest],
            package=arguments.kernel,
            accelerator=arguments.accel,
            timeout_s=arguments.timeout,
        )
    except VmUnavailable as error:
        print(f"No virtual machine: {error}", file=sys.stderr)
        return 2
    except VmFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(done.console)
    outcomes = [json.loads(line).get("outcome") for line in done.reports.splitlines()]
    return 0 if outcomes and "failed" not in outcomes else 1


if __name__ == "__main__":
    sys.exit(main())
