"""The console's German knows every setting of the schema, and none that is gone."""

from __future__ import annotations

import re
from pathlib import Path

from punktfunk.host.settings import SCHEMA

GERMAN = Path(__file__).parents[3] / "web/src/i18n/settings-de.ts"


def test_every_setting_is_explained_in_german():
    explained = re.findall(r'^  "([a-z_]+\.[a-z_0-9]+)": "\S', GERMAN.read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(SCHEMA)
