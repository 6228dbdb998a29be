"""Requests to one API server: pooled keep-alive connections, credentials, repetition, translated errors.

What is repeated, and when: a request that never left, or that the server turned away unread (429), may always be
sent again. After that only what does no harm twice: reads, server-side applies of the same body, deletes that
name the uid. A create whose answer was lost is reported as lost; whoever asked finds out by reading.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

from sbkube._version import __version__
from sbkube.edges import credentials as creds
from sbkube.edges import status
from sbkube.edges.access import Access
from sbkube.edges.dialling import Dialler
from sbkube.edges.wire import Answer, Wire, lines
from sbkube.errors import ClusterUnreachable

JSON = "application/json"
BUSY = frozenset((429, 502, 503, 504))
LONGEST_ADVICE = 30.0  # seconds: how much of a Retry-After is obeyed


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` has its query and is quoted; `subject` (an object's key) is for error messages."""

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    content_type: str = JSON
    accept: str = JSON
    repeatable: bool = True
    subject: object = None
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts. `retries` apply to lost connections and busy servers, two at most to a plain 500."""

    connect: float = 10.0
    read: float = 65.0  # an API server gives up at 60 s itself
    retries: int = 7
    first_pause: float = 0.1
    longest_pause: float = 5.0
    sleep: Callable[[float], None] = time.sleep


class _HasStatus(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


_T = TypeVar("_T", bound=_HasStatus)


class _Lost(Exception):
    """The connection failed; `sent` tells whether the server may have read the whole request."""

    def __init__(self, cause: Exception, sent: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that goes on. Iterate `lines`, then `close`."""

    status: int
    headers: Mapping[str, str]
    lines: Iterator[bytes]
    wire: Wire


class Connection:
    """A pool of at most `most` connections (streams not counted). Safe for use from several threads."""

    def __init__(self, access: Access, *, most: int = 16, limits: Limits | None = None) -> None:
        self.access = access
        self._limits = limits or Limits()
        self._credentials = creds.of(access)
        self._dialler = Dialler(access, self._limits.connect)
        self._slots = threading.BoundedSemaphore(most)
        self._idle: deque[Wire] = deque()
        self._streams: set[Wire] = set()
        self._lock = threading.Lock()
        self._pair: object = None
        self._reached = False
        self._quiet_until = 0.0
        self._date: tuple[str, float] = ("", 0.0)
        self._prefix = self._dialler.target_prefix
        self._fixed = self._fixed_headers()

    def _fixed_headers(self) -> str:
        auth = self.access.auth
        head = f"\r\nHost: {self._dialler.host_header}\r\nUser-Agent: sbkube/{__version__}\r\n"
        if auth.impersonate:
            head += f"Impersonate-User: {auth.impersonate}\r\n"
        if auth.impersonate_uid:
            head += f"Impersonate-Uid: {auth.impersonate_uid}\r\n"
        return head + "".join(f"Impersonate-Group: {group}\r\n" for group in auth.impersonate_groups)

    def request(self, request: Request) -> Answer:
        """Send and read the whole answer.

        Raises ClusterForbidden, ClusterUnreachable, or ClusterError for every other status of 400 and above.
        """
        answer = self._persist(request, self._exchange)
        if answer.status >= 400:
            raise status.refused(answer, self.access, request.subject)
        return answer

    def stream(self, request: Request, timeout: float) -> Stream:
        """Open an answer that goes on, on a connection of its own; its reads fail after `timeout` seconds."""
        opened = self._persist(request, lambda message: self._open(message, timeout))
        if isinstance(opened, Answer):
            raise status.refused(opened, self.access, request.subject)
        return opened

    def end(self, stream: Stream) -> None:
        """Close a stream."""
        with self._lock:
            self._streams.discard(stream.wire)
        stream.wire.close()

    def close(self) -> None:
        """Close everything; streams that are being read end."""
        with self._lock:
            wires = [*self._idle, *self._streams]
            self._idle.clear()
            self._streams.clear()
        for wire in wires:
            wire.close()

    def server_time(self) -> datetime:
        """The server's clock (to the second), from its last answer; raises ClusterUnreachable if it sent none."""
        from email.utils import parsedate_to_datetime

        date, read = self._date
        try:
            then = parsedate_to_datetime(date).astimezone(UTC)
        except (ValueError, TypeError) as error:
            raise ClusterUnreachable(
                f"{self.access.server} does not tell the time (no Date header)",
                hint="is there a proxy that removes it?",
            ) from error
        return then + timedelta(seconds=time.monotonic() - read)

    def _persist(self, request: Request, act: Callable[[bytes], _T]) -> _T:
        """Do it until it is answered, as often as that does no harm."""
        renewed = False
        tries = 0
        while True:
            credential = self._current()
            try:
                answer = act(self._message(request, credential))
            except _Lost as lost:
                if not self._worth(lost, request, tries):
                    raise status.unreachable(lost.cause, self.access) from lost.cause
                advice = None
            else:
                if answer.status == 401 and not renewed:
                    renewed = True
                    if self._credentials.renew(credential):
                        continue
                if not self._refusal_passes(answer.status, request, tries):
                    return answer
                advice = _advice(answer.headers)
                if answer.status == 429:
                    self._quiet(advice)
            self._pause(tries, advice)
            tries += 1

    def _worth(self, lost: _Lost, request: Request, tries: int) -> bool:
        if lost.sent and not request.repeatable:
            return False
        if isinstance(lost.cause, ssl.SSLCertVerificationError):
            return False
        # Before the first answer a wrong address is likelier than a restart: say so soon.
        return tries < (self._limits.retries if self._reached else min(1, self._limits.retries))

    def _refusal_passes(self, code: int, request: Request, tries: int) -> bool:
        if code == 429:
            return tries < self._limits.retries
        if not request.repeatable:
            return False
        return tries < (
            self._limits.retries if code in BUSY else min(2, self._limits.retries) if code == 500 else 0
        )

    def _pause(self, tries: int, advice: float | None) -> None:
        longest = min(self._limits.longest_pause, self._limits.first_pause * 2**tries)
        # Jitter, so that sixteen threads that were turned away together do not come back together.
        self._limits.sleep(longest * random.uniform(0.5, 1.0) if advice is None else advice)

    def _quiet(self, advice: float | None) -> None:
        """A 429 is meant for all of us: let the other threads wait as well."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + (advice or 0.0))

    def _current(self) -> creds.Credential:
        wait = self._quiet_until - time.monotonic()
        if wait > 0:
            self._limits.sleep(wait)
        credential = self._credentials.current()
        if credential.pair is not None and credential.pair != self._pair:
            with self._lock:
                self._dialler.trust(credential.pair)
                self._pair = credential.pair
                old, self._idle = self._idle, deque()
            for wire in old:
                wire.close()
        return credential

    def _message(self, request: Request, credential: creds.Credential) -> bytes:
        head = f"{request.method} {self._prefix}{request.path} HTTP/1.1{self._fixed}Accept: {request.accept}\r\n"
        if credential.authorization:
            head += f"Authorization: {credential.authorization}\r\n"
        if request.etag:
            head += f"If-None-Match: {request.etag}\r\n"
        if request.body or request.method not in ("GET", "DELETE"):
            head += f"Content-Type: {request.content_type}\r\nContent-Length: {len(request.body)}\r\n"
        return f"{head}\r\n".encode() + request.body

    def _exchange(self, message: bytes) -> Answer:
        with self._slots:
            wire = self._take()
            try:
                self._send(wire, message)
                answer = wire.answer()
            except (OSError, ValueError) as error:  # ValueError: a length that is no number
                wire.close()
                raise _Lost(error, sent=True) from error
            except BaseException:
                wire.close()  # half an answer must not be read by the next request
                raise
            self._note(answer.headers)
            if wire.reusable:
                self._idle.append(wire)
            else:
                wire.close()
            return answer

    def _open(self, message: bytes, timeout: float) -> Answer | Stream:
        wire = self._dial()
        try:
            self._send(wire, message)
            head = wire.head()
            self._note(head.headers)
            if head.status >= 400:
                body = b"".join(wire.chunks(head))
                wire.close()
                return Answer(head.status, head.headers, body)
        except (OSError, ValueError) as error:
            wire.close()
            raise _Lost(error, sent=True) from error
        wire.wait_at_most(timeout)
        with self._lock:
            self._streams.add(wire)
        return Stream(head.status, head.headers, lines(wire.chunks(head)), wire)

    def _send(self, wire: Wire, message: bytes) -> None:
        try:
            wire.send(message)
        except OSError as error:
            wire.close()
            # The last bytes did not leave, so that the server cannot act on them.
            raise _Lost(error, sent=False) from error

    def _note(self, headers: Mapping[str, str]) -> None:
        self._reached = True
        self._date = (headers.get("date", ""), time.monotonic())

    def _take(self) -> Wire:
        with contextlib.suppress(IndexError):
            while True:
                wire = self._idle.pop()
                if not wire.stale():
                    return wire
                wire.close()
        return self._dial()

    def _dial(self) -> Wire:
        try:
            wire = self._dialler.dial()
        except (OSError, socket.gaierror) as error:
            raise _Lost(error, sent=False) from error
        wire.wait_at_most(self._limits.read)
        return wire


def _advice(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, within reason; its form as a date is not used by API servers."""
    text = headers.get("retry-after", "")
    return min(float(text), LONGEST_ADVICE) if text.isdigit() else None
