"""Small linters that keep settings, documentation, scripts and code in step."""

import ast
import re
from pathlib import Path

import pytest

from punktfunk.host.settings import SCHEMA, Settings, value_of
from punktfunk.host.settings_apps import AppTable

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/punktfunk").rglob("*.py"))
MAX_MODULE_LINES = 600
LONG_MODULES: dict[str, str] = {}
"""Module → why it may be longer."""
READS_ENVIRONMENT = {
    "cli/config.py": "shows it",
    "cli/doctor.py": "hands it to the checks",
    "cli/output.py": "PUNKTFUNK_TRACEBACK, before there are settings",
    "host/settings.py": "is the place for it",
    "host/settings_load.py": "is the place for it",
    "host/app.py": "hands the login session's runtime folder to desktops of the same user",
    "media/displays/portal_source.py": "the library finds its portal by a variable, and the portal listens there",
    "media/displays/pixelflux_source.py": "finds the socket that pixelflux made by the same variable",
}
"""Module → why it may read the environment; everything else gets settings."""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT / "src/punktfunk"))


def test_every_setting_is_documented_with_its_default():
    table = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| (.*?) \|", (ROOT / "docs/configure.md").read_text(), re.MULTILINE))
    assert [key for key in table if "." in key] == list(SCHEMA)
    for key in SCHEMA:
        value = value_of(Settings(), key)
        shown = (
            f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`" if value not in ("", ()) else "empty"
        )
        assert key.startswith("host.") or table[key] == shown, key
    assert set(AppTable.__struct_fields__) <= table.keys()


def test_the_example_settings_are_valid(tmp_path):
    from punktfunk.host.settings_load import load

    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/configure.md").read_text(), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load(environment={"HOME": str(tmp_path)}, file=file)


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))])
def test_links_between_pages_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for target in re.findall(r"(?<!!)\[[^]]*\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page} → {target}"


def test_modules_stay_readable():
    long = {relative(path) for path in SOURCES if len(path.read_text().splitlines()) > MAX_MODULE_LINES}
    assert long <= LONG_MODULES.keys()


def test_the_environment_is_read_in_few_places():
    readers = {relative(path) for path in SOURCES if _touches_environment(ast.parse(path.read_text()))}
    assert readers <= READS_ENVIRONMENT.keys(), "take a setting or an argument instead"


def _touches_environment(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv", "putenv", "environb")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(tree)
    )


def test_nobody_changes_the_environment():
    """Other threads, native ones too, may be reading it."""
    for path in SOURCES:
        changes = re.search(
            r"os\.(putenv|unsetenv)|environb?(\[[^]]*\] *=[^=]|\.(update|setdefault|pop|clear)\()", path.read_text()
        )
        assert changes is None, f"{relative(path)}: {changes[0]}"


def test_the_security_page_names_tests_that_exist():
    named = re.findall(r"`([a-z0-9_/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text())
    assert len(named) > 50
    for file, test in named:
        places = [ROOT / "tests" / file, ROOT / "tests/unit" / file]
        text = next((path.read_text() for path in places if path.exists()), "")
        assert f"def {test}(" in text, f"{file}::{test}"


def test_packages_are_listed_with_a_probe_and_a_reason():
    for name in ("packages-run.txt", "packages-test.txt"):
        for line in (ROOT / "scripts" / name).read_text().splitlines():
            if not line.startswith("#"):
                assert re.fullmatch(r"[a-z0-9.+-]+ +(cmd:\S+|debian:\S+|lib:\S+|python:\S+|deb) +\S.*", line), line


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_locks_are_exact_and_name_no_index(name):
    text = (ROOT / "requirements" / name).read_text()
    assert "://" not in text
    requirements = re.findall(r"^([a-z0-9][^\s=]*)(\S*)(.*)$", text, re.MULTILINE)
    assert requirements
    assert all(version.startswith("==") and rest.endswith("\\") for _, version, rest in requirements)


def test_readme_shows_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "```sh\nmake run\n```" in text
    assert "```sh\nmake test\n```" in text
