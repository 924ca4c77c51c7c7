"""Facts about addresses."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from punktfunk.discovery import network


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("not an address", "not an address"),
    ],
)
def test_plain_address(text: str, plain: str) -> None:
    assert network.plain_address(text) == plain


def test_routed_address_is_ipv4_and_not_loopback() -> None:
    address = network.routed_address()
    assert address is None or (
        ipaddress.ip_address(address).version == 4 and not ipaddress.ip_address(address).is_loopback
    )


@pytest.fixture
def interfaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    macs = {"lo": "00:00:00:00:00:00", "eth0": "02:11:22:33:44:55", "wlan0": "02:AA:BB:CC:DD:EE", "tun0": ""}
    for name, mac in macs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "address").write_text(mac + "\n")
    found = {"127.0.0.1": "lo", "192.0.2.1": "eth0", "192.0.2.2": "wlan0", "2001:db8::2": "wlan0", "192.0.2.3": "tun0"}
    monkeypatch.setattr(network, "_NET_CLASS", tmp_path)
    monkeypatch.setattr(network, "_interface_of_address", lambda: found)
    monkeypatch.setattr(network, "routed_address", lambda: "192.0.2.2")


@pytest.mark.usefixtures("interfaces")
def test_routed_interface_comes_first() -> None:
    assert network.mac_addresses() == ["02:aa:bb:cc:dd:ee", "02:11:22:33:44:55"]


@pytest.mark.usefixtures("interfaces")
@pytest.mark.parametrize(
    ("address", "mac"),
    [
        ("192.0.2.1", "02:11:22:33:44:55"),
        ("2001:db8::2", "02:aa:bb:cc:dd:ee"),
        ("::ffff:192.0.2.1", "02:11:22:33:44:55"),
        ("127.0.0.1", None),
        ("192.0.2.3", None),
        ("198.51.100.1", None),
    ],
)
def test_mac_of_the_interface_that_was_reached(address: str, mac: str | None) -> None:
    assert network.mac_for(address) == mac


@pytest.mark.parametrize(
    ("release", "chain"),
    [
        ({"ID": "debian"}, "linux/debian"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "linux/debian/ubuntu"),
        ({"ID": "bazzite", "ID_LIKE": "fedora"}, "linux/fedora/bazzite"),
        ({"ID": "x", "ID_LIKE": "d c b a"}, "linux/b/c/d/x"),
        ({"ID": "Odd Name!/" + "x" * 40, "ID_LIKE": "debian debian"}, "linux/debian/oddname" + "x" * 25),
        ({}, "linux"),
    ],
)
def test_the_system_from_the_general_to_the_particular(
    monkeypatch: pytest.MonkeyPatch, release: dict[str, str], chain: str
) -> None:
    monkeypatch.setattr(network.platform, "system", lambda: "Linux")
    monkeypatch.setattr(network.platform, "freedesktop_os_release", lambda: release)
    assert network.os_chain() == chain


def test_a_system_without_a_release_file_is_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> dict[str, str]:
        raise FileNotFoundError

    monkeypatch.setattr(network.platform, "system", lambda: "Linux")
    monkeypatch.setattr(network.platform, "freedesktop_os_release", missing)
    assert network.os_chain() == "linux"
