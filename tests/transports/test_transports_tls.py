"""TLS over real sockets: ALPN, an orderly end, renewal without a restart, faults in a record."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import struct
import time
from pathlib import Path

import pytest

from fanlight import Listener
from fanlight_engines import tls

from .application import GET, answer, application, common_name, connect, ended, get, issue, secure
from .conftest import Serving

TLS = Listener("main", "127.0.0.1:0", tls=True)


@pytest.mark.parametrize(
    ("offered", "chosen"), [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), (("spdy/1",), None), ((), None)]
)
def test_alpn(serve: Serving, tmp_path: Path, offered: tuple[str, ...], chosen: str | None) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    with secure(connect(served), trusted, *offered) as client:
        assert client.selected_alpn_protocol() == chosen
        if chosen == "h2":
            client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            assert client.recv(9)[3] == 4  # SETTINGS
        else:
            assert get(client) == b"main"


def test_the_last_answer_arrives_whole_and_is_followed_by_close_notify(serve: Serving, tmp_path: Path) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    with secure(connect(served), trusted) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer(client) == b"main"
        assert client.recv(1) == b""  # would raise SSLEOFError without close_notify


def test_what_is_no_tls_is_closed_and_the_listener_goes_on(serve: Serving, tmp_path: Path) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    for start in (GET % b"/", b"\x16\x03\x01\x00\x02zz", b"\x16"):
        with connect(served) as client:
            client.sendall(start)
            client.shutdown(socket.SHUT_WR)
            assert ended(client)
    with secure(connect(served), trusted) as client:
        assert get(client) == b"main"


def test_a_broken_record_ends_the_connection_without_a_word_in_the_log(
    serve: Serving, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    plain = connect(served)
    raw = plain.dup()
    client = secure(plain, trusted)
    assert get(client) == b"main"
    client.sendall(GET % b"/nap")
    time.sleep(0.1)
    raw.sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32)
    assert ended(raw)
    client.close()
    raw.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_renewal(serve: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_CHECK_SECONDS", 0.0)
    settings, first = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    with secure(connect(served), first) as before:
        assert common_name(before) == "ada"
        _, second = issue(tmp_path, "grace")
        with secure(connect(served), second) as after:
            assert common_name(after) == "grace"
            assert get(after) == b"main"
        assert get(before) == b"main"  # goes on with what it began with
        Path(settings.tls_certificate or "").write_text("no certificate")
        with secure(connect(served), second) as kept:
            assert common_name(kept) == "grace"
        os.unlink(settings.tls_key or "")
        with secure(connect(served), second) as kept:
            assert common_name(kept) == "grace"


def test_a_flood_of_half_handshakes_leaves_room(serve: Serving, tmp_path: Path) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    silent = [connect(served) for _ in range(100)]
    with secure(connect(served), trusted) as client:
        assert get(client) == b"main"
    for sock in silent:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def test_tls_1_2_is_spoken_too(serve: Serving, tmp_path: Path) -> None:
    settings, trusted = issue(tmp_path, "ada")
    served = serve(application(TLS, settings=settings))
    context = ssl.create_default_context(cafile=str(trusted))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(connect(served), server_hostname="localhost") as client:
        assert client.version() == "TLSv1.2"
        assert get(client) == b"main"
