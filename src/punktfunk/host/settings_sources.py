"""Where settings come from: host.toml with the line of each value, environment variables, flags."""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

MAX_FILE_BYTES = 256 * 1024
MAX_DEPTH = 8


class Origin(msgspec.Struct, frozen=True):
    """Where a value came from; ``where`` is ``FILE:LINE``, the variable or the flag, empty for a default."""

    kind: Literal["default", "file", "environment", "flag"]
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.kind


class Mistake(msgspec.Struct, frozen=True):
    """One thing to mend: ``host.toml:7: network.mdsn: there is no …``."""

    key: str
    message: str
    origin: Origin

    def __str__(self) -> str:
        return f"{self.origin}: {self.key + ': ' if self.key else ''}{self.message}"


class SettingsError(Exception):
    """The settings cannot be used; ``mistakes`` holds every reason, ``str()`` one line for each."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class Entry(msgspec.Struct, frozen=True):
    """One value before it is checked. ``textual``: it came as text, so "true" is a boolean and "5" a number."""

    key: str
    value: object
    origin: Origin
    textual: bool = False


class FileValues(msgspec.Struct, frozen=True):
    """What host.toml holds: plain entries, the raw ``[[apps]]`` tables, and the line of each key."""

    path: Path
    entries: tuple[Entry, ...] = ()
    apps: tuple[Any, ...] = ()
    lines: dict[str, int] = msgspec.field(default_factory=dict)

    def origin(self, key: str) -> Origin:
        """The line of ``key``, or of the nearest table above it."""
        while key not in self.lines and key:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return Origin("file", f"{self.path}:{self.lines.get(key, 1)}")


def read_file(path: Path, *, must_exist: bool) -> FileValues:
    """Read host.toml. A file that is not there is an empty one, unless somebody named it.

    Raises ``SettingsError`` for what cannot be read, is no TOML, or could have been written by somebody else: apps are
    commands, so whoever writes this file runs programs as this user.
    """
    try:
        text = _read_trusted(path)
    except FileNotFoundError:
        if must_exist:
            raise _file_error(path, "there is no such file; create it or leave out --config") from None
        return FileValues(path)
    except OSError as error:
        raise _file_error(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _file_error(path, "is not UTF-8 text") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, error) from error
    lines = dict(_locate(text))
    apps = document.pop("apps", [])
    if not isinstance(apps, list):
        raise _file_error(path, "apps: write each app as its own [[apps]] table", lines.get("apps", 1))
    found = FileValues(path, (), tuple(apps), lines)
    entries = tuple(Entry(key, value, found.origin(key)) for key, value in _leaves(document))
    return msgspec.structs.replace(found, entries=entries)


def environment_entries(
    environment: Mapping[str, str], known: Mapping[str, str], ignored: frozenset[str]
) -> tuple[list[Entry], list[Mistake]]:
    """The ``PUNKTFUNK_*`` variables as entries, and a mistake for each that is no setting."""
    entries, unknown = [], []
    for name in sorted(name for name in environment if name.startswith("PUNKTFUNK_") and name not in ignored):
        origin = Origin("environment", name)
        if key := known.get(name):
            entries.append(Entry(key, _from_text(environment[name]), origin, textual=True))
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"; did you mean {close[0]}?" if close else ""
        unknown.append(Mistake("", f"no setting has this name{hint}", origin))
    return entries, unknown


def flag_entries(flags: Mapping[str, tuple[str, object]]) -> list[Entry]:
    """Flags as entries; text is taken as a variable's would be."""
    return [
        Entry(key, _from_text(value) if isinstance(value, str) else value, Origin("flag", flag), isinstance(value, str))
        for key, (flag, value) in flags.items()
    ]


def _from_text(text: str) -> object:
    if text.startswith("[") and text.endswith("]"):
        return [part.strip() for part in text[1:-1].split(",") if part.strip()]
    return text


def _read_trusted(path: Path) -> str:
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise _file_error(path, "is not a regular file")
        if facts.st_uid not in (0, os.geteuid()):
            raise _file_error(path, f"belongs to user id {facts.st_uid}; it must be yours: chown it")
        if facts.st_mode & stat.S_IWOTH:
            raise _file_error(path, "can be written by everybody: chmod o-w it")
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise _file_error(path, f"is larger than {MAX_FILE_BYTES // 1024} KiB")
    return data.decode()


def _leaves(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and key.count(".") < MAX_DEPTH:
            yield from _leaves(value, f"{key}.")
        else:
            yield key, value


def _locate(text: str) -> Iterator[tuple[str, int]]:
    """The line of every key: tomllib checks the text but does not say where values stand.

    A statement may span lines; it is complete as soon as it is valid TOML by itself.
    """
    prefix = ""
    app_count = 0
    statement, start = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if not statement:
            start = number
        statement += line + "\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if line.lstrip().startswith("[[apps]]") and statement.count("\n") == 1:
            prefix = f"apps[{app_count}]"
            app_count += 1
            yield prefix, start
        elif statement.lstrip().startswith("["):
            prefix = _table_name(parsed, app_count)
            yield prefix, start
        else:
            yield from ((f"{prefix}.{key}".removeprefix("."), start) for key in _paths(parsed))
        statement = ""


def _table_name(parsed: Mapping[str, Any], app_count: int) -> str:
    names = []
    value: Any = parsed
    while isinstance(value, dict) and value:
        name, value = next(iter(value.items()))
        names.append(name)
        if isinstance(value, list):
            value = value[0]
    if names and names[0] == "apps" and app_count:
        names[0] = f"apps[{app_count - 1}]"
    return ".".join(names)


def _paths(parsed: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in parsed.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{name}.")


def _file_error(path: Path, message: str, line: int | None = None) -> SettingsError:
    where = f"{path}:{line}" if line else str(path)
    return SettingsError((Mistake("", message, Origin("file", where)),))


def _syntax_error(path: Path, error: tomllib.TOMLDecodeError) -> SettingsError:
    message, _, place = str(error).partition(" (at ")
    line = place.removeprefix("line ").partition(",")[0]
    return _file_error(path, f"{message[:1].lower()}{message[1:]}", int(line) if line.isdigit() else None)
