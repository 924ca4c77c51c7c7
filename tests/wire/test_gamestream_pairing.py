"""The recorded pairing transcript, byte for byte (gamestream.md §2.5)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from punktfunk.gamestream.pairing import PairedClient, Pairing, PairReply, Parked
from punktfunk.gamestream.pairing_crypto import derive_key, ecb_decrypt
from punktfunk.trust.certificate import Certificate
from punktfunk.trust.identity import Identity

VECTORS = json.loads((Path(__file__).parent / "vectors" / "gamestream.json").read_text())["pairing"]
INPUTS, WIRE, DERIVED = VECTORS["inputs"], VECTORS["wire"], VECTORS["derived"]


def identity() -> Identity:
    pem = bytes.fromhex(INPUTS["server_cert_pem_hex"]).decode("ascii")
    key = load_der_private_key(bytes.fromhex(INPUTS["server_private_key_pkcs8_der"]), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Identity(Certificate.from_pem(pem), pem, b"", key)


def test_transcript() -> None:
    secrets = iter([bytes.fromhex(INPUTS["server_secret"]), bytes.fromhex(INPUTS["server_challenge"])])
    admitted: list[PairedClient] = []
    answers: dict[int, PairReply] = {}
    pairing = Pairing(
        identity(), admit=admitted.append, on_answer=answers.__setitem__, random_bytes=lambda size: next(secrets)
    )

    def ask(**parameters: str) -> object:
        return pairing.handle({"uniqueid": "0123456789ABCDEF", **parameters}, "192.0.2.20", 0.0)

    parked = ask(phrase="getservercert", salt=WIRE["1_request_salt"], clientcert=WIRE["1_request_clientcert"])
    assert isinstance(parked, Parked)
    pairing.submit_pin(INPUTS["pin_text"], 0.0)
    assert answers[parked.attempt] == PairReply.ok(plaincert=WIRE["1_response_plaincert"])
    assert ask(clientchallenge=WIRE["2_request_clientchallenge"]) == PairReply.ok(
        challengeresponse=WIRE["2_response_challengeresponse"]
    )
    assert ask(serverchallengeresp=WIRE["3_request_serverchallengeresp"]) == PairReply.ok(
        pairingsecret=WIRE["3_response_pairingsecret"]
    )
    assert ask(clientpairingsecret=WIRE["4_request_clientpairingsecret"]) == PairReply.ok()
    assert admitted[0].certificate.pem.encode().hex() == INPUTS["client_cert_pem_hex"]


@pytest.mark.parametrize("side", ["server", "client"])
def test_certificate_signature_value(side: str) -> None:
    pem = bytes.fromhex(INPUTS[f"{side}_cert_pem_hex"]).decode("ascii")
    assert Certificate.from_pem(pem).signature.hex() == DERIVED[f"{side}_cert_signature"]


@pytest.mark.parametrize("case", VECTORS["key_derivation_cases"], ids=lambda case: case["pin_text"])
def test_key_derivation(case: dict[str, str]) -> None:
    assert derive_key(bytes.fromhex(case["salt"]), case["pin_text"]).hex() == case["aes_key"]


def test_ecb() -> None:
    case = VECTORS["ecb_case"]
    assert ecb_decrypt(bytes.fromhex(case["key"]), bytes.fromhex(case["cipher"])).hex() == case["plain"]


def test_one_time_passphrase() -> None:
    case = VECTORS["passphrase_variant_apollo"]
    pairing = Pairing(identity(), admit=lambda client: None, on_answer=lambda number, reply: None)
    pairing.arm_one_time_pin(case["pin_text"], case["passphrase_text"], 0.0)
    query = {"uniqueid": "0123456789ABCDEF", "phrase": "getservercert", "salt": case["salt_hex_text"]}
    query |= {"clientcert": WIRE["1_request_clientcert"], "otpauth": case["otpauth_text"]}
    assert pairing.handle(query, "192.0.2.20", 0.0) == PairReply.ok(plaincert=WIRE["1_response_plaincert"])
