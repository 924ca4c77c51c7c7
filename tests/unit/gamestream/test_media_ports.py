from __future__ import annotations

import pytest

from punktfunk.gamestream.media_ports import LEGACY_PING, PingWaiter, find_waiter, normal_ip

PAYLOAD = b"0123456789ABCDEF"


def waiter(payload: bytes = PAYLOAD, ip: str = "192.0.2.1") -> PingWaiter:
    return PingWaiter(payload, ip, lambda _address: None, lambda _address: None, legacy=True)


def test_a_ping_with_the_payload_is_its_sessions() -> None:
    one, two = waiter(), waiter(b"F" * 16)
    assert find_waiter((one, two), b"F" * 16 + bytes(4), "192.0.2.1") is two


@pytest.mark.parametrize("datagram", [b"", PAYLOAD, PAYLOAD[:15] + b"x" + bytes(4), b"PING\0", b"ping", bytes(64)])
def test_anything_else_is_nobodys(datagram: bytes) -> None:
    assert find_waiter((waiter(),), datagram, "192.0.2.1") is None


def test_pings_from_another_address_are_ignored_whatever_they_say() -> None:
    for datagram in (PAYLOAD + bytes(4), LEGACY_PING):
        assert find_waiter((waiter(),), datagram, "192.0.2.2") is None


def test_the_four_letters_are_worth_nothing_once_the_payload_came() -> None:
    modern = waiter()
    assert find_waiter((modern,), LEGACY_PING, "192.0.2.1") is modern
    assert find_waiter((modern,), PAYLOAD + bytes(4), "192.0.2.1") is modern
    assert find_waiter((modern,), LEGACY_PING, "192.0.2.1") is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.1", "192.0.2.1"),
        ("::FFFF:1", "::ffff:1"),
    ],
)
def test_one_address_has_one_form(written: str, normal: str) -> None:
    assert normal_ip(written) == normal
