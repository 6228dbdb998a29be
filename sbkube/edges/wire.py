"""HTTP/1.1 on one keep-alive connection, and nothing more.

`http.client` parses each answer's headers with the e-mail package, which costs more than the rest of a request.
This is the part of RFC 9112 that an API server and the proxies before it speak. One connection is used by one
thread at a time; foreign exceptions leave this module and are translated in `connection.py`.
"""

from __future__ import annotations

import contextlib
import io
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

BUFFER = 65536
NO_BODY = frozenset((204, 304))


class Closed(ConnectionError):
    """The other side closed the connection in the middle of an answer, or instead of one."""


class Unintelligible(ConnectionError):
    """What came back is not HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer whose body has not been read."""

    status: int
    headers: Mapping[str, str]


class Wire:
    """One open connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._reader = cast(io.BufferedReader, sock.makefile("rb", BUFFER))
        self.reusable = True

    def close(self) -> None:
        """Close at once; a thread that reads from it wakes up with an error."""
        with contextlib.suppress(OSError):  # it may be closed already, which is what is wanted
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def stale(self) -> bool:
        """The server closed it (or sent something unasked) while it lay idle."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([self._socket], [], [], 0)[0])

    def send(self, message: bytes) -> None:
        """Write a whole request."""
        self._socket.sendall(message)

    def wait_at_most(self, seconds: float) -> None:
        """How long the next reads may take."""
        self._socket.settimeout(seconds)

    def answer(self) -> Answer:
        """Read one answer with its body."""
        head = self.head()
        if head.status in NO_BODY:
            return Answer(head.status, head.headers, b"")
        length = head.headers.get("content-length")
        if length is not None:
            body = self._exactly(int(length))
        else:
            body = b"".join(self.chunks(head))
        return Answer(head.status, head.headers, body)

    def head(self) -> Head:
        """Read status line and headers, skipping 1xx answers."""
        status = 100
        while status < 200:
            status = self._status()
            headers = self._headers()
        if headers.get("connection", "").lower() == "close":
            self.reusable = False
        return Head(status, headers)

    def chunks(self, head: Head) -> Iterator[bytes]:
        """The body piece by piece as it arrives."""
        if head.headers.get("transfer-encoding", "").lower() != "chunked":
            yield from self._rest(head)
            return
        while True:
            size = int(self._line().split(b";", 1)[0], 16)
            if size == 0:
                break
            yield self._exactly(size)
            self._line()
        while self._line():  # trailers
            continue

    def _rest(self, head: Head) -> Iterator[bytes]:
        length = head.headers.get("content-length")
        if length is not None:
            yield self._exactly(int(length))
            return
        self.reusable = False
        while piece := self._reader.read1(BUFFER):
            yield piece

    def _status(self) -> int:
        line = self._reader.readline(BUFFER)
        if not line:
            raise Closed("the connection was closed before an answer came")
        parts = line.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise Unintelligible("the answer is not HTTP/1.1")
        if parts[0] == b"HTTP/1.0":
            self.reusable = False
        return int(parts[1])

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        return headers

    def _line(self) -> bytes:
        line = self._reader.readline(BUFFER)
        if not line.endswith(b"\n"):
            raise Closed("the connection was closed in the middle of an answer")
        return line.rstrip(b"\r\n")

    def _exactly(self, length: int) -> bytes:
        body = self._reader.read(length)
        if len(body) < length:
            raise Closed("the connection was closed in the middle of an answer")
        return body


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Non-empty lines of a body that comes in arbitrary pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(None, whole)
    if rest.strip():
        yield rest
