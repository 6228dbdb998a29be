"""The part of HTTP/1.1 that API servers speak."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sbkube.edges.wire import Closed, Unintelligible, Wire, lines


@pytest.fixture
def pair() -> Iterator[tuple[Wire, socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    wire = Wire(client)
    wire.wait_at_most(5)
    yield wire, server
    wire.close()
    server.close()
    listener.close()


@pytest.mark.parametrize(
    ("raw", "body", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 200\r\nCONTENT-LENGTH:2\r\n\r\nab", b"ab", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", b"to the end", False),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
            b"0123456789",
            True,
        ),
    ],
)
def test_answers(pair: tuple[Wire, socket.socket], raw: bytes, body: bytes, reusable: bool) -> None:
    wire, server = pair
    server.sendall(raw)
    server.shutdown(socket.SHUT_WR)
    assert wire.answer().body == body
    assert wire.reusable is reusable


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", Closed),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Closed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Closed),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Closed),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", Closed),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ValueError),
        (b"HTTP/2 200\r\n\r\n", Unintelligible),
        (b"220 smtp.example.com\r\n", Unintelligible),
        (b"\x15\x03\x01\x00\x02\x02", Unintelligible),
    ],
)
def test_what_is_cut_or_foreign_is_never_taken_for_an_answer(
    pair: tuple[Wire, socket.socket], raw: bytes, error: type[Exception]
) -> None:
    wire, server = pair
    server.sendall(raw)
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(error):
        wire.answer()


def test_stale(pair: tuple[Wire, socket.socket]) -> None:
    wire, server = pair
    assert not wire.stale()
    server.close()
    assert wire.stale()


def test_lines_come_whole_however_they_were_cut() -> None:
    assert list(lines(iter([b'{"a"', b":1}\n\n{", b"}\n", b"rest"]))) == [b'{"a":1}', b"{}", b"rest"]
