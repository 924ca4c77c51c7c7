"""The host's own identity: created once, never changed, damage reported."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from punktfunk.trust import files
from punktfunk.trust.errors import IdentityError
from punktfunk.trust.identity import load_gamestream_identity, load_native_identity, load_unique_id


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config" / "punktfunk"


def test_created_once_and_read_back(config: Path) -> None:
    first = load_gamestream_identity(config)
    again = load_gamestream_identity(config)
    assert isinstance(first.private_key, rsa.RSAPrivateKey)
    assert first.private_key.key_size == 2048
    assert again.certificate_pem == first.certificate_pem
    assert again.private_key_pem == first.private_key_pem


def test_native_identity_is_p256_and_separate(config: Path) -> None:
    native, gamestream = load_native_identity(config), load_gamestream_identity(config)
    assert isinstance(native.private_key, ec.EllipticCurvePrivateKey)
    assert native.private_key.curve.name == "secp256r1"
    assert native.fingerprint != gamestream.fingerprint
    assert sorted(p.name for p in config.iterdir()) == ["cert.pem", "key.pem", "native-cert.pem", "native-key.pem"]


def test_only_the_owner_can_read(config: Path) -> None:
    load_gamestream_identity(config)
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in config.iterdir()} == {0o600}


def test_key_readable_by_others_is_tightened(config: Path) -> None:
    load_gamestream_identity(config)
    (config / "key.pem").chmod(0o644)
    load_gamestream_identity(config)
    assert stat.S_IMODE((config / "key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["cert.pem", "key.pem"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "binary"])
def test_damage_is_reported_and_not_repaired(config: Path, name: str, damage: str) -> None:
    load_gamestream_identity(config)
    path = config / name
    if damage == "missing":
        path.unlink()
    else:
        text = path.read_bytes()
        path.write_bytes({"truncated": text[: len(text) // 2], "empty": b"", "binary": b"\xff\x00" * 50}[damage])
    before = {p.name: p.read_bytes() for p in config.iterdir()}
    with pytest.raises(IdentityError, match=name):
        load_gamestream_identity(config)
    assert {p.name: p.read_bytes() for p in config.iterdir()} == before


def test_key_of_another_certificate_is_reported(config: Path, tmp_path: Path) -> None:
    load_gamestream_identity(config)
    load_gamestream_identity(tmp_path / "other")
    (config / "key.pem").write_bytes((tmp_path / "other" / "key.pem").read_bytes())
    with pytest.raises(IdentityError, match="not the key of"):
        load_gamestream_identity(config)


def test_ec_key_is_no_gamestream_identity(config: Path) -> None:
    load_native_identity(config)
    (config / "native-cert.pem").rename(config / "cert.pem")
    (config / "native-key.pem").rename(config / "key.pem")
    with pytest.raises(IdentityError, match="RSA"):
        load_gamestream_identity(config)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_that_takes_nothing_is_reported(config: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(files.os, "fsync", refuse)
    with pytest.raises(IdentityError, match=os.strerror(error)):
        load_gamestream_identity(config)
    with pytest.raises(IdentityError, match=os.strerror(error)):
        load_unique_id(config)
    assert list(config.iterdir()) == []


def test_secrets_do_not_show_in_repr(config: Path) -> None:
    assert "PRIVATE" not in repr(load_gamestream_identity(config))


def test_unique_id_is_a_stable_uuid(config: Path) -> None:
    first = load_unique_id(config)
    assert first == load_unique_id(config) == str(uuid.UUID(first)).upper()


def test_damaged_unique_id_is_reported(config: Path) -> None:
    load_unique_id(config)
    (config / "uniqueid").write_text("not a uuid")
    with pytest.raises(IdentityError, match="UUID"):
        load_unique_id(config)
