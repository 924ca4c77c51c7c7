"""Changing host.toml: what people wrote stays, mistakes change nothing, and the layers above the file are respected."""

import pytest

from punktfunk.host.config_file import ConfigFile
from punktfunk.host.settings_editor import AppLibrary, SettingsEditor
from punktfunk.host.settings_load import load
from punktfunk.mgmt.host_view import Refused
from punktfunk.session.plan import App, PrepareCommand

TEXT = """# my host
[host]
name = "Living room"  # where it stands

[network]
mdns = false

[[apps]]
name = "Terminal"   # mine
command = "foot"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "host.toml"
    path.write_text(TEXT)
    return path


def editor_of(file, environment=None, flags=None, applied=None) -> SettingsEditor:
    environment = {"HOME": str(file.parent), **(environment or {})}
    loaded = load(flags, environment=environment, file=file)
    return SettingsEditor(loaded, ConfigFile(loaded, environment), ([] if applied is None else applied).append)


def library_of(file, applied=None) -> AppLibrary:
    environment = {"HOME": str(file.parent)}
    loaded = load(environment=environment, file=file)
    return AppLibrary(loaded, ConfigFile(loaded, environment), ([] if applied is None else applied).append)


def facts(editor, key):
    return next(setting for setting in editor.all() if setting.key == key)


def test_a_change_keeps_comments_and_order_and_waits_for_a_restart(file):
    editor = editor_of(file)
    assert editor.change({"host.name": "Attic", "video.codecs": ["hevc", "h264"], "audio.mode": "off"}) == []
    text = file.read_text()
    assert text.startswith('# my host\n[host]\nname = "Attic"  # where it stands\n')
    assert 'name = "Terminal"   # mine' in text
    name = facts(editor, "host.name")
    assert (name.value, name.changed, name.origin) == ("Attic", True, f"{file}:3")
    assert facts(editor, "video.codecs").value == ["hevc", "h264"]
    assert not facts(editor, "network.mdns").changed


def test_what_a_running_host_follows_is_applied_and_the_rest_waits(file):
    applied = []
    editor = editor_of(file, applied=applied)
    assert editor.change({"host.name": "Attic", "limits.sessions": 2, "display.keyboard_layout": "de"}) == []
    (now,) = applied
    assert (now.limits.sessions, now.display.keyboard_layout, now.host.name) == (2, "de", "Living room")
    assert not facts(editor, "limits.sessions").changed
    assert facts(editor, "limits.sessions").acts_at_once
    assert facts(editor, "host.name").changed
    assert not facts(editor, "host.name").acts_at_once
    assert editor.change({"audio.mode": "off"}) == []
    assert len(applied) == 1


def test_nothing_as_a_value_means_the_default(file):
    editor = editor_of(file)
    assert editor.change({"network.mdns": None, "log.level": None}) == []
    assert "mdns" not in file.read_text()
    assert facts(editor, "network.mdns").value is True


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"network.mdsn": True}, "did you mean network.mdns?"),
        ({"network.mgmt_port": 80}, ">= 1024"),
        ({"network.mgmt_port": "47990"}, "Expected `int`"),
        ({"network.mgmt_port": 47989}, "GameStream needs"),
        ({"video.codecs": ["vp9"]}, "vp9"),
        ({"host.config_dir": "relative"}, "absolute path"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(file, changes, word):
    editor = editor_of(file)
    for mistakes in (editor.check(changes), editor.change({"log.level": "debug", **changes})):
        assert word in " ".join(mistake.message for mistake in mistakes)
    assert file.read_text() == TEXT
    assert list(file.parent.iterdir()) == [file]


def test_what_a_variable_or_flag_sets_cannot_be_changed_in_the_file(file):
    editor = editor_of(file, {"PUNKTFUNK_LOG_LEVEL": "debug"}, {"host.name": ("--name", "X")})
    mistakes = editor.change({"log.level": "info", "host.name": "Y"})
    assert [mistake.message.partition(" ")[0] for mistake in mistakes] == ["PUNKTFUNK_LOG_LEVEL", "--name"]
    assert facts(editor, "host.name").value == "X"


def test_a_file_that_is_broken_by_hand_is_refused_in_words(file):
    editor = editor_of(file)
    file.write_text("[host\n")
    with pytest.raises(Refused, match="the settings are wrong"):
        editor.all()
    with pytest.raises(Refused):
        editor.change({"log.level": "debug"})
    assert file.read_text() == "[host\n"


def test_the_first_change_makes_the_file(tmp_path):
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    loaded = load(environment=environment)
    editor = SettingsEditor(loaded, ConfigFile(loaded, environment), [].append)
    assert editor.change({"log.level": "debug"}) == []
    made = tmp_path / "config/punktfunk/host.toml"
    assert made.read_text() == '[log]\nlevel = "debug"\n'
    assert made.stat().st_mode & 0o777 == 0o600


def test_a_link_to_the_file_stays_a_link(file, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    assert editor_of(link).change({"log.level": "debug"}) == []
    assert link.is_symlink()
    assert 'level = "debug"' in file.read_text()


def test_apps_are_added_replaced_and_removed_in_the_file(file):
    applied = []
    library = library_of(file, applied)
    game = App(0, "Game", "./game", environment={"A": "1"}, prepare=(PrepareCommand("one", "two"),))
    added = library.add(game)
    assert added.id > 0
    assert [app.name for app in applied[-1]] == ["Desktop", "Terminal", "Game"]
    renamed = library.replace(added.id, App(0, "Better game", "./game2", exit_ends_session=False))
    assert renamed.id != added.id
    library.remove(next(app.id for app in library.apps() if app.name == "Terminal"))
    assert [app.name for app in applied[-1]] == ["Desktop", "Better game"]
    again = library_of(file)
    assert [(app.name, app.command, app.exit_ends_session) for app in again.apps()][1:] == [
        ("Better game", "./game2", False)
    ]
    library.remove(renamed.id)
    assert "apps" not in file.read_text()
    assert file.read_text().startswith("# my host")


def test_only_apps_of_the_file_can_be_edited(file):
    library = library_of(file)
    desktop = library.apps()[0].id
    assert not library.is_custom(desktop)
    with pytest.raises(KeyError):
        library.remove(desktop)
    with pytest.raises(KeyError):
        library.replace(12345, App(0, "X"))
    with pytest.raises(Refused, match="another app is called 'Terminal' already"):
        library.add(App(0, "Terminal"))
    assert file.read_text() == TEXT


@pytest.mark.parametrize("name", ["a\nb", 'a"]\n[[apps]]\nname="b', "a = 1 # x", "\\u0000", "ü" * 60])
def test_text_cannot_become_toml(file, name):
    library = library_of(file)
    added = library.add(App(0, name, command=name, environment={"X": name}))
    again = library_of(file)
    assert [app for app in again.apps() if app.name == name] == [added]
    assert len(again.apps()) == 3
