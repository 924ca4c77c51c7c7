"""Random bytes at the HTTP parser, the TLS session and the pairing phases: refused or parsed, never anything else."""

from __future__ import annotations

import contextlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gamestream.pairing_client import host_identity, new_client

from punktfunk.gamestream.http import MAX_HEAD_BYTES, HttpError, RequestParser
from punktfunk.gamestream.pairing import MAX_ATTEMPTS, Pairing, PairReply, Parked
from punktfunk.gamestream.tls import TlsError, TlsSession, server_context

SEEDS = [
    b"GET /serverinfo?uniqueid=0123456789ABCDEF HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    b"GET /pair?phrase=getservercert&salt=00&clientcert=2d%20 HTTP/1.0\r\n\r\n",
]


def mutated(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        data = data or bytearray(b"\0")
    return bytes(data)


def test_mutated_requests() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        parser = RequestParser()
        with contextlib.suppress(HttpError):
            parser.feed(mutated(rng.choice(SEEDS), rng))


@given(st.lists(st.binary(max_size=9000), max_size=8))
def test_random_pieces_are_bounded(pieces: list[bytes]) -> None:
    parser = RequestParser()
    with contextlib.suppress(HttpError):
        for piece in pieces:
            parser.feed(piece)
    assert len(parser._buffer) <= 2 * MAX_HEAD_BYTES + 2


def test_mutated_tls_hellos() -> None:
    rng, context = random.Random(2), server_context(host_identity())
    hello = bytes.fromhex("16030100610100005d0303") + bytes(32) + bytes.fromhex("000002130101000032") + bytes(50)
    for _ in range(300):
        session = TlsSession(context)
        with contextlib.suppress(TlsError):
            session.receive(mutated(hello, rng))
        session.outgoing()
        assert session.peer_certificate is None


@settings(max_examples=300)
@given(st.data())
def test_random_pairing_requests_pair_nobody(data: st.DataObject) -> None:
    """Any order of right and mangled phases from a client whose PIN nobody entered."""
    admitted: list[object] = []
    pairing = Pairing(host_identity(), admit=admitted.append, on_answer=lambda number, reply: None)
    client, now = new_client(), 0.0
    phases = [client.phase_1(), client.phase_2(), client.phase_3(), client.phase_4()]
    for _ in range(data.draw(st.integers(1, 8))):
        query = dict(data.draw(st.sampled_from(phases)))
        name = data.draw(st.sampled_from(sorted(query)))
        query[name] = data.draw(st.just(query[name]) | st.text(max_size=40))
        now += data.draw(st.sampled_from([0.0, 1.0, 60.0]))
        assert isinstance(pairing.handle(query, "192.0.2.1", now), PairReply | Parked)
    assert not admitted
    assert len(pairing) <= MAX_ATTEMPTS
