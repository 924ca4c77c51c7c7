"""The guest has what input tests need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("node", ["uinput", "uhid"])
def test_the_kernel_offers_virtual_devices(node: str) -> None:
    assert Path("/dev", node).is_char_device()


def test_the_machine_outside_cannot_be_changed() -> None:
    with pytest.raises(OSError, match="Read-only"):
        Path(__file__).with_suffix(".written").touch()


def test_loopback_is_up() -> None:
    assert Path("/sys/class/net/lo/operstate").read_text().strip() in {"up", "unknown"}
    assert os.getuid() == 0
