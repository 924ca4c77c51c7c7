"""How the layers of settings are put together.

``host.toml`` is overridden by ``PUNKTFUNK_<SECTION>_<KEY>``, which is overridden by flags. Each value knows where it
came from; every mistake is found in one go and names its file and line, variable or flag.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from punktfunk.host.paths import CONFIG_FILE_NAME, default_directories
from punktfunk.host.settings import GAMESTREAM_PORT_SPAN, SCHEMA, Settings, value_of
from punktfunk.host.settings_apps import convert_apps, with_desktop
from punktfunk.host.settings_sources import (
    Entry,
    Mistake,
    Origin,
    SettingsError,
    environment_entries,
    flag_entries,
    read_file,
)
from punktfunk.session.plan import App

_TRUTH = {"on": "true", "yes": "true", "off": "false", "no": "false"}


class LoadedSettings(msgspec.Struct, frozen=True):
    """Settings with the origin of each ``section.key``; ``file`` is where host.toml was, or would be, read."""

    settings: Settings
    origins: dict[str, Origin]
    file: Path
    warnings: tuple[Mistake, ...] = ()


def environment_name(key: str) -> str:
    """The variable that overrides ``key``: ``network.mdns`` → ``PUNKTFUNK_NETWORK_MDNS``."""
    return "PUNKTFUNK_" + key.replace(".", "_").upper()


_ENVIRONMENT_KEYS = {environment_name(key): key for key in SCHEMA} | {"PUNKTFUNK_MDNS": "network.mdns"}
# Read elsewhere, not settings: the place of the file, the token of the management API, tracebacks on the terminal.
_ENVIRONMENT_OTHERS = frozenset({"PUNKTFUNK_CONFIG", "PUNKTFUNK_MGMT_TOKEN", "PUNKTFUNK_TRACEBACK"})


def config_file(environment: Mapping[str, str], flag: Path | None = None) -> tuple[Path, bool]:
    """Where host.toml is looked for, and whether someone named it (then it has to exist)."""
    if flag is not None:
        return flag, True
    if named := environment.get("PUNKTFUNK_CONFIG"):
        return Path(named), True
    if folder := environment.get(environment_name("host.config_dir")):
        return Path(folder) / CONFIG_FILE_NAME, False
    return default_directories(environment).config / CONFIG_FILE_NAME, False


def load(
    flags: Mapping[str, tuple[str, object]] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> LoadedSettings:
    """Read and check every layer. ``flags`` maps ``section.key`` to the flag's name and value.

    Raises ``SettingsError`` with all mistakes at once. ``environment`` is ``os.environ`` unless given.
    """
    environment = os.environ if environment is None else environment
    path, must_exist = config_file(environment, file)
    in_file = read_file(path, must_exist=must_exist)
    from_environment, unknown_variables = environment_entries(environment, _ENVIRONMENT_KEYS, _ENVIRONMENT_OTHERS)
    values = _defaults(environment)
    origins = dict.fromkeys(values, Origin("default"))
    mistakes: list[Mistake] = []
    for entry in (*in_file.entries, *from_environment, *flag_entries(flags or {})):
        try:
            values[entry.key] = _convert(entry)
            origins[entry.key] = entry.origin
        except ValueError as error:
            mistakes.append(Mistake(entry.key, str(error), entry.origin))
    apps, app_mistakes = convert_apps(in_file)
    mistakes += app_mistakes
    mistakes += [] if mistakes else _contradictions(values, origins)
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return LoadedSettings(_assemble(values, apps), origins, path, tuple(unknown_variables))


def _defaults(environment: Mapping[str, str]) -> dict[str, object]:
    defaults = Settings()
    values = {key: value_of(defaults, key) for key in SCHEMA}
    folders = default_directories(environment)
    return values | {
        "host.config_dir": folders.config,
        "host.state_dir": folders.state,
        "host.runtime_dir": folders.runtime,
    }


def _convert(entry: Entry) -> object:
    field = SCHEMA.get(entry.key)
    if field is None:
        raise ValueError(_unknown(entry.key, SCHEMA))
    value = entry.value
    if entry.textual and isinstance(value, str):
        # Where the locale is not UTF-8, its bytes came through as something that no peer could be sent.
        value = os.fsencode(value).decode(errors="replace")
    if entry.textual and isinstance(value, str) and field.type.__origin__ is bool:
        value = _TRUTH.get(value.lower(), value)
    try:
        converted: object = msgspec.convert(value, field.type, strict=not entry.textual, dec_hook=_decode_path)
        if entry.key == "network.bind_address" and converted:
            _check_address(str(converted))
        return converted
    except msgspec.ValidationError as error:
        choices = f" (one of {', '.join(field.choices)})" if field.choices else ""
        raise ValueError(f"{error}{choices}. {field.description}") from error


def _check_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text} is no IP address; write one of this machine's, such as 192.0.2.7 or ::1") from None


def _unknown(key: str, known: Iterable[str]) -> str:
    candidates = list(known)
    close = difflib.get_close_matches(key, candidates, n=1, cutoff=0.6)
    if not close:
        last = key.rpartition(".")[2]
        close = [candidate for candidate in candidates if candidate.rpartition(".")[2] == last]
    hint = f"did you mean {close[0]}?" if close else "docs/configure.md lists every setting"
    return f"there is no setting {key}; {hint}"


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        path = Path(value).expanduser()
        if path.is_absolute():
            return path
    raise ValueError("Expected an absolute path")


def _contradictions(values: Mapping[str, object], origins: Mapping[str, Origin]) -> list[Mistake]:
    """Values that are fine alone and wrong together."""
    base = values["network.gamestream_port"]
    assert isinstance(base, int)
    low, high = (base + offset for offset in GAMESTREAM_PORT_SPAN)
    native = values["network.native_port"]
    mgmt = values["network.mgmt_port"]
    mistakes = []
    # The ports that GameStream takes inside its span; base + 1 is left for the management API, as clients expect.
    taken = {base - 5, base, base + 9, base + 10, base + 11, base + 21}
    for key in ("network.native_port", "network.mgmt_port"):
        if values[key] in taken:
            text = f"port {values[key]} is one that GameStream needs ({low} to {high}); choose another"
            mistakes.append(Mistake(key, text, origins[key]))
    if native == mgmt:
        text = f"port {mgmt} is also network.native_port; choose another"
        mistakes.append(Mistake("network.mgmt_port", text, origins["network.mgmt_port"]))
    return mistakes


def _assemble(values: Mapping[str, object], apps: tuple[App, ...]) -> Settings:
    sections: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    return Settings(**{name: types[name](**fields) for name, fields in sections.items()}, apps=with_desktop(apps))
