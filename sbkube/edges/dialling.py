"""Opening a connection to an API server: names, proxies, TLS."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import ssl
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from sbkube.edges.access import Access
from sbkube.edges.wire import Wire
from sbkube.errors import ClusterUnreachable, Place

DEFAULT_PORTS = {"https": 443, "http": 80, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Pair:
    """A client certificate and its key as PEM text."""

    certificate: str
    key: str


def tls_context(access: Access, pair: Pair | None = None) -> ssl.SSLContext:
    """Trust and client certificate of `access`; `pair` (from an exec plugin) wins. Raises ClusterUnreachable."""
    tls = access.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if tls.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif tls.ca_data or tls.ca_file:
            context.load_verify_locations(cafile=None if tls.ca_data else tls.ca_file, cadata=tls.ca_data or None)
        else:
            context.load_default_certs()
        with _certificate(access, pair) as files:
            if files is not None:
                context.load_cert_chain(*files)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ClusterUnreachable(
            f'CA, client certificate or key of context "{access.context}" cannot be used: {error}',
            place=Place(access.origin),
            hint="write the kubeconfig again; certificate and key must be PEM and belong together",
        ) from error
    return context


@contextlib.contextmanager
def _certificate(access: Access, pair: Pair | None) -> Iterator[tuple[str, str] | None]:
    """Paths of certificate and key. OpenSSL reads files only, so that data lies in a 0600 file for an instant."""
    tls = access.tls
    certificate, key = (pair.certificate, pair.key) if pair else (tls.cert_data, tls.key_data)
    with contextlib.ExitStack() as stack:
        first = _as_file(stack, certificate) or tls.cert_file
        second = _as_file(stack, key) or tls.key_file
        yield (first, second) if first and second else None


def _as_file(stack: contextlib.ExitStack, text: str) -> str:
    if not text:
        return ""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sbkube-"))
    path = os.path.join(folder, "pem")  # noqa: PTH118
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


class Dialler:
    """Opens connections to one server. Foreign exceptions leave it; `connection.py` translates them."""

    def __init__(self, access: Access, timeout: float) -> None:
        self._access = access
        self._timeout = timeout
        self._server = urlsplit(access.server)
        self._proxy = urlsplit(access.proxy) if access.proxy else None
        self.context = tls_context(access) if self._server.scheme == "https" else None

    @property
    def host_header(self) -> str:
        """Value of the Host header."""
        return self._server.netloc.rpartition("@")[2]

    @property
    def target_prefix(self) -> str:
        """What stands before a path in the request line: the server's own path, or all of it for a plain proxy."""
        if self._proxy is not None and self._proxy.scheme == "http" and self._server.scheme == "http":
            return self._access.server
        return self._server.path.rstrip("/")

    def trust(self, pair: Pair | None) -> None:
        """Use another client certificate from now on."""
        if self._server.scheme == "https":
            self.context = tls_context(self._access, pair)

    def dial(self) -> Wire:
        """Connect, through the proxy if there is one, and shake hands."""
        sock = socket.create_connection(_address(self._proxy or self._server), self._timeout)
        try:
            if self._proxy is not None:
                self._pass_proxy(sock, self._proxy)
            if self.context is not None:
                name = self._access.tls.server_name or self._server.hostname
                return Wire(self.context.wrap_socket(sock, server_hostname=name))
            return Wire(sock)
        except BaseException:
            sock.close()
            raise

    def _pass_proxy(self, sock: socket.socket, proxy: SplitResult) -> None:
        host, port = _address(self._server)
        if proxy.scheme in ("socks5", "socks5h"):
            _socks(sock, proxy, host, port)
        elif proxy.scheme != "http":
            raise ClusterUnreachable(
                f"proxy {_shown(proxy)}: {proxy.scheme} is not supported", hint="use an http:// or socks5:// proxy"
            )
        elif self._server.scheme == "https":
            _tunnel(sock, proxy, host, port)


def _address(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "", url.port or DEFAULT_PORTS.get(url.scheme, 443)


def _shown(proxy: SplitResult) -> str:
    """A proxy's URL without its password."""
    return f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}"


def _tunnel(sock: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    """CONNECT (RFC 9110, 9.3.6)."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    head = f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n"
    if proxy.username:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        head += f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}\r\n"
    sock.sendall(f"{head}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = sock.recv(1)  # not one byte more: what follows belongs to TLS
        if not piece:
            raise ClusterUnreachable(f"proxy {_shown(proxy)} closed the connection")
        answer += piece
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise ClusterUnreachable(
            f"proxy {_shown(proxy)} does not connect to {where}: {status}",
            hint="check proxy-url, HTTPS_PROXY and NO_PROXY",
        )


def _socks(sock: socket.socket, proxy: SplitResult, host: str, port: int) -> None:
    """SOCKS 5 with the name resolved by the proxy (RFC 1928, RFC 1929)."""
    user, password = unquote(proxy.username or "").encode(), unquote(proxy.password or "").encode()
    sock.sendall(b"\x05\x02\x00\x02" if user else b"\x05\x01\x00")
    method = _take(sock, 2)[1]
    if method == 2 and user:
        sock.sendall(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        if _take(sock, 2)[1]:
            raise ClusterUnreachable(f"proxy {_shown(proxy)} refuses user and password")
    elif method:
        raise ClusterUnreachable(f"proxy {_shown(proxy)} wants another kind of login")
    name = host.encode("idna")
    sock.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + struct.pack(">H", port))
    answer = _take(sock, 4)
    if answer[1]:
        raise ClusterUnreachable(f"proxy {_shown(proxy)} does not connect to {host}:{port} (SOCKS {answer[1]})")
    _take(sock, {1: 4, 4: 16}.get(answer[3], 0) or _take(sock, 1)[0])
    _take(sock, 2)


def _take(sock: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            raise ClusterUnreachable("the SOCKS proxy closed the connection")
        data += piece
    return data
