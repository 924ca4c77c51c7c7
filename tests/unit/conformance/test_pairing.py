from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tests.conformance.moonlight.errors import PairingFailed
from tests.conformance.moonlight.identity import Identity
from tests.conformance.moonlight.pairing import (
    PairingExchange,
    check_host_certificate,
    derive_key,
    ecb_decrypt,
    one_time_authorisation,
)


@pytest.fixture
def transcript(vectors, tmp_path):
    inputs, wire = vectors["pairing"]["inputs"], vectors["pairing"]["wire"]
    pem = bytes.fromhex(inputs["client_cert_pem_hex"])
    key = serialization.load_der_private_key(bytes.fromhex(inputs["client_private_key_pkcs8_der"]), None)
    identity = Identity(x509.load_pem_x509_certificate(pem), key, tmp_path / "none", tmp_path / "none")
    exchange = PairingExchange(
        identity,
        inputs["pin_text"],
        bytes.fromhex(inputs["salt"]),
        bytes.fromhex(inputs["client_challenge"]),
        bytes.fromhex(inputs["client_secret"]),
    )
    return SimpleNamespace(exchange=exchange, wire=wire, inputs=inputs)


def test_transcript(transcript, violations):
    exchange, wire = transcript.exchange, transcript.wire
    first = exchange.phase1_request()
    assert first["salt"] == wire["1_request_salt"]
    assert bytes.fromhex(first["clientcert"]).split() == bytes.fromhex(wire["1_request_clientcert"]).split()
    exchange.phase1_answer(wire["1_response_plaincert"])
    check_host_certificate(exchange.host_certificate, violations)
    assert exchange.phase2_request()["clientchallenge"] == wire["2_request_clientchallenge"]
    exchange.phase2_answer(wire["2_response_challengeresponse"])
    assert exchange.phase3_request()["serverchallengeresp"] == wire["3_request_serverchallengeresp"]
    exchange.phase3_answer(wire["3_response_pairingsecret"])
    assert exchange.phase4_request()["clientpairingsecret"] == wire["4_request_clientpairingsecret"]


def test_wrong_pin_shows_in_phase_3(transcript):
    exchange, wire = transcript.exchange, transcript.wire
    exchange.key = derive_key(exchange.salt, "4712")
    exchange.phase1_answer(wire["1_response_plaincert"])
    exchange.phase2_answer(wire["2_response_challengeresponse"])
    with pytest.raises(PairingFailed, match="wrong PIN") as caught:
        exchange.phase3_answer(wire["3_response_pairingsecret"])
    assert caught.value.phase == 3


def test_forged_host_signature(transcript):
    exchange, wire = transcript.exchange, transcript.wire
    exchange.phase1_answer(wire["1_response_plaincert"])
    exchange.phase2_answer(wire["2_response_challengeresponse"])
    with pytest.raises(PairingFailed, match="signature"):
        exchange.phase3_answer(wire["3_response_pairingsecret"][:-2] + "00")


@pytest.mark.parametrize("answer", ["", "zz", "00"])
def test_bad_plaincert(transcript, answer):
    with pytest.raises(PairingFailed) as caught:
        transcript.exchange.phase1_answer(answer)
    assert caught.value.phase == 1


def test_challenge_response_must_have_48_bytes(transcript):
    with pytest.raises(PairingFailed, match="64 bytes"):
        transcript.exchange.phase2_answer("00" * 64)


def test_key_derivation_and_ecb(vectors):
    for case in vectors["pairing"]["key_derivation_cases"]:
        assert derive_key(bytes.fromhex(case["salt"]), case["pin_text"]).hex() == case["aes_key"]
    case = vectors["pairing"]["ecb_case"]
    assert ecb_decrypt(bytes.fromhex(case["key"]), bytes.fromhex(case["cipher"])).hex() == case["plain"]


def test_passphrase_variant(vectors):
    case = vectors["pairing"]["passphrase_variant_apollo"]
    salt = bytes.fromhex(case["salt_hex_text"])
    assert one_time_authorisation(case["pin_text"], salt, case["passphrase_text"]) == case["otpauth_text"]


def test_identity_is_kept(tmp_path):
    first = Identity.load_or_create(tmp_path)
    again = Identity.load_or_create(tmp_path)
    assert first.pem == again.pem
    assert again.certificate.subject.rfc4514_string() == "CN=NVIDIA GameStream Client"
