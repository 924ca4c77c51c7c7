"""The client's side of pairing by PIN (punktfunk1.md §3.2, §3.3)."""

from __future__ import annotations

from punktfunk.client.endpoint import Endpoint, dial
from punktfunk.client.errors import ClientError, ProtocolError, WrongPinError
from punktfunk.client.identity import ClientIdentity
from punktfunk.wire.punktfunk1.control import decode_control, encode_control
from punktfunk.wire.punktfunk1.enums import CloseCode
from punktfunk.wire.punktfunk1.errors import MalformedError
from punktfunk.wire.punktfunk1.messages import ControlMessage, PairChallenge, PairProof, PairRequest, PairResult
from punktfunk.wire.punktfunk1.pairing import PIN_DIGITS, PakeClient

CEREMONY_TIMEOUT_S = 20.0


async def pair(
    host: str,
    port: int,
    pin: str,
    identity: ClientIdentity,
    *,
    name: str = "punktfunk client",
    expected: bytes | None = None,
    budget_s: float = 10.0,
) -> bytes:
    """Pair with a host that shows ``pin``; its fingerprint (32 bytes), to be pinned from now on.

    The ceremony proves that both sides saw the same two certificates; ``expected`` refuses any other host before the
    PIN is used. Raises ``WrongPinError``, ``PairingRefusedError`` and what ``dial`` raises.
    """
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdecimal()):
        raise ValueError(f"a PIN has {PIN_DIGITS} digits")
    endpoint = await dial(host, port, identity, pin=expected, budget_s=budget_s)
    code = CloseCode.ERROR
    try:
        await _ceremony(endpoint, pin, identity, name)
        code = CloseCode.DONE
        return endpoint.host_fingerprint
    except MalformedError as error:
        raise ProtocolError(f"the host broke the pairing ({error})") from None
    finally:
        await endpoint.shut(code)


async def _ceremony(endpoint: Endpoint, pin: str, identity: ClientIdentity, name: str) -> None:
    pake = PakeClient(pin, identity.fingerprint, endpoint.host_fingerprint)
    endpoint.send_control(encode_control(PairRequest(name, pake.message)))
    challenge = await _next(endpoint)
    if not isinstance(challenge, PairChallenge):
        raise ProtocolError("the host answered the pairing request with something else")
    pake.receive(challenge.spake_b)
    if not pake.verify_host(challenge.confirmation):
        raise WrongPinError("the PIN is not the one that the host shows; it takes a new PIN for another try")
    endpoint.send_control(encode_control(PairProof(pake.proof())))
    result = await _next(endpoint)
    if not isinstance(result, PairResult) or not result.ok:
        raise ClientError("the host did not accept the pairing")


async def _next(endpoint: Endpoint) -> ControlMessage:
    return decode_control(await endpoint.next_payload(CEREMONY_TIMEOUT_S))
