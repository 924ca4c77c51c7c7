"""`punktfunk-host`: the command line's entry point and the groups of commands.

Exit codes: 0 done; 1 it failed or was refused, with one sentence why; 2 the command line or the settings are wrong;
3 no host is running; 4 another host runs already or the ports are taken; 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from punktfunk.cli import (
    config,
    devices,
    doctor,
    knocks,
    native_listener,
    openapi,
    pair,
    serve,
    sessions,
    setup,
    version,
)
from punktfunk.cli.output import EXIT_CODES, Example, examples

app = typer.Typer(
    name="punktfunk-host",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    help="Streams a desktop or a game of its own to every Moonlight and punktfunk client that connects.",
    epilog=examples(
        Example("punktfunk-host serve --gamestream", "start, and let Moonlight clients in"),
        Example("punktfunk-host pair --native", "make a PIN for a punktfunk client"),
        Example("punktfunk-host pair 1234", "answer the PIN that Moonlight shows"),
        Example("punktfunk-host doctor", "prove that this machine can stream"),
    )
    + EXIT_CODES,
)
serve.register(app)
doctor.register(app)
pair.register(app)
knocks.register(app)
native_listener.register(app)
version.register(app)
openapi.register(app)
app.add_typer(devices.app)
app.add_typer(sessions.app)
app.add_typer(config.app)
app.add_typer(setup.app)


def main() -> None:
    """Run the command line; the last resort for whatever a command did not foresee."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has left; keep Python from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - users get a sentence, never a traceback
        from punktfunk.cli.output import unexpected

        unexpected(error)


if __name__ == "__main__":
    main()
