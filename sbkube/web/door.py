"""Who may come in: names of this server, one-time addresses, sessions, and proxies that vouch for people."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from sbkube.errors import UsageError

COOKIE = "sbkube_session"
SESSION_SECONDS = 12 * 3600
TRIES, TRY_SECONDS = 10, 60.0  # so many wrong tokens in so many seconds, then nobody is let in
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class Rules:
    """`hosts` are further names that this server answers to; `proxies` networks whose `identity_header` is
    believed; `socket`: it listens on a Unix socket, whose peers are believed too. `metrics_token` opens
    /metrics only."""

    hosts: frozenset[str] = frozenset()
    proxies: tuple[str, ...] = ()
    identity_header: str = ""
    socket: bool = False
    metrics_token: str = ""


class Door:
    """Sessions live in memory: a restart ends them all. Safe for use from several threads."""

    def __init__(self, rules: Rules, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises UsageError for a proxy that is no address."""
        self._rules, self._clock = rules, clock
        self._hosts = _LOCAL | {name.lower() for name in rules.hosts}
        try:
            self._proxies = [ipaddress.ip_network(name) for name in rules.proxies]
        except ValueError as error:
            raise UsageError(f"--trust-proxy: {error}", hint="an address or network like 10.0.0.0/8") from None
        self._guard = threading.Lock()
        self._once = ""
        self._sessions: dict[str, float] = {}
        self._wrong: deque[float] = deque(maxlen=TRIES)

    def invite(self) -> str:
        """A token for the next sign-in; the one before is worthless from now on."""
        with self._guard:
            self._once = secrets.token_urlsafe(32)
            return self._once

    def knows_host(self, header: str) -> bool:
        """The `Host` header names this server; a page elsewhere that points its name at us does not."""
        name = header.lower()
        bare = name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() and not name.endswith("]") else name
        return bare in self._hosts

    def too_many(self) -> bool:
        """Wrong tokens came too fast."""
        with self._guard:
            full = len(self._wrong) == TRIES
            return full and self._clock() - self._wrong[0] < TRY_SECONDS

    def enter(self, token: str) -> str:
        """A new session for the one-time token, "" for a wrong one."""
        with self._guard:
            right = bool(self._once) and hmac.compare_digest(token.encode(), self._once.encode())
            if not right:
                self._wrong.append(self._clock())
                return ""
            self._once = ""
            while len(self._sessions) >= _SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            session = secrets.token_urlsafe(32)
            self._sessions[session] = self._clock() + SESSION_SECONDS
            return session

    def leave(self, session: str) -> None:
        """End a session."""
        with self._guard:
            self._sessions.pop(session, None)

    def visitor(self, request: Request) -> str:
        """Who this is, "" for nobody: the holder of a session, or whom a trusted proxy names."""
        if name := self._vouched(request):
            return name
        with self._guard:
            expires = self._sessions.get(request.cookies.get(COOKIE, ""), 0.0)
        return "you" if expires > self._clock() else ""

    def over_tls(self, request: Request) -> bool:
        """The browser speaks TLS: with us, or with a proxy that we trust and that says so."""
        forwarded = request.headers.get("x-forwarded-proto", "") == "https"
        return request.url.scheme == "https" or (forwarded and self._trusted(_peer(request)))

    def scrapes(self, request: Request) -> bool:
        """It holds the token for metrics."""
        word, _, token = request.headers.get("authorization", "").partition(" ")
        want = self._rules.metrics_token
        return bool(want) and word.lower() == "bearer" and hmac.compare_digest(token.encode(), want.encode())

    def _vouched(self, request: Request) -> str:
        name = request.headers.get(self._rules.identity_header, "") if self._rules.identity_header else ""
        return name if name and self._trusted(_peer(request)) else ""

    def _trusted(self, peer: str) -> bool:
        if not peer:
            return self._rules.socket
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""
