"""A SCRAM client that says anything: read or refused, and let in by nothing but the proof of the password."""

from __future__ import annotations

from base64 import b64encode
from hashlib import pbkdf2_hmac, sha256
from hmac import digest

from fanlight.auth.scram import derive
from fanlight.auth.scram_exchange import LONGEST_MESSAGE, ScramExchange, ScramRefused, decoy_of

NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT, ROUNDS = bytes(range(32)), 2
PENCIL = derive("pencil", SALT, ROUNDS)
KEY = digest(pbkdf2_hmac("sha256", b"pencil", SALT, ROUNDS), b"Client Key", "sha256")


def one_input(data: bytes) -> None:
    """Two messages of a client and what spoils an honest one, each a line; `p=*` becomes the right proof."""
    first, final, spoiler = (*data[: 2 * LONGEST_MESSAGE].split(b"\n", 2), b"", b"")[:3]
    challenge = _challenge(first)
    if challenge is None:
        return
    honest = _signed(first, challenge, _bound(first, challenge))
    _judge(first, honest, good=True)
    said = final.removesuffix(b",p=*")
    _judge(first, final if said == final else _signed(first, challenge, said), good=None)
    at = len(first) % len(honest)
    for spoilt in (honest + spoiler, honest[:at] + spoiler + honest[at:], honest[:at] + spoiler + honest[at + 1 :]):
        # Extensions are signed and ours are not signed with them, so only the very message is good.
        _judge(first, spoilt, good=spoilt == honest)
    _judge(first, honest, good=False, nobody=True)


def _begin(first: bytes) -> ScramExchange | None:
    exchange = ScramExchange(NONCE)
    user = exchange.first(first)
    if isinstance(user, ScramRefused):
        _refused(user, exchange)
        return None
    said = user.replace("=", "=3D").replace(",", "=2C").encode()
    assert user
    flag, authorization, bare = first.split(b",", 2)
    assert flag in (b"n", b"y")
    assert authorization in (b"", b"a=" + said)
    assert bare.startswith(b"n=" + said + b",r=")
    assert "\0" not in user
    return exchange


def _challenge(first: bytes) -> bytes | None:
    exchange = _begin(first)
    if exchange is None:
        return None
    challenge = exchange.challenge(PENCIL)
    nonce, salt, count = challenge.split(b",")
    assert nonce[2:].endswith(NONCE.encode())
    assert nonce.removesuffix(NONCE.encode()) in first
    assert (salt, count) == (b"s=" + b64encode(SALT), b"i=%d" % ROUNDS)
    return challenge


def _bound(first: bytes, challenge: bytes) -> bytes:
    """What a client has to repeat: its header, and the nonce of both."""
    flag, authorization, _ = first.split(b",", 2)
    return b"c=" + b64encode(flag + b"," + authorization + b",") + b"," + challenge.partition(b",")[0]


def _signed(first: bytes, challenge: bytes, said: bytes) -> bytes:
    """`said` with the proof of a client that knows the password."""
    whole = b",".join((first.split(b",", 2)[2], challenge, said))
    signature = digest(sha256(KEY).digest(), whole, "sha256")
    return said + b",p=" + b64encode(bytes(a ^ b for a, b in zip(KEY, signature, strict=True)))


def _judge(first: bytes, final: bytes, *, good: bool | None, nobody: bool = False) -> None:
    """`good` None: as the message turns out, but then only with the honest client's key."""
    exchange = _begin(first)
    assert exchange is not None
    challenge = exchange.challenge(decoy_of("nobody", b"secret", {ROUNDS: 1}) if nobody else PENCIL)
    answer = exchange.final(final)
    assert good is None or isinstance(answer, bytes) is good
    if isinstance(answer, ScramRefused):
        _refused(answer, exchange)
        return
    signed = final.rpartition(b",p=")[0]
    whole = b",".join((first.split(b",", 2)[2], challenge, signed))
    assert answer == b"v=" + b64encode(digest(PENCIL.server_key, whole, "sha256"))
    assert final == _signed(first, challenge, signed)
    assert (signed + b",").startswith(_bound(first, challenge) + b",")


def _refused(refused: ScramRefused, exchange: ScramExchange) -> None:
    """Said in one short word, and nothing may follow."""
    assert refused.message.startswith(b"e=")
    assert refused.message[2:].replace(b"-", b"").isalpha()
    for more in (lambda: exchange.first(b""), lambda: exchange.challenge(PENCIL), lambda: exchange.final(b"")):
        try:
            more()
        except RuntimeError:
            continue
        raise AssertionError("it goes on after a refusal")
