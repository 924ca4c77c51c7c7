from pathlib import Path

import pytest

from punktfunk.host.settings import SCHEMA, Settings, value_of
from punktfunk.host.settings_load import environment_name, load
from punktfunk.host.settings_sources import MAX_FILE_BYTES, SettingsError


@pytest.fixture
def home(tmp_path):
    return {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "host.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def mistakes_of(**kwargs) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(**kwargs)
    return [str(mistake) for mistake in error.value.mistakes]


def test_defaults_come_from_nowhere_else(home, tmp_path):
    loaded = load(environment=home)
    assert loaded.settings.network.gamestream_port == 47989
    assert loaded.settings.host.config_dir == tmp_path / ".config/punktfunk"
    assert loaded.settings.host.runtime_dir == tmp_path / "run/punktfunk"
    assert {origin.kind for origin in loaded.origins.values()} == {"default"}
    assert loaded.origins.keys() == SCHEMA.keys()


def test_flag_beats_variable_beats_file(home, tmp_path):
    file = write(tmp_path, "[gamestream]\nfec_percentage = 1\nmax_sessions = 2\n[network]\nmdns = false\n")
    variables = {"PUNKTFUNK_GAMESTREAM_FEC_PERCENTAGE": "3", "PUNKTFUNK_GAMESTREAM_MAX_SESSIONS": "4"}
    loaded = load({"gamestream.fec_percentage": ("--fec", 5)}, environment=home | variables, file=file)
    assert loaded.settings.gamestream.fec_percentage == 5
    assert loaded.settings.gamestream.max_sessions == 4
    assert loaded.settings.network.mdns is False
    assert str(loaded.origins["gamestream.fec_percentage"]) == "--fec"
    assert str(loaded.origins["gamestream.max_sessions"]) == "PUNKTFUNK_GAMESTREAM_MAX_SESSIONS"
    assert str(loaded.origins["network.mdns"]) == f"{file}:5"


@pytest.mark.parametrize("text", ["off", "no", "false", "0", "Off"])
def test_truth_in_words(home, text):
    assert load(environment=home | {"PUNKTFUNK_NETWORK_MDNS": text}).settings.network.mdns is False


def test_a_choice_that_looks_like_a_truth_value(home):
    variables = {"PUNKTFUNK_AUDIO_MODE": "off", "PUNKTFUNK_HOST_NAME": "no"}
    loaded = load({"gamestream.encryption": ("--set", "off")}, environment=home | variables)
    assert loaded.settings.audio.mode == "off"
    assert loaded.settings.gamestream.encryption == "off"
    assert loaded.settings.host.name == "no"


def test_a_list_as_text(home):
    loaded = load({"video.codecs": ("--set", "[hevc, h264]")}, environment=home)
    assert loaded.settings.video.codecs == ("hevc", "h264")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[network]\n\nmdsn = true\n", 3, "did you mean network.mdns?"),
        ("[netwrok]\nmdns = true\n", 2, "did you mean network.mdns?"),
        ("network.mdns = 5\n", 1, "Expected `bool`"),
        ("mdns = true\n", 1, "did you mean network.mdns?"),
        ('[log]\nlevel = """\nloud"""\n', 2, "one of debug, info, warning, error"),
        ("[network]\ngamestream_port = 70000\n", 2, "<= 65514"),
        ('[host]\nconfig_dir = "here"\n', 2, "absolute path"),
        ('[host]\nname = ""\n', 2, "length >= 1"),
        ("x = \n", 1, "invalid value"),
        ("apps = 3\n", 1, "[[apps]]"),
        ('[[apps]]\nname = "A"\n[[apps]]\nname = "B"\ncomand = "x"\n', 5, "did you mean command?"),
        ('[[apps]]\nname = "A"\n\n[[apps]]\nname = "A"\n', 4, "already"),
        ("[[apps]]\n[[apps]]\nname = 'B'\n[apps.environment]\nA = 5\n", 1, "missing required field `name`"),
        ("[[apps]]\nname = 'B'\nprepare = [\n {undo = 'x'},\n]\n", 3, "required field `do`"),
        ("[network]\nnative_port = 47998\n", 2, "GameStream needs"),
        ("[network]\nmgmt_port = 9777\n", 2, "also network.native_port"),
        ('[network]\nbind_address = "localhost"\n', 2, "is no IP address"),
        ('[network]\nbind_address = "300.1.1.1"\n', 2, "is no IP address"),
    ],
)
def test_mistakes_name_their_line(home, tmp_path, text, line, words):
    file = write(tmp_path, text)
    found = mistakes_of(environment=home, file=file)
    assert found[0].startswith(f"{file}:{line}: "), found
    assert words in found[0]


@pytest.mark.parametrize("address", ["", "127.0.0.1", "::1", "fe80::1%eth0"])
def test_addresses_to_listen_on(home, address):
    loaded = load({"network.bind_address": ("--bind", address)}, environment=home)
    assert loaded.settings.network.bind_address == address


def test_a_name_from_a_terminal_that_is_not_utf8(home):
    raw = "Jürgens Zimmer"
    loaded = load({"host.name": ("--name", raw.encode().decode("ascii", "surrogateescape"))}, environment=home)
    assert loaded.settings.host.name == raw
    broken = b"J\xfcrgen".decode(errors="surrogateescape")
    loaded = load(environment=home | {"PUNKTFUNK_HOST_NAME": broken})
    assert loaded.settings.host.name == "J\ufffdrgen"


def test_every_mistake_at_once(home, tmp_path):
    file = write(tmp_path, "[network]\nmdns = 1\n[log]\nlevel = 2\n")
    found = mistakes_of(
        flags={"nonsense.key": ("--set", "x")}, environment=home | {"PUNKTFUNK_LOG_FORMAT": "xml"}, file=file
    )
    assert len(found) == 4
    assert found[2].startswith("PUNKTFUNK_LOG_FORMAT: log.format: ")
    assert found[3].startswith("--set: nonsense.key: there is no setting")


def test_an_unknown_variable_is_a_warning(home):
    loaded = load(environment=home | {"PUNKTFUNK_LOG_LVL": "debug"})
    assert [str(warning) for warning in loaded.warnings] == [
        "PUNKTFUNK_LOG_LVL: no setting has this name; did you mean PUNKTFUNK_LOG_LEVEL?"
    ]


def test_a_named_file_must_exist(home, tmp_path):
    assert "there is no such file" in mistakes_of(environment=home, file=tmp_path / "none.toml")[0]
    named = home | {"PUNKTFUNK_CONFIG": str(tmp_path / "none.toml")}
    assert "there is no such file" in mistakes_of(environment=named)[0]


def test_a_file_that_others_can_write_is_refused(home, tmp_path):
    file = write(tmp_path, "")
    file.chmod(0o666)
    assert "chmod o-w" in mistakes_of(environment=home, file=file)[0]


def test_a_huge_file_is_refused(home, tmp_path):
    file = write(tmp_path, "# " + "x" * MAX_FILE_BYTES)
    assert "larger than" in mistakes_of(environment=home, file=file)[0]


def test_a_folder_is_no_file(home, tmp_path):
    assert mistakes_of(environment=home, file=tmp_path)


def test_every_key_has_a_variable_that_works(home):
    settings = Settings()
    for key, field in SCHEMA.items():
        value = value_of(settings, key)
        text = f"[{','.join(value)}]" if isinstance(value, tuple) else str(value)
        loaded = load(environment=home | {environment_name(key): text})
        assert value_of(loaded.settings, key) == value, field
        assert loaded.origins[key].kind == "environment"
