"""The ``[[apps]]`` tables: from raw TOML to ``App`` values with ids that stay."""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from punktfunk.host.settings_sources import FileValues, Mistake
from punktfunk.session.plan import App, PrepareCommand

MAX_APPS = 500
DESKTOP_NAME = "Desktop"
_ID_MASK = 0x7FFF_FFFF


class _PrepareTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    do: str
    undo: str = ""


class AppTable(msgspec.Struct, frozen=True):
    """One ``[[apps]]`` table as it is written."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    command: str = ""
    working_dir: str = ""
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    prepare: tuple[_PrepareTable, ...] = ()
    image: str = ""
    exit_ends_session: bool = True


def convert_apps(file: FileValues) -> tuple[tuple[App, ...], list[Mistake]]:
    """The apps of host.toml in their order, and a mistake for each table that is wrong."""
    tables: list[AppTable] = []
    mistakes: list[Mistake] = []
    if len(file.apps) > MAX_APPS:
        mistakes.append(Mistake("apps", f"more than {MAX_APPS} apps", file.origin(f"apps[{MAX_APPS}]")))
    names: set[str] = set()
    for index, raw in enumerate(file.apps[:MAX_APPS]):
        key = f"apps[{index}]"
        try:
            table = _convert_table(raw)
            if table.name in names:
                raise ValueError(f"another app is called {table.name!r} already")
        except ValueError as error:
            mistakes.append(Mistake(key, str(error), file.origin(_place(key, raw, error))))
            continue
        names.add(table.name)
        tables.append(table)
    return tuple(_numbered(tables)), mistakes


def with_desktop(apps: tuple[App, ...]) -> tuple[App, ...]:
    """``apps`` with the bare desktop in front, unless one of them is called that."""
    if any(app.name == DESKTOP_NAME for app in apps):
        return apps
    return (App(id=app_id(DESKTOP_NAME, ()), name=DESKTOP_NAME), *apps)


def app_id(name: str, taken: Iterable[int]) -> int:
    """A positive 31-bit id made from the name, so that it survives restarts and reordering; clients remember it."""
    used = set(taken)
    number = zlib.crc32(name.encode()) & _ID_MASK
    while number == 0 or number in used:
        number = (number + 1) & _ID_MASK
    return number


def _numbered(tables: Iterable[AppTable]) -> list[App]:
    desktop = app_id(DESKTOP_NAME, ())
    taken: set[int] = set()
    apps = []
    for table in tables:
        reserved = taken if table.name == DESKTOP_NAME else taken | {desktop}
        number = app_id(table.name, reserved)
        taken.add(number)
        prepare = tuple(PrepareCommand(step.do, step.undo) for step in table.prepare)
        fields = {name: getattr(table, name) for name in table.__struct_fields__}
        apps.append(App(**(fields | {"id": number, "prepare": prepare})))
    return apps


def _convert_table(raw: Any) -> AppTable:
    unknown = [name for name in raw if name not in AppTable.__struct_fields__] if isinstance(raw, dict) else []
    if unknown:
        close = difflib.get_close_matches(unknown[0], AppTable.__struct_fields__, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(AppTable.__struct_fields__)}"
        raise ValueError(f"an app has no `{unknown[0]}`; {hint}")
    return msgspec.convert(raw, AppTable)


def _place(key: str, raw: Any, error: ValueError) -> str:
    """The key inside the table that a message of msgspec is about, for its line number."""
    text = str(error)
    if " - at `$" in text:
        return key + text.partition(" - at `$")[2].rstrip("`")
    named = [name for name in raw if f"`{name}`" in text] if isinstance(raw, dict) else []
    return f"{key}.{named[0]}" if named else key
