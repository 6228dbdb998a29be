"""A web server for tests: files with ETags and ranges, logins, an OCI registry, and faults on demand."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


@dataclass
class Site:
    """What the server has: `files` by path, `login` (user, password) that it wants, and what it was asked.

    `faults` maps a path to what happens on its next requests: a status code, or "cut" for half a body.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    token: str = ""
    redirects: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(1 for asked, _ in self.asked if asked == path)

    def chart_repository(self, folder: str, charts: dict[str, dict[str, bytes]]) -> str:
        """A Helm repository below `folder`: chart → version → archive; gives its URL."""
        entries: dict[str, list[dict[str, Any]]] = {}
        for name, versions in charts.items():
            for version, content in versions.items():
                file = f"{name}-{version}.tgz"
                self.files[f"/{folder}/{file}"] = content
                digest = hashlib.sha256(content).hexdigest()
                line = {"name": name, "version": version, "urls": [file], "digest": digest, "appVersion": "9"}
                entries.setdefault(name, []).append(line)
        index = {"apiVersion": "v1", "entries": entries}
        self.files[f"/{folder}/index.yaml"] = yaml.safe_dump(index).encode()
        return f"{self.url}/{folder}"

    def oci_chart(self, name: str, version: str, content: bytes) -> None:
        """A chart in the registry half of this server."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        layer = {"mediaType": CHART_LAYER, "digest": digest, "size": len(content)}
        tag = version.replace("+", "_")
        self.files[f"/v2/{name}/blobs/{digest}"] = content
        self.files[f"/v2/{name}/manifests/{tag}"] = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()
        path = f"/v2/{name}/tags/list"
        tags = json.loads(self.files.get(path, b'{"tags": []}'))["tags"]
        self.files[path] = json.dumps({"name": name, "tags": [*tags, tag]}).encode()


def packed(name: str, version: str, templates: dict[str, str], values: str = "{}", **extra: Any) -> bytes:
    """A packed chart; `extra` goes into its Chart.yaml."""
    meta = yaml.safe_dump({"apiVersion": "v2", "name": name, "version": version, **extra})
    files = {"Chart.yaml": meta, "values.yaml": values, **{f"templates/{n}": t for n, t in templates.items()}}
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return into.getvalue()


@contextmanager
def serving() -> Iterator[Site]:
    """A site on a free port of the loopback interface."""
    site = Site()

    class Handler(_Handler):
        here = site

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    here: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.here.asked.append((path, headers))
        pending = self.here.faults.get(path) or []
        fault = pending.pop(0) if pending else None
        if isinstance(fault, int):
            self._answer(fault, b"")
        elif path == "/token":
            self._token(headers)
        elif not self._allowed(path, headers):
            self._answer(401, b"", {"WWW-Authenticate": self._challenge(path)})
        elif path in self.here.redirects:
            self._answer(307, b"", {"Location": self.here.redirects[path]})
        else:
            self._file(path, headers, cut=fault == "cut")

    def _allowed(self, path: str, headers: dict[str, str]) -> bool:
        given = headers.get("authorization", "")
        if self.here.token and path.startswith("/v2/"):
            return given == f"Bearer {self.here.token}"
        return self.here.login is None or given == _basic(*self.here.login)

    def _challenge(self, path: str) -> str:
        if self.here.token and path.startswith("/v2/"):
            return f'Bearer realm="{self.here.url}/token",service="test",scope="repository:x:pull"'
        return 'Basic realm="test"'

    def _token(self, headers: dict[str, str]) -> None:
        if self.here.login and headers.get("authorization") != _basic(*self.here.login):
            self._answer(401, b"")
            return
        self._answer(200, json.dumps({"token": self.here.token}).encode())

    def _file(self, path: str, headers: dict[str, str], *, cut: bool) -> None:
        content = self.here.files.get(path)
        if content is None:
            self._answer(404, b"")
            return
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if headers.get("if-none-match") == tag:
            self._answer(304, b"", {"ETag": tag})
            return
        status = 200
        wanted = headers.get("range", "")
        if wanted and headers.get("if-range", tag) == tag:
            content, status = content[int(wanted.removeprefix("bytes=").partition("-")[0]) :], 206
        self._answer(status, content, {"ETag": tag}, cut=cut)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
