"""How a connection opens: versions told apart at every cut, PROXY headers, TLS by a scripted channel."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanlight import App, Limits, Listener, Settings
from fanlight.config.listeners import PlaintextPolicy
from fanlight.connection.ingress import Ingress, Unwelcome
from fanlight.observe.records import Exposure
from fanlight.wire.proxy import SIGNATURE
from fanlight.wire.secure import ChannelBroken
from tests.clients.blocking import HttpConnection
from tests.clients.http2 import Http2Client
from tests.clients.messages import Outgoing
from tests.core.connection.connecting import fine, said, statuses
from tests.sim import Sim, SimWire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GET = b"GET /it HTTP/1.1\r\nhost: localhost\r\n\r\n"
BOTH = pytest.mark.parametrize("version", ["1.1", "2"])


class Scripted:
    """A channel whose cipher is to flip the high bit; `~hi` shakes hands, `~no` is broken, `~by` ends."""

    def __init__(self, alpn: str | None = None) -> None:
        self.handshaken = False
        self.ended = False
        self.alpn: str | None = None
        self._alpn = alpn
        self._seen = b""
        self._out = b""

    def receive(self, data: bytes, /) -> bytes:
        self.ended = self.ended or not data
        self._seen += data
        if not self.handshaken:
            if len(self._seen) < 4:
                return b""
            if self._seen[:4] != b"\x16~hi":
                self._out += b"alert"
                raise ChannelBroken
            self._seen, self._out = self._seen[4:], b"welcome"
            self.handshaken, self.alpn = True, self._alpn
        data, self._seen = self._seen, b""
        if data.endswith(b"~no"):
            self._out += b"alert"
            raise ChannelBroken
        self.ended = self.ended or data.endswith(b"~by")
        return flipped(data.removesuffix(b"~by"))

    @property
    def unwritten(self) -> bool:
        return bool(self._out)

    def send(self, data: bytes, /) -> bytes:
        out, self._out = self._out + flipped(data), b""
        return out

    def close(self) -> bytes:
        return b"~by"


def flipped(data: bytes) -> bytes:
    """`data` in the cipher, and back."""
    return bytes(byte ^ 0x80 for byte in data)


def serve(*, proxied: bool = False, tls: str | None = None, policy: PlaintextPolicy = "close") -> Sim:
    """A server with one route, `/it`; `tls` is the protocol that ALPN agrees on."""
    listener = Listener(
        "main", "127.0.0.1:6876", tls=tls is not None, behind_trusted_proxy=proxied, plaintext_policy=policy
    )
    settings = Settings(tls_certificate="chain.pem", tls_key="key.pem")
    app = App(listeners=(listener,), pages=False, settings=settings, limits=Limits(connections_per_peer=2))
    app.route("GET", "/it")(fine)
    sim = Sim(app)
    if tls is not None:
        sim.server.listeners["main"].channel = lambda: Scripted(tls)
    return sim


def header(peer: str = "192.0.2.7", *, command: int = 0x21, family: int | None = None, more: bytes = b"") -> bytes:
    """A PROXY header, version 2."""
    packed = ip_address(peer).packed
    body = packed + packed + b"\x00\x50\x1a\xdc" + more
    kind = family if family is not None else 0x11 if len(packed) == 4 else 0x21
    return SIGNATURE + bytes([command, kind]) + len(body).to_bytes(2, "big") + body


# ---- the version -------------------------------------------------------------


def spoken(pieces: list[bytes]) -> tuple[str, bytes]:
    """The protocol that was chosen, and the plaintext for it."""
    ingress = Ingress(serve().server.listeners["main"], proxied=False, channel=None)
    plain = b"".join(ingress.receive(piece) or b"" for piece in pieces)
    return ingress.wire.protocol if ingress.wire is not None else "", plain


FIRSTS = [(PREFACE + b"frames", "h2")] + [
    (first, "http/1.1")
    for first in (
        GET,
        b"POST /it HTTP/1.1\r\n",
        b"PRI",
        b"PRI * HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.1\r\n\r\n",
        b"PUT / HTTP/1.1\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01",
        b"pri * HTTP/2.0\r\n\r\n",
    )
]


@pytest.mark.parametrize(("first", "protocol"), FIRSTS)
def test_the_version_is_the_same_at_every_cut(first: bytes, protocol: str) -> None:
    for cut in range(1, len(first)):
        assert spoken([first[:cut], first[cut:], b"" if first == b"PRI" else b"\r\n"])[0] == protocol
    pieces = [bytes([byte]) for byte in first]
    assert spoken([*pieces, b""]) == (protocol, first)


@given(st.binary(max_size=30), st.lists(st.integers(0, 30)))
def test_no_byte_is_lost_or_changed(data: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert spoken([*pieces, b""]) == spoken([data, b""] if data else [b""])
    assert spoken([*pieces, b""])[1] == data


@pytest.mark.parametrize("half", [b"", b"P", b"PRI *", b"G", b"GET / HT"])
def test_an_end_before_the_first_head_is_whole_closes_at_once(half: bytes) -> None:
    sim = serve()
    wire = sim.connect()
    wire.send(half)
    wire.finish()
    assert wire.closed
    assert wire.received == b""
    assert sim.server.drained


# ---- the PROXY header --------------------------------------------------------


@BOTH
@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"])
def test_a_proxy_says_who_calls(peer: str, version: str) -> None:
    sim = serve(proxied=True)
    wire = sim.connect()
    wire.send(header(peer))
    assert HttpConnection(wire, version).exchange(Outgoing(target="/it")).status == 200
    assert [record.peer for record in sim.server.recent] == [peer.removeprefix("::ffff:")]


@pytest.mark.parametrize("more", [b"", b"\x03\x00\x04crc!", b"x" * (1024 - 12)])
def test_a_header_may_be_cut_anywhere_and_have_more_in_it(more: bytes) -> None:
    whole = header(more=more) + GET
    for cut in {*range(1, 40), len(whole) - len(GET), len(whole) - len(GET) + 1}:
        sim = serve(proxied=True)
        wire = sim.connect()
        wire.send(whole[:cut])
        wire.send(whole[cut:])
        assert statuses(wire) == [200]
        assert [record.peer for record in sim.server.recent] == ["192.0.2.7"]


@pytest.mark.parametrize("given", [{"command": 0x20}, {"family": 0x00}, {"family": 0x12}, {"family": 0x31}])
def test_what_names_no_tcp_caller_keeps_the_socket_s(given: dict[str, int]) -> None:
    sim = serve(proxied=True)
    wire = sim.connect()
    wire.send(header(**given) + GET)  # type: ignore[arg-type]
    assert statuses(wire) == [200]
    assert [record.peer for record in sim.server.recent] == ["127.0.0.1"]


@pytest.mark.parametrize(
    "wrong",
    [
        GET,
        PREFACE,
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n" + GET,
        header(command=0x11) + GET,
        header(command=0x22) + GET,
        header(more=b"x" * (1025 - 12)) + GET,
        header(family=0x21) + GET,
        SIGNATURE[:5] + b"x",
        b"\x16\x03\x01",
    ],
)
def test_no_header_or_a_wrong_one_closes_without_a_word(wrong: bytes) -> None:
    sim = serve(proxied=True)
    wire = sim.connect()
    wire.send(wrong)
    assert wire.closed
    assert wire.received == b""
    assert list(sim.server.recent) == []
    assert sim.server.drained


def test_a_header_must_come_in_time_and_before_the_end() -> None:
    sim = serve(proxied=True)
    slow, ended = sim.connect(), sim.connect()
    slow.send(header()[:-1])
    ended.send(header()[:-1])
    ended.finish()
    assert ended.closed
    sim.advance(4.999)
    assert not slow.closed
    sim.advance(0.001)
    assert said(sim)[-1] == "close"


def test_a_stranger_s_header_is_believed_by_nobody() -> None:
    sim = serve(proxied=True)
    wire = sim.connect(peer="198.51.100.1")
    wire.send(header() + GET)
    assert statuses(wire) == [400]
    assert [record.peer for record in sim.server.recent] == ["198.51.100.1"]


def test_callers_behind_a_proxy_are_counted_each_for_itself() -> None:
    sim = serve(proxied=True)
    wires = [sim.connect() for _ in range(4)]
    for wire, peer in zip(wires, ["192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"], strict=True):
        wire.send(header(peer))
    assert [wire.closed for wire in wires] == [False, False, True, False]
    assert sim.server.listeners["main"].peers == {"192.0.2.7": 2, "192.0.2.8": 1}


# ---- TLS ---------------------------------------------------------------------


def secured(sim: Sim) -> SimWire:
    """A connection after its handshake."""
    wire = sim.connect()
    wire.send(b"\x16~hi")
    assert bytes(wire.received).startswith(b"welcome")
    del wire.received[: len(b"welcome")]
    return wire


def test_what_arrives_is_deciphered_and_what_goes_out_is_enciphered() -> None:
    sim = serve(tls="http/1.1")
    wire = secured(sim)
    wire.send(flipped(GET))
    assert flipped(bytes(wire.received)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP" not in wire.received
    assert wire.connection.secure


def test_alpn_chooses_the_version() -> None:
    sim = serve(tls="h2")
    wire = secured(sim)
    client = Http2Client()
    client.request(Outgoing(target="/it", scheme="https"))
    wire.send(flipped(client.outgoing()))
    assert flipped(bytes(wire.received))[3:5] == b"\x04\x00", "a SETTINGS frame comes first"
    assert [record.version for record in sim.server.recent] == ["2"]


def test_without_alpn_it_is_http1_and_nothing_is_sniffed() -> None:
    wire = secured(serve(tls=""))
    wire.send(flipped(PREFACE))
    assert flipped(bytes(wire.received)).startswith(b"HTTP/1.1 ")


def test_the_handshake_may_be_cut_and_followed_by_a_request_at_once() -> None:
    whole = b"\x16~hi" + flipped(GET)
    for cut in range(1, 8):
        wire = serve(tls="http/1.1").connect()
        wire.send(whole[:cut])
        wire.send(whole[cut:])
        assert bytes(wire.received).startswith(b"welcome" + flipped(b"HTTP/1.1 200"))


def test_a_handshake_has_its_time() -> None:
    sim = serve(tls="http/1.1")
    silent, half = sim.connect(), sim.connect()
    half.send(b"\x16~")
    sim.advance(9.999)
    assert said(sim) == []
    sim.advance(0.001)
    assert said(sim) == ["close", "close"]
    assert silent.received == half.received == b""


@pytest.mark.parametrize("sent", [[b"\x16~xx"], [b"\x16~hi", b"~no"], [b"\x16~hi", flipped(GET), b"zz~no"]])
def test_a_broken_record_ends_it_after_the_alert(sent: list[bytes]) -> None:
    sim = serve(tls="http/1.1")
    wire = sim.connect()
    for data in sent:
        wire.send(data)
    assert bytes(wire.received).endswith(b"alert")
    assert wire.closed
    assert sim.server.drained


@pytest.mark.parametrize("sent", [[b""], [b"\x16~", b""], [b"\x16~hi", b""], [b"\x16~hi", b"~by"]])
def test_an_end_before_a_request_closes(sent: list[bytes]) -> None:
    sim = serve(tls="http/1.1")
    wire = sim.connect()
    for data in sent:
        wire.send(data) if data else wire.finish()
    sim.advance(2)
    assert wire.closed
    assert statuses(wire) == []


def test_the_last_answer_is_followed_by_the_farewell_and_then_by_the_half_close() -> None:
    sim = serve(tls="http/1.1")
    wire = secured(sim)
    before = len(sim.transcript)
    wire.send(flipped(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")))
    assert said(sim, before) == ["send", "send", "half close"]
    assert bytes(wire.received).endswith(flipped(b"fine") + b"~by")


def test_plaintext_where_tls_is_spoken_is_closed_or_sent_elsewhere() -> None:
    closed, redirected = serve(tls="http/1.1").connect(), serve(tls="http/1.1", policy="redirect").connect()
    for wire in (closed, redirected):
        wire.send(GET)
    assert closed.closed
    assert closed.received == b""
    assert statuses(redirected) == [308]
    assert b"location: https://localhost/it\r\n" in redirected.received
    assert not redirected.connection.secure


def test_credentials_in_the_clear_are_warned_about_once_for_each_peer() -> None:
    sim = serve(tls="http/1.1", policy="redirect")
    bare, basic, cookie = (
        GET.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n")
        for field in (b"", b"authorization: Basic YWRhOmFkYQ==\r\n", b"cookie: mz_session=secret\r\n")
    )
    for peer, request in (("192.0.2.7", bare), ("192.0.2.7", basic), ("192.0.2.7", cookie), ("192.0.2.8", cookie)):
        wire = sim.connect(peer=peer)
        wire.send(request)
        assert statuses(wire) == [308]
        wire.abort()
    assert sim.notes == [Exposure("main", "192.0.2.7"), Exposure("main", "192.0.2.8")]


def test_a_proxy_header_comes_before_the_handshake() -> None:
    sim = serve(proxied=True, tls="http/1.1")
    wire = sim.connect()
    wire.send(header() + b"\x16~hi")
    wire.send(flipped(GET))
    assert flipped(bytes(wire.received).removeprefix(b"welcome")).startswith(b"HTTP/1.1 200")
    assert [record.peer for record in sim.server.recent] == ["192.0.2.7"]


def test_a_channel_that_breaks_before_its_first_record_is_unwelcome() -> None:
    ingress = Ingress(serve(tls="").server.listeners["main"], proxied=False, channel=Scripted())
    with pytest.raises(Unwelcome):
        ingress.receive(b"GET")
    assert ingress.handshaking
