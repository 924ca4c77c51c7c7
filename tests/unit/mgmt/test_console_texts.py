"""The console knows every setting of the schema, in German too, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

from punktfunk.host.settings import SCHEMA

WEB = Path(__file__).parents[3] / "web/src"


def test_every_setting_is_explained_in_german():
    explained = re.findall(r'^  "([a-z_]+\.[a-z_0-9]+)": "\S', (WEB / "i18n/settings-de.ts").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(SCHEMA)


def test_every_section_has_a_title():
    listed = re.search(r"const SECTIONS = \[(.*?)\]", (WEB / "pages/settings.tsx").read_text())
    assert listed
    assert set(re.findall(r'"(\w+)"', listed[1])) == {key.partition(".")[0] for key in SCHEMA}
