"""Why a virtual machine could not be had."""

from __future__ import annotations

from collections.abc import Mapping


class VmUnavailable(Exception):
    """One sentence that says what is missing and how to get it; tests are skipped with it."""


class VmFailed(Exception):
    """The machine started but did not finish; carries the end of its console, and what it had written by then."""

    def __init__(self, message: str, files: Mapping[str, bytes] | None = None) -> None:
        super().__init__(message)
        self.files = files or {}
