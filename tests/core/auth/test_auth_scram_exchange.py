"""The SCRAM exchange: the RFC's example, a client of our own against it, and whatever else may be sent."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from hashlib import pbkdf2_hmac, sha256
from hmac import digest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight.auth.scram import ITERATIONS, StoredPassword, derive, parse
from fanlight.auth.scram_exchange import LONGEST_MESSAGE, ScramExchange, ScramRefused, decoy_of

# RFC 7677 section 3.
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
BOTH = "rOprNGfwEbeRWgbNEkqO" + NONCE
CLIENT_FINAL = f"c=biws,r={BOTH},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
PENCIL = derive("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)

SALTS = st.binary(min_size=32, max_size=32)
NONCES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=1, max_size=40)
NAMES = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=40)
PASSWORDS = st.text(st.characters(codec="utf-8"), max_size=40)


class Client:
    """The other side, written from the RFC and sharing nothing with ours."""

    def __init__(self, user: str, password: str, nonce: str, header: str = "n,,") -> None:
        self.password = password.encode()
        self.header = header
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self.server_signature = b""

    def first(self) -> bytes:
        return (self.header + self.bare).encode()

    def final(self, challenge: bytes) -> bytes:
        nonce, salt, count = (part.partition("=")[2] for part in challenge.decode().split(","))
        salted = pbkdf2_hmac("sha256", self.password, b64decode(salt), int(count))
        key = digest(salted, b"Client Key", "sha256")
        bound = f"c={b64encode(self.header.encode()).decode()},r={nonce}"
        whole = f"{self.bare},{challenge.decode()},{bound}".encode()
        signature = digest(sha256(key).digest(), whole, "sha256")
        proof = b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()
        self.server_signature = digest(digest(salted, b"Server Key", "sha256"), whole, "sha256")
        return f"{bound},p={proof}".encode()


def challenged(stored: StoredPassword = PENCIL) -> ScramExchange:
    exchange = ScramExchange(NONCE)
    assert exchange.first(CLIENT_FIRST) == "user"
    assert exchange.challenge(stored).startswith(b"r=" + BOTH.encode())
    return exchange


def test_the_example_of_the_rfc() -> None:
    exchange = ScramExchange(NONCE)
    assert exchange.first(CLIENT_FIRST) == "user"
    assert exchange.challenge(PENCIL) == SERVER_FIRST
    assert exchange.final(CLIENT_FINAL) == SERVER_FINAL


@given(NAMES, PASSWORDS, PASSWORDS, SALTS, NONCES, NONCES, st.sampled_from(["n,,", "y,,"]))
def test_there_and_back(user: str, password: str, said: str, salt: bytes, mine: str, theirs: str, header: str) -> None:
    stored = parse(str(derive(password, salt, 3)))  # as it comes out of a users file
    assert stored is not None
    client, exchange = Client(user, said, theirs, header), ScramExchange(mine)
    assert exchange.first(client.first()) == user
    answer = exchange.final(client.final(exchange.challenge(stored)))
    if said == password:
        assert answer == b"v=" + b64encode(client.server_signature)
    else:
        assert answer == ScramRefused("invalid-proof")


@given(st.binary(max_size=32), st.integers(0, 31), st.integers(1, 255))
def test_no_other_proof_is_good(random: bytes, at: int, flip: int) -> None:
    signed, _, proof = CLIENT_FINAL.rpartition(b",p=")
    right = bytearray(b64decode(proof))
    right[at] ^= flip
    for made in (bytes(right), random, random + bytes(right), b64decode(proof)[:-1], b64decode(proof) + b"\0"):
        assert challenged().final(signed + b",p=" + b64encode(made)) == ScramRefused("invalid-proof")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "invalid-encoding"),
        (b"n,", "invalid-encoding"),
        (b"n,,", "invalid-encoding"),
        (b"x,,n=user,r=a", "invalid-encoding"),
        (b"n,user,n=user,r=a", "invalid-encoding"),
        (b"n,,r=a,n=user", "invalid-encoding"),
        (b"n,,n=user", "invalid-encoding"),
        (b"n,,n=user,r=", "invalid-encoding"),
        (b"n,,n=user,r=a\x7f", "invalid-encoding"),
        (b"n,,n=user,r=a,,", "invalid-encoding"),
        (b"n,,n=\xff,r=a", "invalid-encoding"),
        (b"n,,n=" + b"u" * LONGEST_MESSAGE + b",r=a", "invalid-encoding"),
        (b"p=tls-server-end-point,,n=user,r=a", "channel-binding-not-supported"),
        (b"n,,m=x,n=user,r=a", "extensions-not-supported"),
        (b"n,,n=,r=a", "invalid-username-encoding"),
        (b"n,,n=a=b,r=a", "invalid-username-encoding"),
        (b"n,,n=a=2c,r=a", "invalid-username-encoding"),
        (b"n,a=mz_system,n=user,r=a", "other-error"),
        (b"n,a==,n=user,r=a", "invalid-username-encoding"),
        (b"n,a=,n=user,r=a", "invalid-username-encoding"),
    ],
)
def test_first_messages_that_are_none(message: bytes, reason: str) -> None:
    exchange = ScramExchange(NONCE)
    refused = exchange.first(message)
    assert isinstance(refused, ScramRefused)
    assert (refused.reason, refused.message) == (reason, f"e={reason}".encode())
    with pytest.raises(RuntimeError):
        exchange.challenge(PENCIL)


def test_first_messages_that_are_unusual() -> None:
    assert ScramExchange(NONCE).first(b"y,a=user,n=user,r=a,x=extension") == "user"
    assert ScramExchange(NONCE).first("n,,n=a=2Cb=3DcÜ,r=a".encode()) == "a,b=cÜ"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "invalid-encoding"),
        (b"c=biws,p=AAAA", "invalid-encoding"),
        (CLIENT_FINAL.replace(b",p=", b",q="), "invalid-encoding"),
        (CLIENT_FINAL + b"x", "invalid-encoding"),
        (CLIENT_FINAL.replace(b"AndVQ=", b"AndVR="), "invalid-encoding"),
        (CLIENT_FINAL.replace(b"c=biws", b"c=eSws"), "channel-bindings-dont-match"),
        (CLIENT_FINAL.replace(b"r=r", b"r=R"), "other-error"),
        (CLIENT_FINAL.replace(b",p=", b"x,p="), "other-error"),
        (b"\xff", "invalid-encoding"),
        (b"x" * (LONGEST_MESSAGE + 1), "invalid-encoding"),
    ],
)
def test_final_messages_that_are_none(message: bytes, reason: str) -> None:
    assert challenged().final(message) == ScramRefused(reason)  # type: ignore[arg-type]


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_is_sent_is_refused_or_named(first: bytes, final: bytes) -> None:
    for message in (first, b"n,," + first, b"n,,n=" + first):
        assert isinstance(ScramExchange(NONCE).first(message), str | ScramRefused)
    assert isinstance(challenged().final(final), ScramRefused)
    assert isinstance(challenged().final(CLIENT_FINAL[:-44] + final), ScramRefused)


def test_each_step_once_and_in_order() -> None:
    exchange = ScramExchange(NONCE)
    with pytest.raises(RuntimeError):
        exchange.challenge(PENCIL)
    with pytest.raises(RuntimeError):
        exchange.final(CLIENT_FINAL)
    exchange = challenged()
    assert exchange.final(CLIENT_FINAL) == SERVER_FINAL
    with pytest.raises(RuntimeError):
        exchange.final(CLIENT_FINAL)
    with pytest.raises(ValueError, match="nonce"):
        ScramExchange("a,b")


@given(NAMES, NAMES)
def test_nobody_looks_like_somebody(user: str, other: str) -> None:
    one, again = decoy_of(user, b"k", {7: 1}), decoy_of(user, b"k", {7: 1})
    assert one == again
    assert parse(str(one)) == one
    assert (decoy_of(other, b"k", {7: 1}) == one) is (user == other)
    assert decoy_of(user, b"other", {7: 1}).salt != one.salt


def test_a_decoy_is_proven_by_nobody() -> None:
    exchange, client = ScramExchange(NONCE), Client("nobody", "guess", "x")
    assert exchange.first(client.first()) == "nobody"
    challenge = exchange.challenge(decoy_of("nobody", b"k", {7: 1}))
    assert exchange.final(client.final(challenge)) == ScramRefused("invalid-proof")
    assert b"nobody" not in challenge


def test_nobodys_counts_are_drawn_as_often_as_they_are_in_use() -> None:
    """So that an odd count in a challenge does not say that there is somebody of that name."""
    seen = Counter(decoy_of(f"user {number}", b"k", {7: 1, 9: 3}).iterations for number in range(2000))
    assert set(seen) == {7, 9}
    assert 400 < seen[7] < 600
    assert decoy_of("user", b"k").iterations == ITERATIONS == decoy_of("user", b"k", {}).iterations
