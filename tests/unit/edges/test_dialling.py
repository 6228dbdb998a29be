"""TLS, proxies and what is said when they fail, with real sockets."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from stub_server import StubServer

from sbkube.edges.access import Access, Tls
from sbkube.edges.connection import Connection, Limits, Request
from sbkube.edges.dialling import Pair, tls_context
from sbkube.errors import ClusterUnreachable
from sbkube.sandbox import certs

GET = Request("GET", "/x")
QUICK = Limits(connect=5, read=5, retries=0)


@pytest.fixture(scope="module")
def made() -> certs.Certificates:
    return certs.make()


@pytest.fixture
def server(made: certs.Certificates, tmp_path: Path) -> Iterator[StubServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(made.certificate + made.key)
    context.load_cert_chain(chain)
    with StubServer(tls=context) as running:
        yield running


def ask(access: Access, limits: Limits = QUICK) -> bytes:
    connection = Connection(access, limits=limits)
    try:
        return connection.request(GET).body
    finally:
        connection.close()


def test_a_ca_as_text_or_file(server: StubServer, made: certs.Certificates, tmp_path: Path) -> None:
    assert ask(Access(server.url, tls=Tls(ca_data=made.ca.decode()))) == b"{}"
    path = tmp_path / "ca.crt"
    path.write_bytes(made.ca)
    assert ask(Access(server.url, tls=Tls(ca_file=str(path)))) == b"{}"
    assert ask(Access(server.url, tls=Tls(insecure=True))) == b"{}"


def test_an_unknown_ca_is_refused_with_a_way_out(server: StubServer) -> None:
    with pytest.raises(ClusterUnreachable, match="its certificate is not trusted") as caught:
        ask(Access(server.url, tls=Tls(ca_data=certs.make().ca.decode())))
    assert "certificate-authority-data" in str(caught.value.hint)


def test_the_name_in_the_certificate_counts(server: StubServer, made: certs.Certificates) -> None:
    tls = Tls(ca_data=made.ca.decode(), server_name="elsewhere.example.com")
    with pytest.raises(ClusterUnreachable, match="elsewhere"):
        ask(Access(server.url, tls=tls))
    assert ask(Access(server.url, tls=replace(tls, server_name="localhost"))) == b"{}"


def test_client_certificates_leave_no_files(
    made: certs.Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tls = Tls(cert_data=made.certificate.decode(), key_data=made.key.decode())
    tls_context(Access("https://x", tls=tls))
    tls_context(Access("https://x"), Pair(made.certificate.decode(), made.key.decode()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tls", [Tls(ca_data="junk"), Tls(cert_data="junk", key_data="junk")])
def test_certificates_that_are_none(tls: Tls) -> None:
    with pytest.raises(ClusterUnreachable, match="cannot be used") as caught:
        Connection(Access("https://x", context="prod", tls=tls, origin="/k"))
    assert str(caught.value).startswith("/k: ")


def test_https_to_something_plain() -> None:
    with StubServer() as plain, pytest.raises(ClusterUnreachable, match=r"TLS failed|no answer"):
        ask(Access(plain.url.replace("http:", "https:")), Limits(connect=0.5, retries=0))


class Proxy:
    """Takes one connection, lets `greet` talk to the client, then copies bytes to the target."""

    def __init__(self, target: int, greet: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._target = target
        self._greet = greet
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        self._greet(client)
        upstream = socket.create_connection(("127.0.0.1", self._target))
        threading.Thread(target=self._copy, args=(upstream, client), daemon=True).start()
        self._copy(client, upstream)

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def test_a_tunnel_through_a_proxy(server: StubServer, made: certs.Certificates) -> None:
    seen = bytearray()

    def greet(client: socket.socket) -> None:
        while b"\r\n\r\n" not in seen:
            seen.extend(client.recv(65536))
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")

    proxy = Proxy(server.port, greet)
    access = Access(
        server.url, tls=Tls(ca_data=made.ca.decode()), proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}"
    )
    assert ask(access) == b"{}"
    assert seen.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert base64.b64encode(b"me:p@ss") in seen


def test_a_proxy_that_refuses(server: StubServer) -> None:
    proxy = Proxy(server.port, lambda client: client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n"))
    access = Access(server.url, proxy=f"http://me:secret@127.0.0.1:{proxy.port}")
    with pytest.raises(ClusterUnreachable, match=r"HTTP/1\.1 403 Forbidden") as caught:
        ask(access)
    assert "secret" not in str(caught.value)
    with pytest.raises(ClusterUnreachable, match="not supported"):
        ask(replace(access, proxy=access.proxy.replace("http:", "https:")))


@pytest.mark.parametrize("user", ["", "me:pw@"])
def test_socks(server: StubServer, made: certs.Certificates, user: str) -> None:
    def greet(client: socket.socket) -> None:
        methods = client.recv(65536)
        client.sendall(b"\x05\x02" if 2 in methods[2:] else b"\x05\x00")
        if 2 in methods[2:]:
            assert client.recv(65536) == b"\x01\x02me\x02pw"
            client.sendall(b"\x01\x00")
        wanted = client.recv(65536)
        assert wanted[:4] == b"\x05\x01\x00\x03"
        assert b"127.0.0.1" in wanted
        client.sendall(b"\x05\x00\x00\x03\x04name\x00\x00")

    proxy = Proxy(server.port, greet)
    access = Access(server.url, tls=Tls(ca_data=made.ca.decode()), proxy=f"socks5://{user}127.0.0.1:{proxy.port}")
    assert ask(access) == b"{}"


def test_a_plain_proxy_for_a_plain_server() -> None:
    with StubServer() as proxy:
        assert ask(Access("http://api.example.com:8080/base", proxy=proxy.url)) == b"{}"
        assert proxy.heads() == ["GET http://api.example.com:8080/base/x"]
        assert b"Host: api.example.com:8080\r\n" in proxy.requests[0]


def test_a_server_below_a_path() -> None:
    with StubServer() as server:
        ask(Access(f"{server.url}/k8s/clusters/c-1"))
        assert server.heads() == ["GET /k8s/clusters/c-1/x"]
