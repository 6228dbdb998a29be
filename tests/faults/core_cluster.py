"""A connection that ends in a sandbox of this process: no HTTP, no TLS, no port; everything else is the real edge.

Requests are built, repeated and refused by `edges.connection`, so that what the cluster and lease edges make of
faults is tried too; only the bytes go nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import cast

import orjson

from sbkube.edges.access import Access
from sbkube.edges.cluster import HttpCluster
from sbkube.edges.connection import Connection, Limits, Stream, _Lost
from sbkube.edges.wire import Answer, Wire
from sbkube.sandbox.inprocess import Cut, InProcess


class _NoWire:
    """Stands where a stream keeps its connection."""

    def close(self) -> None:
        """Nothing is open."""

    def wait_at_most(self, seconds: float) -> None:
        """Nothing is waited for."""


class InProcessConnection(Connection):
    """`edges.connection.Connection` to an `InProcess`; it never sleeps between tries."""

    def __init__(self, box: InProcess) -> None:
        super().__init__(Access("http://127.0.0.1:1"), limits=Limits(retries=3, sleep=lambda seconds: None))
        self._box = box

    def _exchange(self, message: bytes) -> Answer:
        method, path, headers, body = _parsed(message)
        try:
            response = self._box.request(method, path, body or None, headers)
        except Cut as cut:
            raise _Lost(ConnectionError(str(cut)), sent=True) from cut
        found = {name.lower(): value for name, value in response.headers.items()}
        found["date"] = format_datetime(datetime.now(UTC), usegmt=True)
        self._note(found)
        return Answer(response.status, found, response.body)

    def _open(self, message: bytes, timeout: float) -> Answer | Stream:
        _, path, headers, _ = _parsed(message)
        return Stream(200, {}, self._lines(path, headers), cast(Wire, _NoWire()))

    def _lines(self, path: str, headers: dict[str, str]) -> Iterator[bytes]:
        try:
            for event in self._box.watch(path, headers):
                yield orjson.dumps(event)
        except Cut as cut:
            raise ConnectionError(str(cut)) from cut


def _parsed(message: bytes) -> tuple[str, str, dict[str, str], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return method, path, {n: v for n, v in headers.items() if n not in ("Host", "Content-Length")}, body


def cluster(box: InProcess) -> HttpCluster:
    """`ports.Cluster` on the core of a sandbox."""
    return HttpCluster(InProcessConnection(box))
