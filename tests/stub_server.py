"""A server that plays a script: one raw HTTP answer after the other, or a cut connection."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from typing import Any

CUT = b""


def answer(status: int, body: Any = None, **headers: str) -> bytes:
    """A raw answer; a body that is not bytes is sent as JSON; `_` in header names stands for `-`."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


def failure(status: int, message: str, reason: str = "", **details: Any) -> bytes:
    """A raw `Status` answer."""
    body = {"kind": "Status", "code": status, "message": message, "reason": reason, "details": details}
    return answer(status, body)


class StubServer:
    """Gives the next of `script` for each request; CUT closes the connection instead. Use it with `with`."""

    def __init__(self, *script: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> StubServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes up `accept`, which would keep the port open
        self._socket.close()
        self.drop()

    def drop(self) -> None:
        """Cut all connections."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def heads(self) -> list[str]:
        """The first line of each request, without the version."""
        return [request.split(b" HTTP/1.1", 1)[0].decode() for request in self.requests]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while self._once(connection):
                continue
        except OSError:
            pass
        finally:
            connection.close()

    def _once(self, connection: socket.socket) -> bool:
        request = _read(connection)
        if not request:
            return False
        self.requests.append(request)
        reply = self.script.pop(0) if self.script else answer(200, {})
        connection.sendall(reply)
        return reply != CUT


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
