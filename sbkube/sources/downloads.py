"""Downloads through the cache: asked for once, checked against their digest, and not needed when offline."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sbkube.errors import SourceUnavailable
from sbkube.models.source import ANONYMOUS, Login, WebAnswer, WebRequest, shown
from sbkube.ports import Web
from sbkube.sources.cache import Cache

INDEX_LIMIT = 256 << 20


class Downloads:
    """Files from the web by way of the cache. `offline` uses only what is there already."""

    def __init__(self, web: Web, cache: Cache, *, offline: bool = False) -> None:
        self._web = web
        self.cache = cache
        self.offline = offline

    def file(
        self, url: str, digest: str = "", login: Login = ANONYMOUS, headers: Mapping[str, str] | None = None
    ) -> tuple[Path, str]:
        """A file that never changes once its digest is known; gives its place and digest.

        Raises SourceUnavailable, also when the digest is not the expected one.
        """
        if digest and (found := self.cache.find(digest)):
            return found, digest
        self._refuse_offline(url)
        request = WebRequest(url, login, tuple((headers or {}).items()))
        path, got = self.cache.add(lambda into: self._fill(request, into))
        if digest and got != digest:
            path.unlink(missing_ok=True)
            raise SourceUnavailable(
                f"{shown(url)} has the digest {got}, not {digest}",
                hint="the file was changed, or the digest is wrong",
            )
        return path, got

    def renewed(
        self, url: str, login: Login = ANONYMOUS, headers: Mapping[str, str] | None = None
    ) -> tuple[Path, str]:
        """A file that may change: asked for again, but sent again only if it has (ETag, Last-Modified)."""
        known = self.cache.recall(url)
        kept = self.cache.find(str(known.get("digest", "")))
        if self.offline and kept is not None:
            return kept, str(known["digest"])
        self._refuse_offline(url)
        conditions = _conditions(known) if kept is not None else {}
        request = WebRequest(url, login, tuple({**(headers or {}), **conditions}.items()), INDEX_LIMIT)
        answers: list[WebAnswer] = []
        path, digest = self.cache.add(lambda into: answers.append(self._web.get(request, into)))
        if answers[0].status == 304 and kept is not None:
            return kept, str(known["digest"])
        facts = {"digest": digest, **{name: answers[0].headers.get(name, "") for name in _CONDITIONS.values()}}
        self.cache.remember(url, facts)
        return path, digest

    def text(self, request: WebRequest) -> tuple[bytes, WebAnswer]:
        """A small answer, not kept."""
        self._refuse_offline(request.url)
        into = BytesIO()
        answer = self._web.get(request, into)
        return into.getvalue(), answer

    def _fill(self, request: WebRequest, into: BinaryIO) -> None:
        self._web.get(request, into)

    def _refuse_offline(self, url: str) -> None:
        if self.offline:
            raise SourceUnavailable(
                f"{shown(url)} is not in the cache, and --offline forbids to fetch it",
                hint="run without --offline",
            )


_CONDITIONS = {"If-None-Match": "etag", "If-Modified-Since": "last-modified"}


def _conditions(known: Mapping[str, object]) -> dict[str, str]:
    return {header: str(known[fact]) for header, fact in _CONDITIONS.items() if known.get(fact)}
