"""The command line as a person meets it: in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

COMMANDS = [
    [],
    ["serve"],
    ["status"],
    ["stop"],
    ["doctor"],
    ["pair"],
    ["devices"],
    ["devices", "list"],
    ["devices", "rename"],
    ["devices", "remove"],
    ["sessions"],
    ["sessions", "list"],
    ["sessions", "end"],
    ["config"],
    ["config", "show"],
    ["config", "check"],
    ["config", "path"],
    ["version"],
]
GROUPS = [["devices"], ["sessions"], ["config"]]


@pytest.fixture
def run(tmp_path):
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "PATH": os.environ["PATH"]}

    def call(*arguments, **variables):
        command = [sys.executable, "-m", "punktfunk.cli.main", *arguments]
        return subprocess.run(
            command, env=environment | variables, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )

    return call


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(run, command):
    done = run(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: ")
    assert "Examples:" in done.stdout or command in GROUPS


def test_help_needs_no_heavy_library():
    code = (
        "import sys, punktfunk.cli.main as m\n"
        "heavy = {'numpy', 'av', 'pixelflux', 'pcmflux', 'zeroconf', 'cryptography', 'OpenSSL', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_a_wrong_setting_is_named_without_a_traceback(run, tmp_path):
    folder = tmp_path / ".config/punktfunk"
    folder.mkdir(parents=True)
    (folder / "host.toml").write_text("[network]\nmdsn = true\n")
    for command in (["config", "check"], ["config", "show"], ["serve"], ["devices", "list"]):
        done = run(*command)
        assert done.returncode == 2
        assert done.stderr == (
            f"{folder}/host.toml:2: network.mdsn: there is no setting network.mdsn; did you mean network.mdns?\n"
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--set", "nonsense"], "SECTION.KEY=VALUE"),
        (["serve", "--set", "log.level=loud"], "--set: log.level: Invalid enum value 'loud' (one of debug"),
        (["serve", "--base-port", "1"], "--base-port: network.gamestream_port: Expected `int` >= 1029"),
        (["serve", "--config", "/nonexistent/host.toml"], "there is no such file"),
        (["pair"], "punktfunk-host pair 1234"),
        (["doctor", "--only", "nonsense"], "There is no check nonsense"),
        (["frobnicate"], "No such command"),
    ],
)
def test_a_wrong_command_line_says_what_to_do(run, arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [["status"], ["stop"], ["pair", "1234"], ["devices", "list"], ["sessions", "end", "1"]]
)
def test_without_a_host_commands_say_so(run, command):
    done = run(*command)
    assert done.returncode == 3
    assert "No host of this user is running" in done.stderr
    assert done.stderr.count("\n") == 1


def test_config_show_names_origins_as_json(run):
    done = run("config", "show", "--json", PUNKTFUNK_NETWORK_MDNS="off")
    shown = json.loads(done.stdout)
    assert shown["settings"]["network.mdns"]["value"] is False
    assert shown["settings"]["network.mdns"]["origin"] == {"kind": "environment", "where": "PUNKTFUNK_NETWORK_MDNS"}
    assert shown["settings"]["log.level"]["origin"]["kind"] == "default"
    assert shown["apps"][0]["name"] == "Desktop"


def test_config_check_lists_mistakes_as_json(run, tmp_path):
    file = tmp_path / "new.toml"
    file.write_text("[log]\nlevel = 1\n[video]\nencoder = 2\n")
    done = run("config", "check", "--json", "--config", str(file))
    assert done.returncode == 2
    assert [mistake["key"] for mistake in json.loads(done.stdout)["mistakes"]] == ["log.level", "video.encoder"]


def test_config_path_follows_the_environment(run, tmp_path):
    assert run("config", "path").stdout.strip() == str(tmp_path / ".config/punktfunk/host.toml")
    assert run("config", "path", PUNKTFUNK_CONFIG="/etc/x.toml").stdout.strip() == "/etc/x.toml"


def test_version_as_json(run):
    facts = json.loads(run("version", "--json").stdout)
    assert facts["version"]
    assert facts["libraries"]["pixelflux"]


def test_doctor_runs_chosen_checks(run):
    done = run("doctor", "--json", "--only", "settings", "--only", "folders")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert [check["name"] for check in report["checks"]] == ["settings", "folders"]
    assert run("doctor", "--only", "settings", PUNKTFUNK_LOG_LEVEL="loud").returncode == 1
