"""What the doctor says about punktfunk clients."""

from __future__ import annotations

import pytest

from punktfunk.host.doctor import Context, Status
from punktfunk.host.doctor.native import clipboard, error_correction
from punktfunk.host.settings import DisplaySettings, NativeSettings, Settings
from punktfunk.wire import leopard


def context_with(native: NativeSettings | None = None, *, display: str = "auto", path: str = "") -> Context:
    settings = Settings(native=native or NativeSettings(), display=DisplaySettings(kind=display))
    return Context(settings, {"PATH": path}, None)


async def test_the_code_for_lost_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leopard, "NATIVE", True)
    assert (await error_correction(context_with())).status is Status.OK
    monkeypatch.setattr(leopard, "NATIVE", False)
    outcome = await error_correction(context_with())
    assert outcome.status is Status.WARN
    assert "numpy" in outcome.message
    assert (await error_correction(context_with(NativeSettings(enabled=False)))).status is Status.SKIP


async def test_the_clipboard() -> None:
    assert (await clipboard(context_with(path="/nowhere"))).status is Status.WARN
    assert (await clipboard(context_with(display="synthetic"))).status is Status.SKIP
    assert (await clipboard(context_with(NativeSettings(clipboard=False)))).status is Status.SKIP
