"""Changing host.toml without losing what a person wrote around the values: comments, order, layout.

A change is tried on a copy first: what would be wrong is told with the same words as at the start of the host.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping

import tomlkit
from tomlkit.exceptions import TOMLKitError

from punktfunk.host.settings import value_of
from punktfunk.host.settings_load import LoadedSettings, load
from punktfunk.host.settings_sources import MAX_FILE_BYTES, Mistake, Origin, SettingsError
from punktfunk.trust.files import write_private

Edit = Callable[[tomlkit.TOMLDocument], None]


class ConfigFile:
    """host.toml under the variables and flags that this host was started with. Blocks for a small file."""

    def __init__(self, running: LoadedSettings, environment: Mapping[str, str]) -> None:
        self.path = running.file
        self._environment = environment
        self._flags = {
            key: (origin.where, value_of(running.settings, key))
            for key, origin in running.origins.items()
            if origin.kind == "flag"
        }

    def load(self) -> LoadedSettings:
        """What a host that starts now would run with; raises SettingsError."""
        # A file that nobody has written yet is fine; `load` insists on one that is named.
        file = self.path if self.path.exists() else None
        return load(self._flags, environment=self._environment, file=file)

    def try_edit(self, edit: Edit) -> LoadedSettings:
        """What a host would run with after ``edit``, which is not kept; raises SettingsError."""
        return self._checked(self._edited(edit))

    def edit(self, edit: Edit) -> LoadedSettings:
        """Make ``edit``; raises SettingsError and leaves the file alone when something would be wrong."""
        text = self._edited(edit)
        loaded = self._checked(text)
        try:
            write_private(self.path.resolve(), text.encode(), replace=True)
        except OSError as error:
            raise self._mistake(f"cannot be written: {error.strerror}") from error
        return loaded

    def _edited(self, edit: Edit) -> str:
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            document = tomlkit.parse(text)
            edit(document)
            return tomlkit.dumps(document)
        except (OSError, UnicodeDecodeError, TOMLKitError) as error:
            raise self._mistake(f"cannot be edited: {error}") from error

    def _checked(self, text: str) -> LoadedSettings:
        if len(text.encode()) > MAX_FILE_BYTES:
            raise self._mistake(f"would be larger than {MAX_FILE_BYTES // 1024} KiB")
        trial = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            write_private(trial, text.encode(), replace=False)
            return load(self._flags, environment=self._environment, file=trial)
        except OSError as error:
            raise self._mistake(f"cannot be written: {error.strerror}") from error
        finally:
            with contextlib.suppress(OSError):
                trial.unlink()

    def _mistake(self, message: str) -> SettingsError:
        return SettingsError((Mistake("", message, Origin("file", str(self.path))),))
