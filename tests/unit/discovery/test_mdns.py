"""Adverts over loopback, and what happens when they cannot be made."""

from __future__ import annotations

import asyncio

import pytest
from zeroconf import Zeroconf
from zeroconf.asyncio import AsyncZeroconf

from punktfunk.discovery import mdns
from punktfunk.discovery.mdns import Advert, MdnsPublisher, gamestream_advert, gamestream_instance

NATIVE = "_pftest._udp.local."


@pytest.mark.parametrize(
    ("host", "instance"),
    [
        ("den-pc", "den-pc"),
        ("Living Room PC", "Living-Room-PC"),
        ("host.example.org", "host"),
        ("Büro", "B"),
        ("x" * 80, "x" * 63),
        ("日本", "punktfunk-host"),
        ("", "punktfunk-host"),
    ],
)
def test_instance_names(host: str, instance: str) -> None:
    assert gamestream_instance(host) == instance


def test_gamestream_advert_has_the_http_port_and_no_keys() -> None:
    advert = gamestream_advert("den-pc", 47989, ("192.0.2.10",))
    assert (advert.service, advert.port, dict(advert.properties)) == ("_nvstream._tcp.local.", 47989, {})


async def test_advert_is_found_and_taken_back() -> None:
    publisher = MdnsPublisher(("127.0.0.1",))
    advert = Advert(NATIVE, "den pc", "den-pc", 9777, ("127.0.0.1", "::1"), {"proto": "punktfunk/1"})
    assert await publisher.publish(advert)
    browser = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        info = await browser.async_get_service_info(NATIVE, f"den pc.{NATIVE}", 3000)
        assert info is not None
        assert (info.port, info.server) == (9777, "den-pc.local.")
        assert sorted(info.parsed_addresses()) == ["127.0.0.1", "::1"]
        assert info.decoded_properties == {"proto": "punktfunk/1"}
        await publisher.close()
        await publisher.close()
    finally:
        await browser.async_close()


async def test_socket_that_cannot_be_opened_is_no_catastrophe(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(**_options: object) -> Zeroconf:
        raise OSError("Address already in use")

    monkeypatch.setattr(mdns, "AsyncZeroconf", refuse)
    publisher = MdnsPublisher()
    assert not await publisher.publish(gamestream_advert("den-pc", 47989, ("192.0.2.10",)))
    assert "Address already in use" in caplog.text
    await publisher.withdraw(mdns.GAMESTREAM_SERVICE)
    await publisher.close()


async def test_goodbye_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck:
        async def async_close(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(mdns, "_CLOSE_DEADLINE_S", 0.01)
    publisher = MdnsPublisher()
    publisher._responder = Stuck()  # type: ignore[assignment]
    await publisher.close()
    assert "taking back" in caplog.text
