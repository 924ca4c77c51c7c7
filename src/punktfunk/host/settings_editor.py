"""Settings and apps as the management API reads and changes them; implements ``mgmt.host_view``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

import msgspec
import tomlkit
from tomlkit.items import AoT

from punktfunk.host.config_file import ConfigFile
from punktfunk.host.live_settings import ACTS_AT_ONCE, merged
from punktfunk.host.settings import SCHEMA, SettingField, Settings, value_of
from punktfunk.host.settings_load import LoadedSettings
from punktfunk.host.settings_sources import SettingsError
from punktfunk.mgmt.host_view import Refused, SettingFacts, SettingMistake
from punktfunk.session.plan import App

_TYPES = {bool: "boolean", int: "integer"}


class SettingsEditor:
    """``running`` is what the host was started with; the file may say something newer. ``apply`` gives the running host
    what it follows."""

    def __init__(self, running: LoadedSettings, config: ConfigFile, apply: Callable[[Settings], None]) -> None:
        self._running = running.settings
        self._config = config
        self._apply = apply

    def file(self) -> str:
        """Where host.toml is."""
        return str(self._config.path)

    def all(self) -> Sequence[SettingFacts]:
        """Every setting as a host that starts now would have it. Raises Refused when the file is wrong."""
        loaded, defaults = self._load(), Settings()
        return [self._facts(field, loaded, defaults) for field in SCHEMA.values()]

    def check(self, changes: Mapping[str, object]) -> Sequence[SettingMistake]:
        """What would be wrong with these values."""
        mistakes = self._beaten(changes)
        try:
            self._config.try_edit(lambda document: _put(document, changes))
        except SettingsError as error:
            mistakes += [SettingMistake(mistake.key, mistake.message) for mistake in error.mistakes]
        return mistakes

    def change(self, changes: Mapping[str, object]) -> Sequence[SettingMistake]:
        """Write these values unless something is wrong with them."""
        if mistakes := self.check(changes):
            return mistakes
        try:
            loaded = self._config.edit(lambda document: _put(document, changes))
        except SettingsError as error:
            raise Refused(str(error)) from error
        if ACTS_AT_ONCE & changes.keys():
            self._running = merged(self._running, loaded.settings)
            self._apply(self._running)
        return []

    def _beaten(self, changes: Mapping[str, object]) -> list[SettingMistake]:
        """Keys whose value in the file would not count."""
        origins = self._load().origins
        return [
            SettingMistake(key, f"{origins[key]} sets this and beats the file; take it out there first")
            for key in changes
            if key in origins and origins[key].kind in ("environment", "flag")
        ]

    def _load(self) -> LoadedSettings:
        try:
            return self._config.load()
        except SettingsError as error:
            raise Refused(f"the settings are wrong: {error}") from error

    def _facts(self, field: SettingField, loaded: LoadedSettings, defaults: Settings) -> SettingFacts:
        value = value_of(loaded.settings, field.key)
        meta = field.type.__metadata__[0]
        return SettingFacts(
            key=field.key,
            value=_plain(value),
            default=_plain(value_of(defaults, field.key)),
            origin=str(loaded.origins[field.key]),
            origin_kind=loaded.origins[field.key].kind,
            description=field.description,
            type=_type_name(field.type.__origin__),
            choices=field.choices,
            minimum=meta.ge,
            maximum=meta.le,
            changed=value != value_of(self._running, field.key),
            acts_at_once=field.key in ACTS_AT_ONCE,
        )


class AppLibrary:
    """The apps; ``apply`` gives the running host the new list after a change."""

    def __init__(self, running: LoadedSettings, config: ConfigFile, apply: Callable[[tuple[App, ...]], None]) -> None:
        self._apps = running.settings.apps
        self._config = config
        self._apply = apply

    def apps(self) -> Sequence[App]:
        """All, in the order that clients see."""
        return self._apps

    def is_custom(self, app_id: int) -> bool:
        """Whether it stands in host.toml."""
        name = next((app.name for app in self._apps if app.id == app_id), None)
        try:
            return name is not None and _written(self._config, name)
        except SettingsError:
            return False

    def add(self, app: App) -> App:
        """Append an ``[[apps]]`` table; raises Refused."""
        self._edit(lambda document: _tables(document).append(_table(app)))
        return self._named(app.name)

    def replace(self, app_id: int, app: App) -> App:
        """Write an ``[[apps]]`` table anew; raises Refused, KeyError."""
        name = self._custom_name(app_id)

        def put(document: tomlkit.TOMLDocument) -> None:
            tables = _tables(document)
            tables[_index(tables, name)] = _table(app)

        self._edit(put)
        return self._named(app.name)

    def remove(self, app_id: int) -> None:
        """Take an ``[[apps]]`` table out; raises Refused, KeyError."""
        name = self._custom_name(app_id)

        def cut(document: tomlkit.TOMLDocument) -> None:
            tables = _tables(document)
            del tables[_index(tables, name)]
            if not tables:
                del document["apps"]

        self._edit(cut)

    def _custom_name(self, app_id: int) -> str:
        if not self.is_custom(app_id):
            raise KeyError(app_id)
        return next(app.name for app in self._apps if app.id == app_id)

    def _named(self, name: str) -> App:
        return next(app for app in self._apps if app.name == name)

    def _edit(self, edit: Callable[[tomlkit.TOMLDocument], None]) -> None:
        try:
            loaded = self._config.edit(edit)
        except SettingsError as error:
            raise Refused("; ".join(mistake.message for mistake in error.mistakes)) from error
        self._apps = loaded.settings.apps
        self._apply(self._apps)


def _put(document: tomlkit.TOMLDocument, changes: Mapping[str, object]) -> None:
    for key, value in changes.items():
        section, name = key.split(".")
        if value is not None:
            if section not in document:
                document[section] = tomlkit.table()
            document[section][name] = value
        elif section in document:
            document[section].pop(name, None)


def _tables(document: tomlkit.TOMLDocument) -> AoT:
    tables = document.setdefault("apps", tomlkit.aot())
    if not isinstance(tables, AoT):
        raise Refused("apps: write each app as its own [[apps]] table")
    return tables


def _index(tables: AoT, name: str) -> int:
    return next(index for index, table in enumerate(tables) if table.get("name") == name)


def _written(config: ConfigFile, name: str) -> bool:
    found = False

    def look(document: tomlkit.TOMLDocument) -> None:
        nonlocal found
        found = any(table.get("name") == name for table in document.get("apps", []))

    config.try_edit(look)
    return found


def _table(app: App) -> tomlkit.items.Table:
    """The keys that differ from their defaults."""
    plain, usual = msgspec.to_builtins(app), msgspec.to_builtins(App(id=0, name=""))
    table = tomlkit.table()
    for name, value in plain.items():
        if name == "id" or value == usual[name]:
            continue
        table[name] = _inline(value)
    return table


def _inline(value: Any) -> Any:
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update({name: item for name, item in value.items() if item != ""})
        return inline
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_inline(item) for item in value)
        return array
    return value


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def _type_name(kind: Any) -> str:
    return "list" if get_origin(kind) is tuple else _TYPES.get(kind, "string")
