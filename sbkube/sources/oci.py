"""Charts and other artifacts in OCI registries: the pull half of the OCI Distribution Specification 1.1."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from sbkube.errors import SourceUnavailable
from sbkube.models.source import Login, WebAnswer, WebRequest
from sbkube.sources.downloads import Downloads
from sbkube.sources.versions import Range, Version, VersionSyntaxError, newest

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a tag points to: the digest of its manifest, and its layers as (media type, digest)."""

    tag: str
    digest: str
    layers: tuple[tuple[str, str], ...]


class Registry:
    """One repository of a registry, such as `oci://ghcr.io/org/charts/web`."""

    def __init__(self, url: str, login: Login, downloads: Downloads, known: Callable[[str], Login]) -> None:
        """`known` gives the login that docker has for a host; it is asked when `login` says nothing.

        Registries on this machine are spoken to without TLS, as docker does.
        """
        parts = urlsplit(url)
        self._name = parts.path.strip("/")
        self._host = parts.netloc
        scheme = "http" if (parts.hostname or "") in {n.strip("[]") for n in _LOOPBACK} else "https"
        self._base = f"{scheme}://{parts.netloc}/v2/{self._name}/"
        self._login = (
            login if login.username or login.authorization else replace(known(self._host), **_trust(login))
        )
        self._downloads = downloads
        self._token = ""

    def tags(self) -> list[str]:
        """All tags, with `+` where the registry wrote `_` (as Helm does); raises SourceUnavailable."""
        found: list[str] = []
        url = urljoin(self._base, "tags/list?n=1000")
        while url:
            body, answer = self._get(url)
            found += [str(tag).replace("_", "+") for tag in self._json(body).get("tags") or ()]
            match = _NEXT.search(answer.headers.get("link", ""))
            url = urljoin(url, match[1]) if match else ""
        return found

    def choose(self, wanted: str) -> str:
        """The tag that `wanted` means: a full version is its own tag, a range the newest that fits."""
        try:
            exact = Range.parse(wanted).exact
            if wanted and exact is not None:
                return wanted.strip().lstrip("=").strip()
            tags = self.tags()
            best = newest(tags, wanted)
        except VersionSyntaxError:
            return wanted  # no version at all: a tag such as "latest"
        if best is None:
            last = max((v for v in map(_version, tags) if v), default=None)
            raise SourceUnavailable(
                f"no version of oci://{self._host}/{self._name} fits {wanted or '*'}",
                hint=f"the newest is {last}" if last else "it has no versions",
            )
        return best

    def artifact(self, tag: str) -> Artifact:
        """What a tag points to now."""
        accept = (("Accept", ", ".join(_MANIFESTS)),)
        body, _ = self._get(urljoin(self._base, f"manifests/{tag.replace('+', '_')}"), accept)
        manifest = self._json(body)
        layers = manifest.get("layers")
        if not isinstance(layers, list):
            raise SourceUnavailable(f"oci://{self._host}/{self._name}:{tag} is no artifact with layers")
        pairs = tuple((str(layer.get("mediaType")), str(layer.get("digest"))) for layer in layers)
        return Artifact(tag, f"sha256:{hashlib.sha256(body).hexdigest()}", pairs)

    def chart(self, tag: str) -> tuple[Path, str]:
        """The archive of a chart and its digest."""
        artifact = self.artifact(tag)
        digest = next((digest for kind, digest in artifact.layers if kind == CHART_LAYER), None)
        if digest is None:
            raise SourceUnavailable(f"oci://{self._host}/{self._name}:{tag} holds no Helm chart")
        return self._downloads.file(urljoin(self._base, f"blobs/{digest}"), digest, self._authorized())

    def _get(self, url: str, headers: tuple[tuple[str, str], ...] = ()) -> tuple[bytes, WebAnswer]:
        request = WebRequest(url, self._authorized(), headers, limit=64 << 20, challenge=not self._token)
        body, answer = self._downloads.text(request)
        if answer.status == 401:
            self._token = self._authorize(answer.headers.get("www-authenticate", ""))
            body, answer = self._downloads.text(replace(request, login=self._authorized(), challenge=False))
        return body, answer

    def _authorized(self) -> Login:
        return replace(self._login, authorization=self._token) if self._token else _anonymous(self._login)

    def _authorize(self, challenge: str) -> str:
        """A header value for what the registry asks for: Basic, or a token from where it says (RFC 6750)."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic":
            return _basic(self._login)
        fields = dict(_CHALLENGE.findall(rest))
        realm = fields.get("realm", "")
        if scheme.lower() != "bearer" or not realm:
            raise SourceUnavailable(f"{self._host} asks for a login of an unknown kind ({scheme or 'none'})")
        query = {k: fields[k] for k in ("service", "scope") if k in fields} or {}
        query.setdefault("scope", f"repository:{self._name}:pull")
        body, _ = self._downloads.text(WebRequest(f"{realm}?{urlencode(query)}", self._login, limit=1 << 20))
        answer = self._json(body)
        return f"Bearer {answer.get('token') or answer.get('access_token') or ''}"

    def _json(self, body: bytes) -> Mapping[str, Any]:
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise SourceUnavailable(f"{self._host} does not answer as an OCI registry")
        return found


def _trust(login: Login) -> dict[str, Any]:
    return {name: getattr(login, name) for name in ("ca_file", "cert_file", "key_file", "insecure")}


def _anonymous(login: Login) -> Login:
    return replace(login, username="", password="", authorization="")


def _basic(login: Login) -> str:
    import base64

    pair = f"{login.username}:{login.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _version(tag: str) -> Version | None:
    try:
        return Version.parse(tag)
    except VersionSyntaxError:
        return None
