"""Who may come in, and who may act: names of this server, one-time addresses, sessions, and proxies that vouch for
people."""

from __future__ import annotations

import getpass
import hashlib
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

SESSION_SECONDS = 12 * 3600
TRIES, TRY_SECONDS = 10, 60.0  # so many wrong tokens in so many seconds, then they are answered so
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SESSIONS = 1000
_NAME = 200  # characters of a name that are kept


@dataclass(frozen=True, slots=True)
class Rules:
    """`hosts` are further names that this server answers to; `proxies` networks whose `identity_header` is
    believed; `socket`: it listens on a Unix socket, whose peers are believed too. `metrics_token` opens
    /metrics only. `acting`: there are sessions that may act; so may the people in `actors`, whom a proxy names."""

    hosts: frozenset[str] = frozenset()
    proxies: tuple[str, ...] = ()
    identity_header: str = ""
    socket: bool = False
    metrics_token: str = ""
    acting: bool = False
    actors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: `name` is whom a proxy names, "" for the holder of a session. `acts`: reading is not all that is
    allowed. `seal` must come back with everything that is posted."""

    name: str
    acts: bool
    seal: str

    @property
    def person(self) -> str:
        """Who it is for the record: without a name, whoever has started this server."""
        return self.name or getpass.getuser()


def cookie(request: Request) -> str:
    """The name of the cookie of a session: browsers share cookies between the ports of a host."""
    return f"sbkube_session_{request.url.port}" if request.url.port else "sbkube_session"


class Tries:
    """Wrong tokens, which must not come fast."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=TRIES)

    def add(self) -> None:
        """One more."""
        self._times.append(self._clock())

    @property
    def too_many(self) -> bool:
        """They came too fast."""
        times = tuple(self._times)
        return len(times) == TRIES and self._clock() - times[0] < TRY_SECONDS


class Door:
    """Sessions live in memory: a restart ends them all. Safe for use from several threads.

    `strangers` are wrong tokens at the sign-in, `forged` wrong seals in the name of those who may act.
    """

    def __init__(self, rules: Rules, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises UsageError for a proxy that is no address."""
        self._rules, self._clock = rules, clock
        self._hosts = _LOCAL | {name.lower() for name in rules.hosts}
        try:
            self._proxies = [ipaddress.ip_network(name) for name in rules.proxies]
        except ValueError as error:
            raise UsageError(f"--trust-proxy: {error}", hint="an address or network like 10.0.0.0/8") from None
        if any(network.prefixlen == 0 for network in self._proxies):
            raise UsageError("--trust-proxy: then anybody may say who he is", hint="name the proxy's own address")
        self._guard = threading.Lock()
        self._once = {False: "", True: ""}  # by whether it lets people act
        self._sessions: dict[str, tuple[float, bool]] = {}  # until when, and whether it may act
        self._key = secrets.token_bytes(32)
        self.strangers, self.forged = Tries(clock), Tries(clock)

    @property
    def acting(self) -> bool:
        """Some may act."""
        return self._rules.acting

    def invite(self, *, acts: bool = False) -> str:
        """A token for the next sign-in, to read or to act; the one before is worthless from now on."""
        with self._guard:
            self._once[acts] = secrets.token_urlsafe(32)
            return self._once[acts]

    def knows_host(self, header: str) -> bool:
        """The `Host` header names this server; a page elsewhere that points its name at us does not."""
        name = header.lower()
        bare = name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() and not name.endswith("]") else name
        return bare in self._hosts

    def enter(self, token: str) -> tuple[str, bool]:
        """A new session for a one-time token, and whether it may act; "" for a wrong one."""
        with self._guard:
            found = [acts for acts, once in self._once.items() if once and _same(token, once)]
            if not found:
                self.strangers.add()
                return "", False
            acts = found[0]
            self._once[acts] = ""
            while len(self._sessions) >= _SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            session = secrets.token_urlsafe(32)
            self._sessions[session] = self._clock() + SESSION_SECONDS, acts
            return session, acts

    def leave(self, session: str) -> None:
        """End a session."""
        with self._guard:
            self._sessions.pop(session, None)

    def visitor(self, request: Request) -> Visitor | None:
        """Who this is, None for nobody: the holder of a session, or whom a trusted proxy names."""
        name, session = self._vouched(request), request.cookies.get(cookie(request), "")
        with self._guard:
            expires, acts = self._sessions.get(session, (0.0, False))
        inside = expires > self._clock()
        if not (inside or name):
            return None
        acts = self.acting and ((inside and acts) or name in self._rules.actors)
        return Visitor(name, acts, self._seal(f"session {session}" if inside else f"name {name}"))

    def _seal(self, subject: str) -> str:
        return hmac.new(self._key, subject.encode(), hashlib.sha256).hexdigest()

    def sealed(self, visitor: Visitor, seal: str) -> bool:
        """A form was made for this visitor, by us."""
        right = _same(seal, visitor.seal)
        if visitor.acts and not right:
            self.forged.add()
        return right

    def over_tls(self, request: Request) -> bool:
        """The browser speaks TLS: with us, or with a proxy that we trust and that says so."""
        forwarded = request.headers.get("x-forwarded-proto", "") == "https"
        return request.url.scheme == "https" or (forwarded and self._trusted(_peer(request)))

    def scrapes(self, request: Request) -> bool:
        """It holds the token for metrics."""
        word, _, token = request.headers.get("authorization", "").partition(" ")
        want = self._rules.metrics_token
        return bool(want) and word.lower() == "bearer" and _same(token, want)

    def _vouched(self, request: Request) -> str:
        header = self._rules.identity_header
        names = request.headers.getlist(header) if header and self._trusted(_peer(request)) else []
        if len(names) != 1:  # of two, one may have come from the browser
            return ""
        try:
            name = names[0].encode("latin-1").decode()  # headers are bytes, and proxies send UTF-8
        except UnicodeDecodeError:
            return ""
        # A name that would have to be cleaned is not the one that the proxy means.
        return name if name.isprintable() and len(name) <= _NAME else ""

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


def _same(given: str, wanted: str) -> bool:
    """In a time that tells nothing."""
    return hmac.compare_digest(given.encode(), wanted.encode())
