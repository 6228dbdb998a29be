"""Downloads over HTTP and HTTPS: proxies, certificates, logins, redirects, and going on where it broke off.

A login goes to the host that it is for and to no other: redirects to other hosts are followed without it.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlsplit, urlunsplit

from sbkube._version import __version__
from sbkube.edges.proxies import from_environment
from sbkube.errors import SourceUnavailable
from sbkube.models.source import Login, WebAnswer, WebRequest, shown

TRIES = 4
PATIENCE = 30.0  # seconds without a byte
_CHUNK = 1 << 16
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
Progress = Callable[[str, int, int], None]  # URL without login, bytes so far, bytes in all (0: unknown)


def _quiet(url: str, done: int, total: int) -> None:
    """Nobody wants to know."""


class HttpWeb:
    """The Web port on the standard library."""

    def __init__(
        self, environ: Mapping[str, str], progress: Progress = _quiet, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`environ` names the proxies; `progress` hears of every chunk."""
        self._environ = environ
        self._progress = progress
        self._sleep = sleep

    def get(self, request: WebRequest, into: BinaryIO) -> WebAnswer:
        """See `sbkube.ports.Web`."""
        if urlsplit(request.url).scheme not in {"http", "https"}:
            raise SourceUnavailable(f'"{shown(request.url)}" is no http or https URL')
        download = _Download(self._opener(request), request, into, self._progress)
        for attempt in range(1, TRIES + 1):
            try:
                return download.attempt()
            except urllib.error.HTTPError as error:
                if error.code not in _AGAIN or attempt == TRIES:
                    return _answered(request, error)
                self._sleep(_pause(error.headers.get("Retry-After"), attempt))
            except (OSError, http.client.HTTPException) as error:
                if attempt == TRIES or _hopeless(error):
                    raise _unreachable(request, error) from error
                self._sleep(_pause(None, attempt))
        raise AssertionError("the last attempt returns or raises")

    def _opener(self, request: WebRequest) -> urllib.request.OpenerDirector:
        proxy = from_environment(request.url, self._environ)
        scheme = urlsplit(request.url).scheme
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({scheme: proxy} if proxy else {}),
            urllib.request.HTTPSHandler(context=_trust(request.login)),
            _Redirects(),
        )


class _Download:
    """One body on its way: what has arrived stays, as long as an ETag tells that the rest belongs to it."""

    def __init__(
        self, opener: urllib.request.OpenerDirector, request: WebRequest, into: BinaryIO, progress: Progress
    ) -> None:
        self._opener = opener
        self._request = request
        self._into = into
        self._progress = progress
        self._written = 0
        self._tag = ""

    def attempt(self) -> WebAnswer:
        """Fetch it, or what is missing of it."""
        if not self._tag or self._tag.startswith("W/"):
            self._begin_again()
        sent = urllib.request.Request(_bare(self._request.url), headers=dict(_headers(self._request)))
        if self._written:
            sent.add_header("Range", f"bytes={self._written}-")
            sent.add_header("If-Range", self._tag)
        with self._opener.open(sent, timeout=PATIENCE) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if response.status != 206:
                self._begin_again()
            self._tag = headers.get("etag", "")
            self._copy(response, int(headers.get("content-length") or 0))
            return WebAnswer(response.status, headers, self._written)

    def _begin_again(self) -> None:
        self._into.seek(0)
        self._into.truncate()
        self._written = 0

    def _copy(self, response: Any, expected: int) -> None:
        total = self._written + expected if expected else 0
        while chunk := response.read(_CHUNK):
            self._written += len(chunk)
            if self._written > self._request.limit:
                raise SourceUnavailable(f"{shown(self._request.url)} is larger than {self._request.limit} bytes")
            self._into.write(chunk)
            self._progress(shown(self._request.url), self._written, total)
        if self._written < total:
            raise http.client.IncompleteRead(b"", total - self._written)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Takes the login along only to the same host and port, and never from https to http."""

    def redirect_request(self, req: urllib.request.Request, *args: Any) -> urllib.request.Request | None:
        follow = super().redirect_request(req, *args)
        if follow is None:
            return None
        before, after = urlsplit(req.full_url), urlsplit(follow.full_url)
        if (before.scheme, before.netloc) != (after.scheme, after.netloc):
            follow.remove_header("Authorization")
        if before.scheme == "https" and after.scheme != "https":
            raise SourceUnavailable(f"{shown(req.full_url)} leads from https to {shown(follow.full_url)}")
        return follow


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _headers(request: WebRequest) -> Mapping[str, str]:
    headers = {"User-Agent": f"sbkube/{__version__}", "Accept-Encoding": "identity", **dict(request.headers)}
    login, parts = request.login, urlsplit(request.url)
    if login.authorization:
        headers["Authorization"] = login.authorization
    elif login.username or parts.username:
        pair = f"{login.username or parts.username}:{login.password or parts.password or ''}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def _trust(login: Login) -> ssl.SSLContext:
    """What a server must show, and what we show; raises SourceUnavailable for files that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=str(login.ca_file) if login.ca_file else None)
        if login.cert_file:
            context.load_cert_chain(login.cert_file, login.key_file)
    except (OSError, ssl.SSLError) as error:
        raise SourceUnavailable(
            f"the certificates cannot be read: {error}", hint="look at ca_file, cert_file and key_file"
        ) from error
    if login.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _answered(request: WebRequest, error: urllib.error.HTTPError) -> WebAnswer:
    """A refusal as an answer where the caller can go on from it, else as an error."""
    headers = {name.lower(): value for name, value in error.headers.items()}
    if error.code == 304 or (error.code == 401 and request.challenge):
        return WebAnswer(error.code, headers)
    hints = {401: "look at username and password", 403: "look at username and password", 404: "look at the URL"}
    raise SourceUnavailable(
        f"{shown(request.url)} answered {error.code} {error.reason}", hint=hints.get(error.code)
    ) from error


def _hopeless(error: Exception) -> bool:
    reason = getattr(error, "reason", error)
    return isinstance(reason, ssl.SSLCertVerificationError)


def _unreachable(request: WebRequest, error: Exception) -> SourceUnavailable:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SourceUnavailable(
            f"{shown(request.url)}: its certificate cannot be trusted: {reason.verify_message}",
            hint="name the authority with ca_file, or set insecure_skip_tls_verify: true",
        )
    return SourceUnavailable(
        f"{shown(request.url)} cannot be reached: {reason}", hint="check the network and the proxy"
    )


def _pause(retry_after: str | None, attempt: int) -> float:
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), 30.0)
    return float(0.25 * 2**attempt)
