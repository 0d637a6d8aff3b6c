"""TLS over memory: handshakes however they arrive, ALPN, orderly and disorderly ends, renewed certificates."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from fanlight import App, Listener, Request, Response, Settings
from fanlight.wire.secure import ChannelBroken
from fanlight_engines import tls
from fanlight_engines.tls import Certificates, TlsChannel
from tests.engines.certificates import Files, TlsClient
from tests.sim import Sim
from tests.stateful.world import Work


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def channel(files: Files) -> TlsChannel:
    return Certificates(*files.paths).channel()


def said(channel: TlsChannel) -> bytes:
    """The TLS layer's own ciphertext."""
    return channel.send(b"")


def shake(channel: TlsChannel, client: TlsClient, size: int = 1 << 20) -> None:
    """A whole handshake; the client's bytes arrive `size` at a time."""
    reply = b""
    while not channel.handshaken:
        flight = client.shake(reply)
        for at in range(0, len(flight), size):
            assert channel.receive(flight[at : at + size]) == b""
        reply = said(channel)
    client.shake(reply)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_handshake_however_it_arrives(files: Files, channel: TlsChannel, size: int) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client, size)
    assert channel.receive(client.send(b"hello")) == b"hello"
    assert client.receive(channel.send(b"world")) == b"world"
    assert client.object.version() == "TLSv1.3"
    assert not channel.ended


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("h2", "http/1.1"), "h2"),
        (("http/1.1", "h2"), "h2"),
        (("http/1.1",), "http/1.1"),
        (("h2",), "h2"),
        (("spdy/3",), None),
        ((), None),
    ],
)
def test_the_protocol_is_agreed(
    files: Files, channel: TlsChannel, offered: tuple[str, ...], chosen: str | None
) -> None:
    client = TlsClient(files.client_context(*offered))
    shake(channel, client)
    assert channel.alpn == chosen == client.object.selected_alpn_protocol()


def test_data_that_comes_with_the_end_of_the_handshake(files: Files, channel: TlsChannel) -> None:
    client = TlsClient(files.client_context())
    channel.receive(client.shake())
    finished = client.shake(said(channel))
    assert channel.receive(finished + client.send(b"at once")) == b"at once"


@pytest.mark.parametrize("size", [0, 1, 16_384, 200_000])
def test_any_amount_of_data(files: Files, channel: TlsChannel, size: int) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client)
    data = os.urandom(size)
    assert client.receive(channel.send(data)) == data
    sent, found = (client.send(data) if data else b""), b""
    for at in range(0, len(sent), 5000):
        found += channel.receive(sent[at : at + 5000])
    assert found == data


def test_tls_1_2_is_spoken_with_modern_ciphers_only(files: Files, channel: TlsChannel) -> None:
    context = files.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = TlsClient(context)
    shake(channel, client)
    assert client.object.version() == "TLSv1.2"
    cipher = client.object.cipher()
    assert cipher is not None
    assert cipher[0].startswith("ECDHE-")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(files: Files, channel: TlsChannel) -> None:
    context = files.client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ChannelBroken):
        channel.receive(TlsClient(context).shake())
    assert said(channel)  # an alert says why


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01" + b"\xff" * 300]
)
def test_what_is_no_hello(channel: TlsChannel, data: bytes) -> None:
    with pytest.raises(ChannelBroken):
        channel.receive(data)
    assert not channel.handshaken


def test_a_record_that_was_changed(files: Files, channel: TlsChannel) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client)
    record = bytearray(client.send(b"hello"))
    record[-1] ^= 1
    with pytest.raises(ChannelBroken):
        channel.receive(bytes(record))


def test_after_a_bad_record_only_the_alert_goes_out(files: Files, channel: TlsChannel) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client)
    with pytest.raises(ChannelBroken):
        channel.receive(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert channel.unwritten
    alert = channel.send(b"an answer that came meanwhile")
    assert channel.send(b"and another") == b""
    with pytest.raises(ssl.SSLError):
        client.receive(alert)


def test_work_for_a_client_whose_records_are_bad_is_cancelled(files: Files) -> None:
    settings = Settings(tls_certificate=files.paths[0], tls_key=files.paths[1])
    app = App(listeners=(Listener("main", "127.0.0.1:1", tls=True),), pages=False, settings=settings)

    @app.route("GET", "/wait")
    async def wait(request: Request) -> Response:
        return Response(200, (), (await Work("/wait")).encode())

    sim = Sim(app)
    sim.server.listeners["main"].channel = Certificates(*files.paths).channel
    wire, client = sim.connect(credit=False), TlsClient(files.client_context())
    reply = b""
    for _ in range(2):
        wire.send(client.shake(reply))
        reply = bytes(wire.received)
        wire.received.clear()
    wire.send(client.send(b"GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    wire.send(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert [item.effect for item in sim.cancelled] == [Work("/wait")]
    sim.reply(sim.cancelled[0], "too late")
    wire.take()
    assert wire.closed
    assert b"too late" not in wire.received


def test_a_client_that_does_not_trust_us(files: Files, channel: TlsChannel, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    client = TlsClient(Files(tmp_path / "other").client_context())
    channel.receive(client.shake())
    with pytest.raises(ssl.SSLCertVerificationError):
        client.shake(said(channel))
    with pytest.raises(ChannelBroken):
        channel.receive(client.outgoing.read())


def test_an_orderly_end(files: Files, channel: TlsChannel) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client)
    assert channel.receive(client.send(b"last") + client.close()) == b"last"
    assert channel.ended
    with pytest.raises(ssl.SSLZeroReturnError):
        client.receive(channel.close())


def test_an_end_without_a_word(files: Files, channel: TlsChannel) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client)
    assert channel.receive(b"") == b""
    assert channel.ended


def test_an_end_in_the_middle_of_the_handshake(files: Files, channel: TlsChannel) -> None:
    channel.receive(TlsClient(files.client_context()).shake()[:50])
    with pytest.raises(ChannelBroken):
        channel.receive(b"")


def test_closing_twice(files: Files, channel: TlsChannel) -> None:
    client = TlsClient(files.client_context())
    shake(channel, client)
    assert channel.close()
    channel.close()


# ---- certificates ----------------------------------------------------------------


def names(files: Files, certificates: Certificates) -> set[str]:
    """The names in the certificate that a new connection gets."""
    context = files.client_context()
    context.check_hostname = False
    client = TlsClient(context)
    shake(certificates.channel(), client)
    certificate: Any = client.object.getpeercert()
    return {entry[1] for entry in certificate["subjectAltName"]}


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_CHECK_SECONDS", 0.0)


@pytest.mark.usefixtures("_impatient")
def test_a_new_certificate_is_used_for_new_connections(files: Files) -> None:
    certificates = Certificates(*files.paths)
    assert "localhost" in names(files, certificates)
    older = certificates.channel()
    files.issue("renewed.example")
    assert names(files, certificates) == {"renewed.example"}
    shake(older, client := TlsClient(files.client_context()))
    assert older.receive(client.send(b"still here")) == b"still here"


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("spoil", ["remove", "garbage", "mismatch"])
def test_a_pair_that_cannot_be_read_changes_nothing(
    files: Files, spoil: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    certificates = Certificates(*files.paths)
    if spoil == "remove":
        files.certificate.unlink()
    elif spoil == "garbage":
        files.certificate.write_text("no certificate")
    else:
        (tmp_path / "other").mkdir()
        files.key.write_bytes(Files(tmp_path / "other").key.read_bytes())
    assert "localhost" in names(files, certificates)
    assert "certificate not read again" in caplog.text
    assert "PRIVATE" not in caplog.text
    files.issue("localhost", "mended.example")
    assert "mended.example" in names(files, certificates)


def test_the_files_are_not_looked_at_for_every_connection(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(*files.paths)
    monkeypatch.setattr(certificates, "_read_stamp", lambda: pytest.fail("looked"))
    certificates.channel()


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_starting_without_a_pair_is_an_error(files: Files, missing: str) -> None:
    getattr(files, missing).unlink()
    with pytest.raises(OSError):
        Certificates(*files.paths)
