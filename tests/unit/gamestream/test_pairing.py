"""The pairing phases: order, mixing, PINs, bounds."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from tests.unit.gamestream.pairing_client import PairingClient, host_identity, new_client, rsa_key, self_signed

from punktfunk.gamestream import pairing as p
from punktfunk.gamestream.pairing import PairedClient, Pairing, PairReply, Parked, PinError
from punktfunk.trust.errors import StoreError

ADDRESS = "192.0.2.20"


class Host:
    """A Pairing with what it stored and answered."""

    def __init__(self) -> None:
        self.admitted: list[PairedClient] = []
        self.answers: dict[int, PairReply] = {}
        self.pairing = Pairing(host_identity(), admit=self.admitted.append, on_answer=self.answers.__setitem__)

    def ask(self, query: dict[str, str], address: str = ADDRESS, now: float = 0.0) -> PairReply | Parked:
        return self.pairing.handle(query, address, now)

    def park(self, client: PairingClient, address: str = ADDRESS, now: float = 0.0) -> int:
        outcome = self.ask(client.phase_1(), address, now)
        assert isinstance(outcome, Parked), outcome
        return outcome.attempt

    def begin(self, client: PairingClient, address: str = ADDRESS, now: float = 0.0, pin: str | None = None) -> None:
        """Phase 1 and the PIN."""
        attempt = self.park(client, address, now)
        self.pairing.submit_pin(pin or client.pin, now, attempt=attempt)
        client.take_host_certificate(element(self.answers[attempt], "plaincert"))


def element(reply: object, name: str) -> str:
    assert isinstance(reply, PairReply)
    return dict(reply.elements).get(name, "")


def step(host: Host, client: PairingClient, phase: int, address: str = ADDRESS, now: float = 0.0) -> bool:
    """Run phase 2, 3 or 4; whether the host said paired=1."""
    reply = host.ask(getattr(client, f"phase_{phase}")(), address, now)
    if element(reply, "paired") != "1":
        return False
    if phase == 2:
        client.take_challenge_response(element(reply, "challengeresponse"))
    return True


def finish(host: Host, client: PairingClient, address: str = ADDRESS, now: float = 0.0) -> bool:
    return all(step(host, client, phase, address, now) for phase in (2, 3, 4))


def test_right_pin_pairs_the_certificate() -> None:
    host, client = Host(), new_client()
    host.begin(client)
    assert finish(host, client)
    assert [c.certificate.der for c in host.admitted] == [client.certificate.der]
    assert len(host.pairing) == 0


def test_client_sees_the_right_pin_after_phase_3() -> None:
    host, client = Host(), new_client()
    host.begin(client)
    assert step(host, client, 2)
    assert client.pin_is_right(element(host.ask(client.phase_3()), "pairingsecret"))


def test_wrong_pin_pairs_nobody_and_cannot_be_tried_again() -> None:
    host, client = Host(), new_client(pin="1234")
    host.begin(client, pin="1235")
    assert step(host, client, 2)
    secret = element(host.ask(client.phase_3()), "pairingsecret")
    assert not client.pin_is_right(secret)
    reply = host.ask(client.phase_4())
    assert isinstance(reply, PairReply)
    assert (reply.status, element(reply, "paired")) == (200, "0")
    assert not step(host, client, 4)
    assert not host.admitted
    with pytest.raises(PinError):
        host.pairing.submit_pin("1234", 0.0)


def test_signature_of_another_key_is_refused() -> None:
    host, client = Host(), new_client()
    host.begin(client)
    assert step(host, client, 2)
    assert step(host, client, 3)
    client.key = rsa_key(2)
    assert not step(host, client, 4)
    assert not host.admitted


@pytest.mark.parametrize(
    "order", [o for n in (1, 2, 3) for o in itertools.product((2, 3, 4), repeat=n) if o != (2, 3, 4)]
)
def test_phases_out_of_order_pair_nobody(order: tuple[int, ...]) -> None:
    """Every permutation, repeat and omission of the phases after the PIN (CVE-2024-51738)."""
    host, client = Host(), new_client()
    host.begin(client)
    done = [step(host, client, phase) for phase in order]
    assert not host.admitted
    if not all(done):
        assert len(host.pairing) == 0, "a deviation forgets the attempt"


@pytest.mark.parametrize("phase", [2, 3, 4])
def test_phase_before_the_pin_ends_the_attempt(phase: int) -> None:
    host, client = Host(), new_client()
    attempt = host.park(client)
    assert not step(host, client, phase)
    assert element(host.answers[attempt], "paired") == "0"
    with pytest.raises(PinError):
        host.pairing.submit_pin(client.pin, 0.0)


INTERLEAVINGS = sorted(set(itertools.permutations("AAAABBBB")))


def test_two_clients_at_once_never_mix() -> None:
    """All 70 interleavings of two clients with the same uniqueid at different addresses, each with its own PIN."""
    for interleaving in INTERLEAVINGS:
        host = Host()
        clients = {"A": (new_client(1, pin="1111"), "192.0.2.1"), "B": (new_client(2, pin="2222"), "192.0.2.2")}
        progress = {"A": 0, "B": 0}
        for turn, who in enumerate(interleaving):
            client, address = clients[who]
            if progress[who] == 0:
                host.begin(client, address, now=turn * 0.01)
            else:
                assert step(host, client, progress[who] + 1, address)
            progress[who] += 1
        assert {c.certificate.der for c in host.admitted} == {c.certificate.der for c, _ in clients.values()}


def test_other_client_cannot_take_over_an_attempt() -> None:
    """Phases of a stranger at the same address with the same uniqueid end the attempt instead of joining it."""
    for interleaving in INTERLEAVINGS:
        host = Host()
        clients = {"A": new_client(1, pin="1111"), "B": new_client(2, pin="2222")}
        progress = {"A": 0, "B": 0}
        for who in interleaving:
            if progress[who] == 0:
                host.begin(clients[who], pin="1111")
            else:
                step(host, clients[who], progress[who] + 1)
            progress[who] += 1
        assert all(c.certificate.der == clients["A"].certificate.der for c in host.admitted), "only A's PIN was entered"


def test_newest_attempt_of_a_client_replaces_the_older_one() -> None:
    host, first, second = Host(), new_client(), new_client()
    old, new = host.park(first), host.park(second)
    assert element(host.answers[old], "paired") == "0"
    assert [a.attempt for a in host.pairing.pending(0.0)] == [new]


def test_pin_needs_a_name_when_several_devices_wait() -> None:
    host, a, b = Host(), new_client(1), new_client(2)
    first = host.park(a, "192.0.2.1")
    second = host.park(b, "192.0.2.2")
    with pytest.raises(PinError, match=f"{first}.*{second}"):
        host.pairing.submit_pin("1234", 0.0)
    assert host.pairing.submit_pin("1234", 0.0, attempt=second) == second
    assert host.pairing.submit_pin("1234", 0.0) == first


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "١٢٣٤", " 123"])
def test_malformed_pin_spends_nothing(pin: str) -> None:
    host, client = Host(), new_client()
    host.park(client)
    with pytest.raises(PinError):
        host.pairing.submit_pin(pin, 0.0)
    assert len(host.pairing.pending(0.0)) == 1


def test_no_http_request_can_submit_a_pin() -> None:
    """A client that sends the PIN itself (or every parameter at once) stays parked or is refused."""
    host, client = Host(), new_client()
    assert isinstance(host.ask(client.phase_1() | {"pin": client.pin, "name": "me"}), Parked)
    reply = host.ask(client.phase_2() | client.phase_3() | {"pin": client.pin})
    assert element(reply, "paired") == "0"


def test_parked_attempt_expires() -> None:
    host, client = Host(), new_client()
    attempt = host.park(client)
    host.pairing.expire(p.PIN_LIFETIME_S - 0.1)
    assert attempt not in host.answers
    host.pairing.expire(p.PIN_LIFETIME_S)
    assert element(host.answers[attempt], "paired") == "0"


def test_phases_must_follow_each_other_soon() -> None:
    host, client = Host(), new_client()
    host.begin(client)
    assert not step(host, client, 2, now=p.PHASE_LIFETIME_S)
    assert len(host.pairing) == 0


def test_abandoned_attempt_is_forgotten_without_an_answer() -> None:
    host, client = Host(), new_client()
    attempt = host.park(client)
    host.pairing.abandon(attempt)
    assert not host.pairing.pending(0.0)
    assert not host.answers


def test_flood_is_bounded_and_spares_other_addresses() -> None:
    host = Host()
    for n in range(200):
        host.ask(new_client(1, unique_id=f"{n:016X}").phase_1(), "192.0.2.66")
    assert len(host.pairing) == p.MAX_ATTEMPTS_PER_ADDRESS
    host.park(new_client(2), "192.0.2.2")
    for n in range(200):
        host.ask(new_client(1).phase_1(), f"198.51.100.{n}", now=n * 1.0)
    assert len(host.pairing) <= p.MAX_ATTEMPTS


def test_attempts_are_rate_limited_per_address() -> None:
    host = Host()
    outcomes = [host.ask(new_client().phase_1()) for _ in range(40)]
    assert sum(isinstance(outcome, Parked) for outcome in outcomes) == 30
    host.park(new_client(), now=60.0)


@pytest.mark.parametrize(
    "change",
    [
        {"uniqueid": ""},
        {"uniqueid": "x" * 65},
        {"salt": ""},
        {"salt": "00" * 15},
        {"salt": "00" * 17},
        {"salt": "zz" * 16},
        {"salt": "0 " * 16},
        {"clientcert": ""},
        {"clientcert": "00"},
        {"clientcert": "zz"},
        {"clientcert": "2d" * 20_000},
    ],
)
def test_malformed_phase_1_is_refused(change: dict[str, str]) -> None:
    host = Host()
    assert element(host.ask(new_client().phase_1() | change), "paired") == "0"
    assert len(host.pairing) == 0


def test_short_rsa_key_is_refused() -> None:
    host, key = Host(), rsa_key(9, 1024)
    client = PairingClient(key, self_signed(key))
    assert element(host.ask(client.phase_1()), "paired") == "0"


def test_secrets_are_fresh_for_each_attempt() -> None:
    seen = set()
    for _ in range(2):
        host, client = Host(), new_client(challenge=bytes(16))
        host.begin(client)
        assert step(host, client, 2)
        seen.add(client.server_challenge)
        seen.add(bytes.fromhex(element(host.ask(client.phase_3()), "pairingsecret"))[:16])
    assert len(seen) == 4


def test_store_that_cannot_be_written_is_reported_to_the_client() -> None:
    def full(_client: PairedClient) -> None:
        raise StoreError("cannot write the list: No space left on device")

    host, client = Host(), new_client()
    host.pairing._admit = full
    host.begin(client)
    assert step(host, client, 2)
    assert step(host, client, 3)
    reply = host.ask(client.phase_4())
    assert isinstance(reply, PairReply)
    assert (element(reply, "paired"), reply.status) == ("0", 500)


def otpauth(client: PairingClient, passphrase: str) -> str:
    return hashlib.sha256(f"{client.pin}{client.salt.hex()}{passphrase}".encode()).hexdigest().upper()


def test_one_time_passphrase_pairs_at_once_and_only_once() -> None:
    host, client = Host(), new_client()
    host.pairing.arm_one_time_pin(client.pin, "correct horse", 0.0, name="phone")
    reply = host.ask(client.phase_1() | {"otpauth": otpauth(client, "correct horse")})
    client.take_host_certificate(element(reply, "plaincert"))
    assert finish(host, client)
    assert host.admitted[0].name == "phone"
    again = host.ask(client.phase_1() | {"otpauth": otpauth(client, "correct horse")})
    assert element(again, "paired") == "0"


def test_one_time_passphrase_expires_and_survives_few_wrong_guesses() -> None:
    host, client = Host(), new_client()
    right, wrong = otpauth(client, "correct horse"), otpauth(client, "wrong")
    host.pairing.arm_one_time_pin(client.pin, "correct horse", 0.0)
    assert element(host.ask(client.phase_1() | {"otpauth": right}, now=p.ONE_TIME_PIN_LIFETIME_S), "paired") == "0"
    host.pairing.arm_one_time_pin(client.pin, "correct horse", 1000.0)
    for _ in range(p.MAX_ONE_TIME_PIN_GUESSES):
        assert element(host.ask(client.phase_1() | {"otpauth": wrong}, now=1000.0), "paired") == "0"
    assert element(host.ask(client.phase_1() | {"otpauth": right}, now=1000.0), "paired") == "0"
