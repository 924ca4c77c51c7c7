"""`python -m tests.vm run TEST...`: tests in the virtual machine, with its console on this terminal.

`python -m tests.vm exec COMMAND...` runs any other command of this checkout there.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.vm import uml
from tests.vm.errors import VmFailed, VmUnavailable
from tests.vm.guest_pytest import RUN_TIMEOUT_S, run_command_line, run_pytest
from tests.vm.machine import ACCELERATORS


def main() -> int:
    """Exit code 0 when every test passed, 1 when one failed or none ran, 2 without a machine; or the command's own."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run tests in the guest")
    run.add_argument("what", nargs="+", metavar="TEST", help="files, node ids and options for pytest")
    execute = commands.add_parser("exec", help="run a command in the guest, in this checkout")
    execute.add_argument("what", nargs=argparse.REMAINDER, metavar="COMMAND")
    for each in (run, execute):
        each.add_argument("--kernel", metavar="PACKAGE", help="a linux-image package instead of the default, or uml")
        each.add_argument("--accel", choices=sorted(ACCELERATORS), default="tcg")
        each.add_argument("--timeout", type=float, default=RUN_TIMEOUT_S, metavar="SECONDS")
    commands.add_parser("build-uml", help="build the kernel for --kernel uml")
    arguments, for_pytest = parser.parse_known_args()
    if arguments.command != "run" and for_pytest:
        parser.error(f"unknown: {' '.join(for_pytest)}")
    try:
        if arguments.command == "build-uml":
            print(f"built {uml.build()}")
            return 0
        options = {"package": arguments.kernel, "accelerator": arguments.accel, "timeout_s": arguments.timeout}
        if arguments.command == "exec":
            done = run_command_line(arguments.what, **options)
        else:
            done = run_pytest([*arguments.what, *for_pytest], **options)
    except VmUnavailable as error:
        print(f"No virtual machine: {error}", file=sys.stderr)
        return 2
    except VmFailed as error:
        print(error, file=sys.stderr)
        return 1
    print(done.console)
    if arguments.command == "exec":
        return done.status
    outcomes = [json.loads(line).get("outcome") for line in done.reports.splitlines()]
    return 0 if outcomes and "failed" not in outcomes else 1


if __name__ == "__main__":
    sys.exit(main())
